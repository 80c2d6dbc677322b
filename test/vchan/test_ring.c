/* The ring: where its bytes lie, how they move, who is told of it, and what a peer cannot do. */
#include "test/support/probe.h"
#include "test/support/vchan_pair.h"

static struct vchan_layout layout;
static struct vchan_ring server, client;

static void make(unsigned left_order, unsigned right_order)
{
    layout = pair_layout(left_order, right_order);
    assert_int_equal(vchan_ring_init(&server, &layout, true), 0);
    assert_int_equal(vchan_ring_init(&client, &layout, false), 0);
}

/* Nobody wants to be told of anything. */
static void make_quiet(unsigned left_order, unsigned right_order)
{
    make(left_order, right_order);
    layout.page->cli_notify = layout.page->srv_notify = 0;
}

static void drop(void)
{
    pair_layout_free(&layout);
}

static bool took_bell(struct vchan_ring *ring)
{
    bool bell = ring->bell;
    ring->bell = false;
    return bell;
}

/* ---- layout ---------------------------------------------------------------------------------- */

static void offsets(void **state)
{
    (void)state;
    assert_int_equal(offsetof(struct vchan_page, left.cons), 0);
    assert_int_equal(offsetof(struct vchan_page, left.prod), 4);
    assert_int_equal(offsetof(struct vchan_page, right.cons), 8);
    assert_int_equal(offsetof(struct vchan_page, right.prod), 12);
    assert_int_equal(offsetof(struct vchan_page, left_order), 16);
    assert_int_equal(offsetof(struct vchan_page, right_order), 18);
    assert_int_equal(offsetof(struct vchan_page, cli_live), 20);
    assert_int_equal(offsetof(struct vchan_page, srv_live), 21);
    assert_int_equal(offsetof(struct vchan_page, cli_notify), 22);
    assert_int_equal(offsetof(struct vchan_page, srv_notify), 23);
    assert_int_equal(offsetof(struct vchan_page, grants), 24);
    assert_int_equal(sizeof(struct vchan_page), 24);
    assert_int_equal(sizeof(_Atomic uint32_t), 4);
    assert_int_equal(sizeof(_Atomic uint8_t), 1);
}

/* Each field as the machine's own bytes, at its place, and nothing else. */
static void fresh_page(void **state)
{
    (void)state;
    uint8_t expected[VCHAN_PAGE] = {0};
    const uint16_t orders[2] = {12, 11};
    layout = (struct vchan_layout){.page = (struct vchan_page *)pair_pages(VCHAN_PAGE)};
    memset((void *)layout.page, 0xa5, VCHAN_PAGE);
    vchan_page_init(layout.page, 12, 11);
    memcpy(expected + 16, orders, sizeof orders);
    memcpy(expected + 20, "\2\1\1\1", 4); /* a client is awaited, the server lives */
    assert_memory_equal(layout.page, expected, sizeof expected);
    drop();
}

static void live_bytes(void **state)
{
    (void)state;
    layout = pair_layout(10, 11);
    assert_int_equal(vchan_ring_init(&server, &layout, true), 0);
    assert_int_equal(layout.page->cli_live, VCHAN_AWAITS);
    assert_int_equal(vchan_ring_peer(&server), VCHAN_AWAITS);
    layout.page->srv_notify = 0; /* as a server that leaves this to its client */
    assert_int_equal(vchan_ring_init(&client, &layout, false), 0);
    assert_int_equal(layout.page->cli_live, VCHAN_CONNECTED);
    assert_int_equal(layout.page->srv_notify, VCHAN_TELL_WRITTEN);
    assert_int_equal(vchan_ring_peer(&server), VCHAN_CONNECTED);
    assert_int_equal(vchan_ring_peer(&client), VCHAN_CONNECTED);
    drop();
}

