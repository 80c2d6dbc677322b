/* What scenarios with a listening server and one client after the other share: the server echoes, each of
 * ROUNDS clients says TOTAL bytes and wants them back. The including file has these numbers before, and
 * dial(). */
#ifndef TEST_FAULT_TALK_H
#define TEST_FAULT_TALK_H

#include <conduit/conduit.h>

#include "test/fault/fault.h"

static struct {
    struct cdt_reactor *reactor;
    struct cdt_server *listener; /* NULL: none, or it has stopped */
    struct cdt_addr address;
    int listened, listen_status, stopped;
    int rounds, good;
    int errors; /* that somebody was told of */
    size_t heard;
} talk;

/* Of the including file: connects the next client. A flow that was made is heard of by talk_close(),
 * whatever becomes of it. */
static int dial(void);

static void went_wrong(int status)
{
    talk.errors += status != 0;
}

/* ---- the server ------------------------------------------------------------------------------ */

static void echo_read(struct cdt_flow *flow, const void *data, size_t length)
{
    const int result = cdt_flow_write(flow, data, length);
    if (result < 0)
        cdt_flow_abort(flow, result, NULL);
}

static const struct cdt_handler echo = {.size = sizeof echo, .on_read = echo_read};

static void on_listen(struct cdt_server *server, int status, const char *text)
{
    (void)text;
    talk.listened++;
    talk.listen_status = status;
    if (status == 0)
        cdt_server_address(server, &talk.address);
}

static void on_error(struct cdt_server *server, int status, const char *text,
                     const struct cdt_addr *peer)
{
    (void)server, (void)text, (void)peer;
    went_wrong(status);
}

static void on_stopped(struct cdt_server *server)
{
    (void)server;
    talk.listener = NULL;
    talk.stopped++;
}

/* ---- the client ------------------------------------------------------------------------------ */

static void talk_open(struct cdt_flow *flow)
{
    static uint8_t data[TOTAL];
    test_pattern(data, TOTAL, 0);
    const int result = cdt_flow_write(flow, data, TOTAL);
    if (result < 0)
        cdt_flow_abort(flow, result, NULL);
}

static void talk_read(struct cdt_flow *flow, const void *data, size_t length)
{
    if (length > TOTAL - talk.heard || !test_is_pattern(data, length, talk.heard))
        problem("what came back is not what was sent");
    talk.heard += length;
    if (talk.heard == TOTAL)
        cdt_flow_close(flow);
}

static void talk_close(struct cdt_flow *flow, int status)
{
    (void)flow;
    went_wrong(status);
    if (status == 0 && talk.heard != TOTAL)
        problem("%zu of %d bytes came, and no error", talk.heard, TOTAL);
    talk.rounds++;
    talk.good += status == 0;
    if ((talk.rounds == ROUNDS || dial() != 0) && talk.listener)
        cdt_server_stop(talk.listener, CDT_SECOND);
}

#endif
