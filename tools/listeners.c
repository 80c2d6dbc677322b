/* What serve and proxy share: listening on all endpoints or on none, SIGTERM and SIGINT that drain,
 * SIGHUP that reads certificates again, SIGUSR1 that counts, and the line at the end. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/tool.h"

struct listener {
    struct listeners *all;
    const char *text;
    struct cdt_endp *endp;
    struct cdt_server *server; /* NULL: not yet, or no more */
};

struct listeners {
    const struct listeners_job *job;
    struct listener *each;
    int count;
    int bound, running;
    bool listening; /* all are, and it was told */
    bool failed, draining;
    uint64_t accepted, closed, aborted;
    struct cdt_signal term, interrupt, hangup, user;
};

static void stop_all(struct listeners *all, uint64_t drain)
{
    all->draining = true;
    for (int i = 0; i < all->count; i++) {
        if (all->each[i].server)
            cdt_server_stop(all->each[i].server, drain);
    }
    if (all->running == 0)
        cdt_reactor_stop(all->job->session->reactor);
}

/* ---- listening ------------------------------------------------------------------------------- */

/* The endpoint that a server is bound to, to be freed with cdt_endp_text_free(); NULL: none. */
static char *bound_text(const struct cdt_server *server)
{
    struct cdt_endp *endp;
    char *text = NULL;
    if (cdt_server_endp(server, &endp) != 0)
        return NULL;
    if (cdt_endp_text(endp, CDT_ENDP_HUMAN, &text) != 0)
        text = NULL;
    cdt_endp_free(endp);
    return text;
}

static int say_listening(const struct listener *listener)
{
    char *endp = bound_text(listener->server);
    char line[1024];
    if (!endp)
        return complain(listener->text, cdt_strerror(-ENOMEM));
    snprintf(line, sizeof line, "listening %s\n", endp);
    cdt_endp_text_free(endp);
    return say(line);
}

static void fail(struct listeners *all)
{
    all->failed = true;
    stop_all(all, 0);
}

static void on_listen(struct cdt_server *server, int status, const char *text)
{
    struct listener *listener = cdt_server_user(server);
    struct listeners *all = listener->all;
    if (all->draining)
        return;
    if (status) {
        complain(listener->text, text && *text ? text : cdt_strerror(status));
        fail(all);
        return;
    }
    if (++all->bound < all->count)
        return;
    for (int i = 0; i < all->count; i++) {
        if (say_listening(&all->each[i]) != 0) {
            fail(all);
            return;
        }
    }
    all->listening = true;
}

/* Failures of single connections are told with -v only; that accepting waits, the library logs. */
static void on_error(struct cdt_server *server, int status, const char *text,
                     const struct cdt_addr *peer)
{
    const struct listener *listener = cdt_server_user(server);
    char who[CDT_ADDR_TEXT] = "accepting";
    if (peer)
        cdt_addr_format(peer, who);
    tell(listener->all->job->settings, "%s: %s: %s", listener->text, *who ? who : "unnamed",
         text && *text ? text : cdt_strerror(status));
}

static void on_stopped(struct cdt_server *server)
{
    struct listener *listener = cdt_server_user(server);
    struct listeners *all = listener->all;
    struct cdt_server_counters counters;
    if (cdt_server_counters(server, &counters) == 0) {
        all->accepted += counters.accepted;
        all->closed += counters.closed;
        all->aborted += counters.aborted;
    }
    listener->server = NULL;
    all->failed |= !all->draining; /* nobody asked it to */
    if (--all->running == 0)
        cdt_reactor_stop(all->job->session->reactor);
}

static int listen_on(struct listeners *all, struct listener *listener)
{
    const struct settings *settings = all->job->settings;
    struct cdt_flow_options flow = settings->flow;
    flow.tls = all->job->session->tls_server;
    const struct cdt_server_options options = {
        .size = sizeof options,
        .flow = &flow,
        .backlog = (int)settings->backlog,
        .reuseport = settings->reuseport,
        .unix_mode = settings->unix_mode,
        .on_listen = on_listen,
        .on_accept = all->job->on_accept,
        .on_error = on_error,
        .on_stopped = on_stopped,
        .user = listener,
    };
    if (cdt_serve_endp(all->job->session->context, listener->endp, &options, all->job->handler,
                       &listener->server) != 0)
        return complain(listener->text, cdt_context_error(all->job->session->context));
    all->running++;
    return 0;
}

static int read_endp(struct listeners *all, struct listener *listener, const char *text)
{
    *listener = (struct listener){.all = all, .text = text};
    return listen_read(all->job->session, text, &listener->endp);
}