static void orders(void **state)
{
    (void)state;
    static const struct {
        size_t left_size, right_size;
        unsigned left, right; /* 0: refused */
    } cases[] = {
        {0, 0, 10, 11},
        {1, 1, 10, 11},
        {1024, 1024, 10, 11},
        {1024, 2048, 10, 11},
        {2048, 1024, 11, 10},
        {1025, 1024, 11, 10},
        {1025, 1025, 11, 12},
        {2048, 2048, 11, 12},
        {2049, 2048, 12, 11},
        {2049, 1, 12, 11},
        {1, 2049, 11, 12},
        {4096, 4096, 12, 12},
        {4097, 8192, 13, 13},
        {1, 1 << 20, 11, 20},
        {1 << 20, 1 << 20, 20, 20},
        {(1 << 20) - 1, (1 << 19) + 1, 20, 20},
        {(1 << 20) + 1, 1, 0, 0},
        {1, (1 << 20) + 1, 0, 0},
        {SIZE_MAX, SIZE_MAX, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned left = 0, right = 0;
        int result = vchan_orders(cases[i].left_size, cases[i].right_size, &left, &right);
        assert_int_equal(result, cases[i].left ? 0 : -EINVAL);
        assert_int_equal(left, cases[i].left);
        assert_int_equal(right, cases[i].right);
        assert_int_equal(vchan_orders_valid(left, right), result == 0);
    }
}

static void orders_from_outside(void **state)
{
    (void)state;
    for (unsigned left = 0; left < 40; left++) {
        for (unsigned right = 0; right < 40; right++) {
            bool valid = left >= 10 && left <= 20 && right >= 10 && right <= 20;
            if (left == right && left < 12)
                valid = false;
            if ((left == 10 && right == 20) || (left == 20 && right == 10))
                valid = false; /* 256 grants would end in the ring */
            assert_int_equal(vchan_orders_valid(left, right), valid);
        }
    }
    assert_false(vchan_orders_valid(65535, 65535));
    assert_false(vchan_orders_valid(~0u, 12));
}

/* Both rings full at once; each byte of the page is one ring's, the other's, or the head's. */
static void rings_share_the_page(void **state)
{
    (void)state;
    for (unsigned left = 10; left <= 11; left++) {
        const unsigned right = 21 - left;
        uint8_t data[2048], got[2048], *page;
        make(left, right);
        page = (uint8_t *)layout.page;
        test_pattern(data, sizeof data, 0);
        assert_int_equal(vchan_ring_write(&client, data, sizeof data, false), 1 << left);
        test_pattern(data, sizeof data, 5000);
        assert_int_equal(vchan_ring_write(&server, data, sizeof data, false), 1 << right);
        assert_true(test_is_pattern(page + (1 << left), (size_t)1 << left, 0));
        assert_true(test_is_pattern(page + (1 << right), (size_t)1 << right, 5000));
        for (size_t i = sizeof(struct vchan_page); i < 1024; i++)
            assert_int_equal(page[i], 0);
        assert_int_equal(vchan_ring_read(&server, got, sizeof got, false), 1 << left);
        assert_true(test_is_pattern(got, (size_t)1 << left, 0));
        assert_int_equal(vchan_ring_read(&client, got, sizeof got, false), 1 << right);
        assert_true(test_is_pattern(got, (size_t)1 << right, 5000));
        drop();
    }
}

static void rings_in_pages_of_their_own(void **state)
{
    (void)state;
    static uint8_t data[1 << 20], got[1 << 20];
    make(20, 12);
    test_pattern(data, sizeof data, 3);
    assert_int_equal(vchan_ring_write(&client, data, sizeof data, false), 1 << 20);
    assert_int_equal(vchan_ring_write(&server, data, sizeof data, false), 1 << 12);
    assert_true(test_is_pattern(layout.left, 1 << 20, 3));
    assert_true(test_is_pattern(layout.right, 1 << 12, 3));
    assert_int_equal(vchan_ring_read(&server, got, sizeof got, false), 1 << 20);
    assert_true(test_is_pattern(got, 1 << 20, 3));
    drop();
}

/* ---- moving ---------------------------------------------------------------------------------- */

static void wrap_at_every_offset(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 2, 64, 511, 512, 1023, 1024};
    uint8_t data[1024], got[1024];
    size_t position = 0;
    make(10, 11);
    for (uint32_t offset = 0; offset < 1024; offset++) {
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            const size_t length = lengths[i];
            layout.page->left.cons = layout.page->left.prod = offset;
            client.out.mine = server.in.mine = offset;
            test_pattern(data, length, position);
            assert_int_equal(vchan_ring_write(&client, data, length, false), length);
            assert_int_equal(layout.page->left.prod, offset + length);
            assert_int_equal(vchan_ring_unread(&client), length);
            memset(got, 0, sizeof got);
            assert_int_equal(vchan_ring_read(&server, got, sizeof got, false), length);
            assert_true(test_is_pattern(got, length, position));
            assert_int_equal(layout.page->left.cons, offset + length);
            assert_int_equal(vchan_ring_unread(&client), 0);
            position += length;
        }
    }
    drop();
}

