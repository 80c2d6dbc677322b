/* conduit serve: answers connections with their own input, with nothing, or with so many bytes. */
#include <errno.h>
#include <stdio.h>

#include "tools/tool.h"

/* ---- echo ------------------------------------------------------------------------------------ */

static void echo_read(struct cdt_flow *flow, const void *data, size_t length)
{
    const int status = cdt_flow_write(flow, data, length);
    if (status == 0)
        return;
    if (status > 0)
        cdt_flow_pause(flow);
    else
        cdt_flow_abort(flow, status, NULL);
}

static void echo_writable(struct cdt_flow *flow)
{
    cdt_flow_resume(flow);
}

/* ---- source ---------------------------------------------------------------------------------- */

/* The byte at offset N of the answer is N modulo 251. */
enum { PERIOD = 251, PATTERN = PERIOD * 256 };
static unsigned char pattern[PATTERN];
static uint64_t source_bytes;

struct source {
    uint64_t sent;
};

static void source_more(struct cdt_flow *flow)
{
    struct source *source = cdt_flow_data(flow);
    int status = 0;
    while (status == 0 && source->sent < source_bytes) {
        const size_t phase = source->sent % PERIOD;
        size_t length = PATTERN - phase;
        if (length > source_bytes - source->sent)
            length = (size_t)(source_bytes - source->sent);
        status = cdt_flow_write(flow, pattern + phase, length);
        if (status >= 0)
            source->sent += length;
    }
    if (status < 0 && status != -EPIPE)
        cdt_flow_abort(flow, status, NULL);
    else if (source->sent == source_bytes)
        cdt_flow_shutdown(flow, CDT_SHUT_WRITE);
}

/* The peer has ended its stream: it may still want the answer. */
static void source_eof(struct cdt_flow *flow)
{
    const struct source *source = cdt_flow_data(flow);
    if (source->sent == source_bytes)
        cdt_flow_close(flow);
}

/* ---- all of them ----------------------------------------------------------------------------- */

/* The flow keeps a pointer to its handler. Without on_eof, the end of the peer's stream closes. */
static struct cdt_handler handlers[] = {
    [ANSWER_ECHO] = {.size = sizeof handlers[0],
                     .on_read = echo_read,
                     .on_writable = echo_writable},
    [ANSWER_DISCARD] = {.size = sizeof handlers[0]},
    [ANSWER_SOURCE] = {.size = sizeof handlers[0],
                       .user_size = sizeof(struct source),
                       .on_open = source_more,
                       .on_writable = source_more,
                       .on_eof = source_eof},
};

static const struct settings *verbose_settings;

enum { PEER_TEXT = CDT_ADDR_TEXT + 40 };

static const char *peer_text(struct cdt_flow *flow, char text[PEER_TEXT])
{
    char name[CDT_ADDR_TEXT];
    peer_name(flow, name);
    snprintf(text, PEER_TEXT, "%s %s", cdt_flow_carrier(flow), *name ? name : "unnamed");
    return text;
}

static void tell_of(struct cdt_flow *flow, const char *what)
{
    char text[PEER_TEXT];
    tell(verbose_settings, "%s: %s", peer_text(flow, text), what);
}

static int verbose_accept(struct cdt_server *server, struct cdt_flow *flow)
{
    (void)server;
    tell_of(flow, "accepted");
    return 0;
}

static void verbose_open(struct cdt_flow *flow)
{
    char text[PEER_TEXT];
    vchan_tell(verbose_settings, peer_text(flow, text), flow);
    tls_tell(verbose_settings, peer_text(flow, text), flow);
    if (verbose_settings->answer == ANSWER_SOURCE)
        source_more(flow);
}

static void verbose_close(struct cdt_flow *flow, int status)
{
    tell_of(flow, status ? cdt_flow_error(flow) : "closed");
}

int serve_run(struct settings *settings)
{
    struct listeners_job job = {.settings = settings,
                                .handler = &handlers[settings->answer],
                                .texts = settings->texts,
                                .count = settings->count};
    for (size_t i = 0; i < PATTERN; i++)
        pattern[i] = (unsigned char)(i % PERIOD);
    source_bytes = settings->source_bytes;
    if (settings->verbose) {
        verbose_settings = settings;
        handlers[settings->answer].on_open = verbose_open;
        handlers[settings->answer].on_close = verbose_close;
        job.on_accept = verbose_accept;
    }
    struct session session;
    int status = session_begin(settings, &session);
    if (status)
        return status;
    job.session = &session;
    status = listeners_run(&job);
    session_end(&session);
    return status;
}
