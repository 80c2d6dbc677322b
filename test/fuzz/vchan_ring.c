/* Fuzzes a flow over a ring that somebody else writes: an arbitrary page to begin with, then steps,
 * each of which is the flow's turn, or the peer's: bytes put anywhere into the page, indices moved,
 * reads and writes in order, a bell. The flow stays inside its memory, which lies between pages
 * that cannot be touched, ends with one of the errors that are meant for this, and ends. */
#include "test/support/vchan_pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* ---- the input ------------------------------------------------------------------------------- */

struct input {
    const uint8_t *at, *end;
};

static uint8_t take(struct input *input)
{
    return input->at < input->end ? *input->at++ : 0;
}

static uint32_t take_number(struct input *input)
{
    uint32_t number = 0;
    for (int i = 0; i < 4; i++)
        number = number << 8 | take(input);
    return number;
}

/* ---- the flow -------------------------------------------------------------------------------- */

static struct {
    struct cdt_flow *flow;
    size_t read;
    int eofs, status;
    bool closed;
} victim;

static void on_read(struct cdt_flow *flow, const void *data, size_t length)
{
    volatile uint8_t sum = 0;
    check(length > 0 && !victim.closed && !victim.eofs);
    for (size_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + ((const uint8_t *)data)[i]);
    victim.read += length;
    if (sum % 4 == 0 && cdt_flow_write(flow, data, length) == 1)
        cdt_flow_pause(flow);
}

static void on_eof(struct cdt_flow *flow)
{
    (void)flow;
    check(++victim.eofs == 1);
}

static void on_close(struct cdt_flow *flow, int status)
{
    (void)flow;
    check(!victim.closed);
    victim.closed = true;
    victim.status = status;
}

static const struct cdt_handler handler = {
    .size = sizeof handler, .on_read = on_read, .on_eof = on_eof, .on_close = on_close};

/* ---- the peer -------------------------------------------------------------------------------- */

enum { TURN, POKE, INDEX, NOTIFY, PEER_READS, PEER_WRITES, BELL, OURS, STEPS };

static struct vchan_layout layout;
static struct vchan_ring peer;
static bool server; /* the flow is */

static void poke(struct input *input)
{
    uint8_t *page = (uint8_t *)layout.page;
    unsigned at = take(input);
    if (take(input) % 4 == 0)
        at = at << 4 | take(input) % 16;
    page[at % VCHAN_PAGE] = take(input);
}

static void move_index(struct input *input)
{
    struct vchan_page *page = layout.page;
    _Atomic uint32_t *const all[] = {&page->left.cons, &page->left.prod, &page->right.cons,
                                     &page->right.prod};
    _Atomic uint32_t *index = all[take(input) % 4];
    *index = take(input) % 2 ? take_number(input) : *index + take(input) * 16u;
}

static void ours(struct input *input)
{
    static uint8_t bytes[5000];
    if (victim.closed)
        return;
    switch (take(input) % 6) {
    case 0:
        cdt_flow_resume(victim.flow);
        break;
    case 1:
        cdt_flow_shutdown(victim.flow, CDT_SHUT_WRITE);
        break;
    case 2:
        cdt_flow_close(victim.flow);
        break;
    default:
        cdt_flow_write(victim.flow, bytes, take(input) * 16u);
    }
}

static void step(struct input *input, struct cdt_reactor *reactor, int bell)
{
    uint8_t bytes[300];
    switch (take(input) % STEPS) {
    case POKE:
        poke(input);
        break;
    case INDEX:
        move_index(input);
        break;
    case NOTIFY:
        layout.page->cli_notify = layout.page->srv_notify = take(input);
        break;
    case PEER_READS:
        (void)vchan_ring_read(&peer, bytes, sizeof bytes, take(input) % 2);
        break;
    case PEER_WRITES:
        memset(bytes, take(input), sizeof bytes);
        (void)vchan_ring_write(&peer, bytes, 1 + take(input), take(input) % 2);
        break;
    case BELL:
        (void)!send(bell, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        break;
    case OURS:
        ours(input);
        break;
    default:
        cdt_reactor_step(reactor, 0);
    }
}

/* ---- one input ------------------------------------------------------------------------------- */

static bool is_expected(int status)
{
    return status == 0 || status == -EPROTO || status == -EPIPE || status == -ECONNRESET ||
           status == -ECANCELED;
}

/* A page that the flow's side takes, or refuses. */
static struct vchan *attach(struct input *input, int fd)
{
    static const unsigned orders[][2] = {{10, 11}, {11, 10}, {10, 12}, {12, 13}};
    const uint8_t kind = take(input);
    layout.left_order = orders[kind % 4][0];
    layout.right_order = orders[kind % 4][1];
    server = kind & 4;
    vchan_page_init(layout.page, layout.left_order, layout.right_order);
    layout.page->cli_live = VCHAN_CONNECTED;
    check(vchan_ring_init(&peer, &layout, !server) == 0);
    if (kind & 8) {
        for (size_t i = 0; i < sizeof(struct vchan_page); i++)
            ((uint8_t *)layout.page)[i] = take(input);
    }
    struct vchan *vchan = pair_end(&layout, server, fd);
    if (vchan && (kind & 16))
        vchan->spin = 1000;
    return vchan;
}

static void finish(struct cdt_reactor *reactor)
{
    if (!victim.closed)
        cdt_flow_abort(victim.flow, -ECANCELED, NULL);
    for (int i = 0; i < 10 && !victim.closed; i++)
        cdt_reactor_step(reactor, 0);
    check(victim.closed && is_expected(victim.status));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, data + size};
    struct cdt_reactor *reactor;
    int fd[2];
    if (!layout.page) {
        layout.page = (struct vchan_page *)pair_pages(VCHAN_PAGE);
        layout.left = pair_pages(4096);
        layout.right = pair_pages(8192);
    }
    check(cdt_reactor_new(NULL, &reactor) == 0);
    pair_sockets(fd);
    memset(&victim, 0, sizeof victim);
    struct vchan *vchan = attach(&input, fd[0]);
    if (vchan) {
        victim.flow = pair_flow(reactor, vchan, NULL, &handler);
        while (input.at < input.end)
            step(&input, reactor, fd[1]);
        finish(reactor);
    } else {
        close(fd[0]);
    }
    close(fd[1]);
    check(cdt_reactor_free(reactor) == 0);
    return 0;
}