static void indices_wrap(void **state)
{
    (void)state;
    uint8_t data[1500], got[1500];
    size_t position = 0;
    layout = pair_layout(11, 10);
    layout.page->left.cons = layout.page->left.prod = UINT32_MAX - 5000;
    layout.page->right.cons = UINT32_MAX - 100; /* 300 bytes are on their way */
    layout.page->right.prod = 199;
    assert_int_equal(vchan_ring_init(&server, &layout, true), 0);
    assert_int_equal(vchan_ring_init(&client, &layout, false), 0);
    assert_int_equal(vchan_ring_unread(&server), 300);
    assert_int_equal(vchan_ring_read(&client, got, sizeof got, false), 300);
    assert_int_equal(layout.page->right.cons, 199);
    for (int i = 0; i < 20; i++) {
        test_pattern(data, sizeof data, position);
        assert_int_equal(vchan_ring_write(&client, data, sizeof data, false), sizeof data);
        assert_int_equal(vchan_ring_read(&server, got, sizeof got, false), sizeof got);
        assert_true(test_is_pattern(got, sizeof got, position));
        position += sizeof data;
    }
    assert_int_equal(layout.page->left.prod, (uint32_t)(UINT32_MAX - 5000 + 20 * 1500));
    drop();
}

static void short_counts(void **state)
{
    (void)state;
    uint8_t data[3000] = {0}, got[3000];
    make(10, 11);
    assert_int_equal(vchan_ring_read(&server, got, sizeof got, false), 0);
    assert_int_equal(vchan_ring_write(&client, data, 0, false), 0);
    assert_int_equal(vchan_ring_read(&server, got, 0, false), 0);
    assert_int_equal(vchan_ring_write(&client, data, 1000, false), 1000);
    assert_int_equal(vchan_ring_write(&client, data, 1000, false), 24);
    assert_int_equal(vchan_ring_write(&client, data, 1000, false), 0);
    assert_int_equal(vchan_ring_unread(&client), 1024);
    assert_int_equal(vchan_ring_read(&server, got, 10, false), 10);
    assert_int_equal(vchan_ring_write(&client, data, 3000, false), 10);
    assert_int_equal(vchan_ring_read(&server, got, 3000, false), 1024);
    assert_int_equal(vchan_ring_read(&server, got, 3000, false), 0);
    assert_int_equal(server.sleeps + client.sleeps, 0);
    drop();
}

/* ---- who is told ----------------------------------------------------------------------------- */

/* A read of up to 100 bytes: there are so many, it may sleep or not; whether the wish is set. */
static void wishes_of_a_reader(void **state)
{
    (void)state;
    static const struct {
        size_t there;
        bool sleep, wish;
    } cases[] = {
        {0, false, false}, {0, true, true},    {1, false, false},  {1, true, true},
        {99, true, true},  {100, true, false}, {101, true, false}, {101, false, false},
    };
    uint8_t data[200] = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const size_t there = cases[i].there;
        make_quiet(10, 11);
        if (there)
            assert_int_equal(vchan_ring_write(&client, data, there, false), there);
        assert_int_equal(vchan_ring_read(&server, data, 100, cases[i].sleep),
                         there < 100 ? there : 100);
        assert_int_equal(layout.page->cli_notify, cases[i].wish ? VCHAN_TELL_WRITTEN : 0);
        assert_int_equal(layout.page->srv_notify, 0);
        assert_int_equal(server.sleeps, cases[i].wish);
        assert_false(took_bell(&server));
        assert_false(took_bell(&client));
        drop();
    }
}

/* A write of 100 bytes: so much room there is. */
static void wishes_of_a_writer(void **state)
{
    (void)state;
    static const struct {
        size_t room;
        bool sleep, wish;
    } cases[] = {
        {0, false, false}, {0, true, true},    {1, false, false},  {1, true, true},
        {99, true, true},  {100, true, false}, {101, true, false}, {101, false, false},
    };
    uint8_t data[1024] = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const size_t room = cases[i].room;
        make_quiet(10, 11);
        vchan_ring_write(&client, data, 1024 - room, false);
        assert_int_equal(vchan_ring_write(&client, data, 100, cases[i].sleep),
                         room < 100 ? room : 100);
        assert_int_equal(layout.page->srv_notify, cases[i].wish ? VCHAN_TELL_CONSUMED : 0);
        assert_int_equal(layout.page->cli_notify, 0);
        assert_int_equal(client.sleeps, cases[i].wish);
        assert_false(took_bell(&client));
        drop();
    }
}

