/* The reactor inside a loop of your own: here a plain poll(2) loop that also reads standard
 * input.
 *
 * Each round: prepare tells how long the loop may sleep, poll sleeps on the reactor's descriptor
 * next to your own, step(0) runs what is due. Ends after five ticks. */
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include <conduit/reactor.h>

struct ticker {
    struct cdt_timer timer;
    struct cdt_reactor *reactor;
    int ticks;
};

static void on_tick(struct cdt_timer *timer)
{
    struct ticker *ticker = cdt_container_of(timer, struct ticker, timer);

    printf("tick %d\n", ++ticker->ticks);
    if (ticker->ticks < 5)
        cdt_timer_set(ticker->reactor, timer, 20 * CDT_MS);
}

/* poll's milliseconds, rounded up so that the loop does not spin before a timer. */
static int to_ms(uint64_t timeout)
{
    if (timeout == CDT_NEVER)
        return -1;
    timeout = timeout / CDT_MS + (timeout % CDT_MS != 0);
    return timeout > INT_MAX ? INT_MAX : (int)timeout;
}

/* False at the end of standard input. */
static bool read_input(void)
{
    char buffer[256];
    ssize_t length = read(STDIN_FILENO, buffer, sizeof buffer);

    if (length > 0)
        printf("read %zd bytes\n", length);
    return length > 0;
}

static int loop(struct ticker *ticker)
{
    struct pollfd fds[] = {
        {.fd = cdt_reactor_fd(ticker->reactor), .events = POLLIN},
        {.fd = STDIN_FILENO, .events = POLLIN},
    };
    uint64_t timeout;
    int error = 0;

    while (ticker->ticks < 5 && !error) {
        error = cdt_reactor_prepare(ticker->reactor, &timeout);
        if (error)
            break;
        if (poll(fds, 2, to_ms(timeout)) > 0 && fds[1].revents && !read_input())
            fds[1].fd = -1; /* poll leaves it out from now on */
        error = cdt_reactor_step(ticker->reactor, 0);
        if (error > 0)
            error = 0;
    }
    return error;
}

int main(void)
{
    struct ticker ticker = {.timer.fn = on_tick};
    int error = cdt_reactor_new(NULL, &ticker.reactor);

    if (!error) {
        cdt_timer_set(ticker.reactor, &ticker.timer, 20 * CDT_MS);
        error = loop(&ticker);
        cdt_reactor_free(ticker.reactor);
    }
    if (error)
        fprintf(stderr, "poll_loop: %s\n", cdt_strerror(error));
    return error ? 1 : 0;
}