/* Nothing is bound before all texts are known to be good. */
static int read_endps(struct listeners *all)
{
    bool any_is_tls = false;
    for (int i = 0; i < all->count; i++) {
        const int status = read_endp(all, &all->each[i], all->job->texts[i]);
        if (status)
            return status;
        any_is_tls |= all->each[i].endp->kind == CDT_ENDP_TLS;
    }
    return tls_for_listening(all->job->session, any_is_tls);
}

static void free_listeners(struct listeners *all)
{
    for (int i = 0; i < all->count; i++)
        cdt_endp_free(all->each[i].endp);
    free(all->each);
}

/* ---- signals --------------------------------------------------------------------------------- */

static void on_end(struct listeners *all)
{
    stop_all(all, all->draining ? 0 : all->job->settings->drain);
}

static void on_term(struct cdt_signal *signal, int number)
{
    (void)number;
    on_end(cdt_container_of(signal, struct listeners, term));
}

static void on_interrupt(struct cdt_signal *signal, int number)
{
    (void)number;
    on_end(cdt_container_of(signal, struct listeners, interrupt));
}

static void on_hangup(struct cdt_signal *signal, int number)
{
    const struct listeners *all = cdt_container_of(signal, struct listeners, hangup);
    (void)number;
    tls_reload(all->job->session);
}

static void print_counters(const struct listener *listener)
{
    struct cdt_server_counters c;
    if (!listener->server || cdt_server_counters(listener->server, &c) != 0)
        return;
    char *endp = bound_text(listener->server);
    note("counters: %s: accepted %llu, active %u, peak %u, closed %llu, aborted %llu, "
         "refused %llu, shed %llu, throttled %llu, starved %llu, handshakes waited %llu, "
         "bytes in %llu, out %llu",
         endp ? endp : listener->text, (unsigned long long)c.accepted, c.active, c.peak,
         (unsigned long long)c.closed, (unsigned long long)c.aborted, (unsigned long long)c.refused,
         (unsigned long long)c.shed, (unsigned long long)c.throttled, (unsigned long long)c.starved,
         (unsigned long long)c.handshakes_waited, (unsigned long long)c.bytes_in,
         (unsigned long long)c.bytes_out);
    cdt_endp_text_free(endp);
}

static void on_user(struct cdt_signal *signal, int number)
{
    const struct listeners *all = cdt_container_of(signal, struct listeners, user);
    struct cdt_limit_counters limit;
    (void)number;
    for (int i = 0; i < all->count; i++)
        print_counters(&all->each[i]);
    if (cdt_limit_counters(cdt_context_limit(all->job->session->context), &limit) == 0)
        note("counters: limit: max %u, active %u, peak %u, waiting %u, throttled %llu", limit.max,
             limit.active, limit.peak, limit.waiting, (unsigned long long)limit.throttled);
}

static int catch_signals(struct listeners *all)
{
    struct cdt_reactor *reactor = all->job->session->reactor;
    all->term.fn = on_term;
    all->interrupt.fn = on_interrupt;
    all->hangup.fn = on_hangup;
    all->user.fn = on_user;
    int status = cdt_signal_add(reactor, &all->term, SIGTERM);
    if (status == 0)
        status = cdt_signal_add(reactor, &all->interrupt, SIGINT);
    if (status == 0)
        status = cdt_signal_add(reactor, &all->hangup, SIGHUP);
    if (status == 0)
        status = cdt_signal_add(reactor, &all->user, SIGUSR1);
    return status ? complain("signals", cdt_strerror(status)) : 0;
}

/* ---- all of it ------------------------------------------------------------------------------- */

int listeners_run(const struct listeners_job *job)
{
    struct listeners all = {.job = job, .count = job->count};
    all.each = calloc((size_t)job->count, sizeof *all.each);
    if (!all.each)
        return complain("listeners", cdt_strerror(-ENOMEM));
    int status = read_endps(&all);
    if (status == 0)
        status = catch_signals(&all);
    for (int i = 0; i < job->count && status == 0; i++)
        status = listen_on(&all, &all.each[i]);
    if (status)
        stop_all(&all, 0);
    if (all.running) {
        const int ended = cdt_reactor_run(job->session->reactor);
        if (ended)
            status = complain("reactor", cdt_strerror(ended));
    }
    cdt_signal_remove(&all.term);
    cdt_signal_remove(&all.interrupt);
    cdt_signal_remove(&all.hangup);
    cdt_signal_remove(&all.user);
    free_listeners(&all);
    if (status || (all.failed && !all.listening))
        return status ? status : EXIT_FAILED;
    note("drained: %llu accepted, %llu closed, %llu aborted", (unsigned long long)all.accepted,
         (unsigned long long)all.closed, (unsigned long long)all.aborted);
    return all.failed ? EXIT_FAILED : EXIT_DONE;
}