/* Writing takes away the peer's wish to be told of it, and rings; the other bit stays. */
static void bells_of_a_writer(void **state)
{
    (void)state;
    for (unsigned wishes = 0; wishes < 4; wishes++) {
        make_quiet(10, 11);
        layout.page->cli_notify = (uint8_t)(0xf0 | wishes);
        layout.page->srv_notify = 3;
        assert_int_equal(vchan_ring_write(&client, "x", 1, false), 1);
        assert_int_equal(took_bell(&client), (wishes & VCHAN_TELL_WRITTEN) != 0);
        assert_int_equal(layout.page->cli_notify, 0xf0 | (wishes & VCHAN_TELL_CONSUMED));
        assert_int_equal(layout.page->srv_notify, 3);
        assert_int_equal(vchan_ring_write(&client, "x", 1, false), 1);
        assert_false(took_bell(&client)); /* once for each wish */
        drop();
    }
}

/* The same of reading, as soon as half of the ring is free. */
static void bells_of_a_reader(void **state)
{
    (void)state;
    uint8_t data[1024] = {0};
    for (unsigned wishes = 0; wishes < 4; wishes++) {
        const bool wished = wishes & VCHAN_TELL_CONSUMED;
        make_quiet(10, 11);
        assert_int_equal(vchan_ring_write(&client, data, 1024, false), 1024);
        layout.page->cli_notify = 3;
        layout.page->srv_notify = (uint8_t)(0xf0 | wishes);
        assert_int_equal(vchan_ring_read(&server, data, 511, false), 511);
        assert_false(took_bell(&server));
        assert_int_equal(layout.page->srv_notify, 0xf0 | wishes);
        assert_int_equal(vchan_ring_read(&server, data, 1, false), 1);
        assert_int_equal(took_bell(&server), wished);
        assert_int_equal(layout.page->srv_notify, 0xf0 | (wishes & VCHAN_TELL_WRITTEN));
        assert_int_equal(layout.page->cli_notify, 3);
        assert_int_equal(vchan_ring_read(&server, data, 1024, false), 512);
        assert_false(took_bell(&server));
        drop();
    }
}

/* A peer that wants to be told although the ring is not full (libxenvchan can) is told at last when
 * the ring has run dry. */
static void dry_ring_rings(void **state)
{
    (void)state;
    uint8_t data[1024] = {0};
    make_quiet(10, 11);
    assert_int_equal(vchan_ring_write(&client, data, 700, false), 700);
    assert_int_equal(vchan_ring_read(&server, data, 100, false), 100);
    assert_int_equal(vchan_ring_read(&server, data, 500, false), 500);
    assert_false(took_bell(&server));
    layout.page->srv_notify = VCHAN_TELL_CONSUMED;
    assert_int_equal(vchan_ring_read(&server, data, 100, false), 100);
    assert_true(took_bell(&server));
    drop();
}

static void close_rings_and_keeps_the_bytes(void **state)
{
    (void)state;
    char got[8];
    make_quiet(10, 11);
    assert_int_equal(vchan_ring_write(&client, "last", 4, false), 4);
    assert_false(took_bell(&client));
    vchan_ring_close(&client);
    assert_true(took_bell(&client)); /* nobody had wished */
    assert_int_equal(layout.page->cli_live, VCHAN_CLOSED);
    assert_int_equal(layout.page->srv_live, VCHAN_CONNECTED);
    assert_int_equal(vchan_ring_peer(&server), VCHAN_CLOSED);
    assert_int_equal(vchan_ring_read(&server, got, sizeof got, true), 4);
    assert_memory_equal(got, "last", 4);
    drop();
}

/* ---- what a peer cannot do ------------------------------------------------------------------- */

