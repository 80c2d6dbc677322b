/* Reactors in several threads at once, each with TLS of its own: a server and a client, whose
 * configurations share a ticket key. All backends begin in all threads together; each client talks to
 * the servers of all threads in turn, and resumes with one what began with another; configurations
 * are read again meanwhile, and secrets logged. To be run with SANITIZE=thread too. */
#include <pthread.h>

#include "test/tls/child.h"
#include "test/tls/tls.h"

enum { THREADS = 3, ROUNDS = 18 };

static pthread_barrier_t barrier;
static unsigned done; /* threads whose client has said all; atomic */

struct worker {
    struct cdt_tls_options options[2]; /* made before the threads are */
    struct worker *all;
    struct cdt_tls_config *config[2];
    struct serve serve;
    struct cdt_reactor *reactor;
    struct probe probe;
    struct cdt_tls_counters counters[2]; /* at the end */
    pthread_t thread;
    int index, failed;
};

static int accept_tls(struct serve *serve, struct cdt_flow *flow)
{
    const struct worker *worker = serve->arg;
    return cdt_tls_start(flow, worker->config[SERVER], NULL);
}

/* One connection to a server of some thread: a line there and back. */
static int talk(struct worker *worker, const struct cdt_addr *server)
{
    static const char line[] = "to another thread";
    struct probe *probe = &worker->probe;
    struct cdt_flow *flow;
    check(cdt_tcp_connect(worker->reactor, server, NULL, &probe_handler, &flow) == 0);
    probe_attach(flow, probe);
    check(cdt_tls_start(flow, worker->config[CLIENT], NAME) == 0);
    check(cdt_flow_write(flow, line, sizeof line) == 0);
    until(worker->reactor, probe->length == sizeof line || probe->closed);
    check(!*probe->error && probe_has(probe, line, sizeof line));
    cdt_flow_close(flow);
    until(worker->reactor, probe->closed);
    check(probe->status == 0);
    probe_free(probe);
    return 0;
}

static int say_all(struct worker *worker)
{
    for (int i = 0; i < ROUNDS; i++) {
        check(talk(worker, &worker->all[(worker->index + i) % THREADS].serve.address) == 0);
        if (i % 5 == 4)
            check(cdt_tls_config_reload(worker->config[SERVER], NULL) == 0);
    }
    return 0;
}

static int live(struct worker *worker)
{
    worker->reactor = test_reactor();
    worker->serve = (struct serve){.on_accept = accept_tls, .arg = worker};
    const struct cdt_server_options options = serve_options(&worker->serve);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < 2; i++)
        worker->config[i] = tls_config(worker->reactor, &worker->options[i]);
    serve_tcp(worker->reactor, &worker->serve, &options);
    pthread_barrier_wait(&barrier);
    const int failed = say_all(worker);
    __atomic_add_fetch(&done, 1, __ATOMIC_RELAXED);
    until(worker->reactor, __atomic_load_n(&done, __ATOMIC_RELAXED) == THREADS);
    serve_stop(worker->reactor, &worker->serve);
    for (int i = 0; i < 2; i++)
        worker->counters[i] = tls_counters(worker->config[i]);
    cdt_tls_config_free(worker->config[CLIENT]);
    cdt_tls_config_free(worker->config[SERVER]);
    check(cdt_reactor_free(worker->reactor) == 0);
    return failed;
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    worker->failed = live(worker);
    return NULL;
}

static void check_worker(const struct worker *worker)
{
    assert_int_equal(worker->failed, 0);
    assert_int_equal(worker->counters[CLIENT].handshakes, ROUNDS);
    assert_int_equal(worker->counters[CLIENT].resumed, ROUNDS - 1);
    assert_int_equal(worker->counters[SERVER].failed, 0);
    assert_int_equal(worker->serve.errors, 0);
}

static void test_threads(void **state)
{
    (void)state;
    static const uint8_t ticket_key[32] = "known to all of the threads";
    setenv("SSLKEYLOGFILE", pki("keylog"), 1);
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (struct way way = {0}; way_next(&way);) {
        static struct worker workers[THREADS];
        done = 0;
        for (int i = 0; i < THREADS; i++) {
            workers[i] = (struct worker){.all = workers, .index = i};
            for (int side = 0; side < 2; side++)
                workers[i].options[side] = tls_options(&way, side);
            workers[i].options[SERVER].ticket_key = ticket_key;
        }
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        for (int i = 0; i < THREADS; i++)
            check_worker(&workers[i]);
    }
    pthread_barrier_destroy(&barrier);
    unsetenv("SSLKEYLOGFILE");
}

/* Each line is whole: a label, 32 bytes, some bytes. */
static void test_key_log(void **state)
{
    (void)state;
    FILE *file = fopen(pki("keylog"), "re");
    char line[300], label[100], random[200], secret[200], rest[2];
    int count = 0;
    assert_non_null(file);
    for (; fgets(line, sizeof line, file); count++) {
        assert_int_equal(sscanf(line, "%99s %199[0-9a-f] %199[0-9a-f]%1[\n]%1s", label, random,
                                secret, rest, rest),
                         4);
        assert_int_equal(strlen(random), 64);
        assert_true(strlen(secret) >= 64);
    }
    fclose(file);
    assert_true(count >= THREADS * ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads), /* the key log stays open */
        cmocka_unit_test(test_key_log),
    };
    return tls_main(tests);
}
