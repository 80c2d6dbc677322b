/* The reactor inside libuv's loop: uv_prepare before libuv sleeps, uv_poll on the reactor's
 * descriptor, uv_timer for its timers. A timer of libuv and one of conduit tick side by side. */
#include <stdio.h>
#include <uv.h>

#include <conduit/reactor.h>

struct embedded {
    struct cdt_reactor *reactor;
    uv_prepare_t prepare;
    uv_poll_t poll;
    uv_timer_t timer;
};

static void step(struct embedded *embedded)
{
    int result = cdt_reactor_step(embedded->reactor, 0);

    if (result < 0)
        fprintf(stderr, "libuv: %s\n", cdt_strerror(result));
}

static void on_timeout(uv_timer_t *timer)
{
    step(timer->data);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    step(poll->data);
}

/* libuv computes its own timeout after this callback: the timer set here is part of it. */
static void on_prepare(uv_prepare_t *prepare)
{
    struct embedded *embedded = prepare->data;
    uint64_t timeout;

    if (cdt_reactor_prepare(embedded->reactor, &timeout))
        return;
    uv_update_time(prepare->loop);
    if (timeout == CDT_NEVER)
        uv_timer_stop(&embedded->timer);
    else
        uv_timer_start(&embedded->timer, on_timeout, timeout / CDT_MS + (timeout % CDT_MS != 0), 0);
}

static int embed(struct embedded *embedded, uv_loop_t *loop)
{
    int error = cdt_reactor_new(NULL, &embedded->reactor);

    if (error)
        return error;
    uv_prepare_init(loop, &embedded->prepare);
    uv_timer_init(loop, &embedded->timer);
    error = uv_poll_init(loop, &embedded->poll, cdt_reactor_fd(embedded->reactor));
    if (error)
        return error;
    embedded->prepare.data = embedded->poll.data = embedded->timer.data = embedded;
    uv_prepare_start(&embedded->prepare, on_prepare);
    return uv_poll_start(&embedded->poll, UV_READABLE, on_readable);
}

static void unembed(struct embedded *embedded)
{
    uv_close((uv_handle_t *)&embedded->prepare, NULL);
    uv_close((uv_handle_t *)&embedded->poll, NULL);
    uv_close((uv_handle_t *)&embedded->timer, NULL);
}

struct ticker {
    struct cdt_timer timer;
    struct embedded *embedded;
    int ticks;
};

static void on_tick(struct cdt_timer *timer)
{
    struct ticker *ticker = cdt_container_of(timer, struct ticker, timer);

    printf("conduit: tick %d\n", ++ticker->ticks);
    if (ticker->ticks == 5)
        unembed(ticker->embedded);
    else
        cdt_timer_set(ticker->embedded->reactor, timer, 20 * CDT_MS);
}

static void on_uv_tick(uv_timer_t *timer)
{
    int *ticks = timer->data;

    printf("libuv: tick %d\n", ++*ticks);
    if (*ticks == 5)
        uv_close((uv_handle_t *)timer, NULL);
}

int main(void)
{
    uv_loop_t *loop = uv_default_loop();
    struct embedded embedded = {0};
    struct ticker ticker = {.timer.fn = on_tick, .embedded = &embedded};
    uv_timer_t uv_timer;
    int uv_ticks = 0, error = embed(&embedded, loop);

    if (error) {
        fprintf(stderr, "libuv: cannot embed the reactor\n");
        return 1;
    }
    cdt_timer_set(embedded.reactor, &ticker.timer, 20 * CDT_MS);
    uv_timer_init(loop, &uv_timer);
    uv_timer.data = &uv_ticks;
    uv_timer_start(&uv_timer, on_uv_tick, 30, 30);
    uv_run(loop, UV_RUN_DEFAULT);
    uv_loop_close(loop);
    cdt_reactor_free(embedded.reactor);
    return 0;
}