static void impossible_indices(void **state)
{
    (void)state;
    static const uint32_t lies[] = {1025, 1026, 2048, 4096, 0x7fffffff, 0x80000000, -1025u};
    uint8_t data[64];
    for (size_t i = 0; i < 2 * sizeof lies / sizeof *lies; i++) {
        const uint32_t lie = lies[i / 2];
        const bool sleep = i % 2;
        make(10, 11);
        layout.page->left.prod = lie; /* more than fits was written */
        assert_int_equal(vchan_ring_read(&server, data, sizeof data, sleep), -EPROTO);
        assert_int_equal(vchan_ring_read(&server, data, sizeof data, sleep), -EPROTO);
        assert_int_equal(layout.page->left.cons, 0);
        layout.page->left.prod = 0;
        layout.page->left.cons = lie; /* more than was written was consumed, or less than nothing */
        assert_int_equal(vchan_ring_write(&client, data, sizeof data, sleep), -EPROTO);
        assert_int_equal(vchan_ring_unread(&client), 0);
        assert_int_equal(layout.page->left.prod, 0);
        drop();
    }
}

/* Our own indices are not read back. */
static void own_indices_are_kept(void **state)
{
    (void)state;
    uint8_t data[64] = "abc", got[64];
    make(10, 11);
    assert_int_equal(vchan_ring_write(&client, data, 3, false), 3);
    layout.page->left.cons = 77; /* ours as the server */
    assert_int_equal(vchan_ring_read(&server, got, sizeof got, false), 3);
    assert_memory_equal(got, "abc", 3);
    assert_int_equal(layout.page->left.cons, 3);
    layout.page->left.prod = 99; /* ours as the client */
    assert_int_equal(vchan_ring_write(&client, data, 2, false), 2);
    assert_int_equal(layout.page->left.prod, 5);
    layout.page->left_order = layout.page->right_order = 20; /* nobody looks */
    assert_int_equal(vchan_ring_write(&server, data, 64, false), 64);
    assert_int_equal(vchan_ring_read(&client, got, sizeof got, false), 64);
    drop();
}

static void unusable_pages(void **state)
{
    (void)state;
    struct vchan_ring ring;
    make(10, 12);
    struct vchan_page *page = layout.page;
    for (int i = 0; i < 2; i++) {
        const bool as_server = i;
        assert_int_equal(vchan_ring_init(&ring, &layout, as_server), 0);
        page->left.prod = 1025;
        assert_int_equal(vchan_ring_init(&ring, &layout, as_server), -EPROTO);
        page->left.prod = 0;
        page->right.cons = 1;
        assert_int_equal(vchan_ring_init(&ring, &layout, as_server), -EPROTO);
        page->right.cons = 0;
        struct vchan_layout wrong = layout;
        wrong.right = NULL;
        assert_int_equal(vchan_ring_init(&ring, &wrong, as_server), -EPROTO);
        wrong = layout;
        wrong.left_order = 9;
        assert_int_equal(vchan_ring_init(&ring, &wrong, as_server), -EPROTO);
        wrong.left_order = 21;
        assert_int_equal(vchan_ring_init(&ring, &wrong, as_server), -EPROTO);
    }
    page->srv_live = 2; /* a server does not await itself */
    assert_int_equal(vchan_ring_init(&ring, &layout, false), -EPROTO);
    page->cli_live = 3;
    assert_int_equal(vchan_ring_init(&ring, &layout, true), -EPROTO);
    drop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets),
        cmocka_unit_test(fresh_page),
        cmocka_unit_test(live_bytes),
        cmocka_unit_test(orders),
        cmocka_unit_test(orders_from_outside),
        cmocka_unit_test(rings_share_the_page),
        cmocka_unit_test(rings_in_pages_of_their_own),
        cmocka_unit_test(wrap_at_every_offset),
        cmocka_unit_test(indices_wrap),
        cmocka_unit_test(short_counts),
        cmocka_unit_test(wishes_of_a_reader),
        cmocka_unit_test(wishes_of_a_writer),
        cmocka_unit_test(bells_of_a_writer),
        cmocka_unit_test(bells_of_a_reader),
        cmocka_unit_test(dry_ring_rings),
        cmocka_unit_test(close_rings_and_keeps_the_bytes),
        cmocka_unit_test(impossible_indices),
        cmocka_unit_test(own_indices_are_kept),
        cmocka_unit_test(unusable_pages),
    };
    return cmocka_run_group_tests_name("vchan: the ring", tests, NULL, NULL);
}
