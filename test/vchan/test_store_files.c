/* The store of files: values, names, removing, watches; and what others may have put into its
 * directory. */
#include "test/vchan/meeting.h"

#include <sys/inotify.h>
#include <sys/resource.h>

static struct vchan_store *open_store(struct cdt_reactor *reactor)
{
    const struct vchan_settings settings = settings_here();
    struct vchan_store *store;
    assert_int_equal(vchan_store_get(reactor, &settings, &store), 0);
    return store;
}

static void close_store(struct cdt_reactor *reactor, struct vchan_store *store)
{
    vchan_store_put(store);
    settle(reactor);
    test_end(reactor, NULL, 0);
}

static void put(struct vchan_store *store, const char *path, const char *value)
{
    assert_int_equal(store->ops->write(store, path, value), 0);
}

static void holds(struct vchan_store *store, const char *path, const char *value)
{
    char found[128];
    assert_int_equal(store->ops->read(store, path, found, sizeof found), strlen(value));
    assert_string_equal(found, value);
}

static void run(const char *format, ...)
{
    char command[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    if (system(command) != 0)
        fail_msg("failed: %s", command);
}

/* ---- values and names ------------------------------------------------------------------------ */

static void test_values(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct vchan_store *store = open_store(reactor);
    char value[8], long_value[5000];

    (void)state;
    assert_int_equal(store->ops->read(store, "/conduit/a", value, sizeof value), -ENOENT);
    put(store, "/conduit/a", "0");
    holds(store, "/conduit/a", "0");
    put(store, "/conduit/a", "seven77");
    holds(store, "/conduit/a", "seven77");
    holds(store, "/conduit", ""); /* made on the way, without a value */
    put(store, "/conduit/a", "eight888");
    assert_int_equal(store->ops->read(store, "/conduit/a", value, sizeof value), -E2BIG);
    assert_int_equal(store->ops->read(store, "/conduit/a", value, 0), -E2BIG);
    put(store, "/conduit/a/b/c", "");
    holds(store, "/conduit/a/b/c", "");
    memset(long_value, 'x', sizeof long_value - 1);
    long_value[sizeof long_value - 1] = 0;
    assert_int_equal(store->ops->write(store, "/conduit/a", long_value), -E2BIG);
    holds(store, "/conduit/a", "eight888");
    assert_int_equal(store->ops->domid(store), 0);
    assert_int_equal(count_files(folder), 6); /* 4 folders, 2 values: nothing else is left */
    close_store(reactor, store);
}

static void test_paths(void **state)
{
    static const char *const wrong[] = {
        "conduit", "/",      "//",        "/a/",     "/a//b",      "/..",           "/a/../b",
        "/.",      "/a/./b", "/a/.value", "/.value", "/.socket/a", "/../etc/passwd"};
    struct cdt_reactor *reactor = test_reactor();
    struct vchan_store *store = open_store(reactor);
    char value[8], long_path[VCHAN_PATH_MAX + 10], long_name[300] = "/";

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(store->ops->read(store, wrong[i], value, sizeof value), -EINVAL);
        assert_int_equal(store->ops->write(store, wrong[i], "x"), -EINVAL);
        assert_int_equal(store->ops->list(store, wrong[i], NULL, NULL), -EINVAL);
        assert_int_equal(store->ops->remove(store, wrong[i]), -EINVAL);
    }
    for (size_t i = 0; i + 1 < sizeof long_path; i++)
        long_path[i] = i & 1 ? 'a' : '/';
    long_path[sizeof long_path - 1] = 0;
    assert_int_equal(store->ops->write(store, long_path, "x"), -EINVAL);
    assert_int_equal(store->ops->remove(store, long_path), -EINVAL);
    memset(long_name + 1, 'n', sizeof long_name - 2);
    assert_int_equal(store->ops->write(store, long_name, "x"), -EINVAL);
    assert_int_equal(count_files(folder), 0);
    close_store(reactor, store);
}

struct names {
    int count, stop_at;
    char text[256];
};

static int take_name(void *arg, const char *name)
{
    struct names *names = arg;
    const size_t length = strlen(names->text);
    snprintf(names->text + length, sizeof names->text - length, "%s", name);
    return ++names->count == names->stop_at ? 42 : 0;
}

static void test_list(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct vchan_store *store = open_store(reactor);
    struct names names = {0};

    (void)state;
    assert_int_equal(store->ops->list(store, "/conduit/a", take_name, &names), -ENOENT);
    put(store, "/conduit/a", "own value");
    assert_int_equal(store->ops->list(store, "/conduit/a", take_name, &names), 0);
    assert_int_equal(names.count, 0);
    put(store, "/conduit/a/x", "1");
    put(store, "/conduit/a/x/below", "1");
    put(store, "/conduit/a/y", "2");
    run("touch %s/conduit/a/file; mkdir %s/conduit/a/.hidden; ln -s x %s/conduit/a/link", folder,
        folder, folder);
    assert_int_equal(store->ops->list(store, "/conduit/a", take_name, &names), 0);
    assert_int_equal(names.count, 2);
    assert_true(strcmp(names.text, "xy") == 0 || strcmp(names.text, "yx") == 0);
    names = (struct names){.stop_at = 1};
    assert_int_equal(store->ops->list(store, "/conduit/a", take_name, &names), 42);
    close_store(reactor, store);
}

static void test_remove(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct vchan_store *store = open_store(reactor);
    char value[16];

    (void)state;
    assert_int_equal(store->ops->remove(store, "/conduit/none"), 0);
    assert_int_equal(store->ops->remove(store, "/conduit"), 0);
    put(store, "/conduit/a", "1");
    put(store, "/conduit/a/b/c/d", "2");
    put(store, "/conduit/other", "3");
    run("touch %s/conduit/a/b/file; mkdir %s/outside; touch %s/outside/kept; "
        "ln -s %s/outside %s/conduit/a/b/link",
        folder, folder, folder, folder, folder);
    assert_int_equal(store->ops->remove(store, "/conduit/a"), 0);
    assert_int_equal(store->ops->read(store, "/conduit/a", value, sizeof value), -ENOENT);
    holds(store, "/conduit/other", "3");
    run("test -e %s/outside/kept", folder);
    assert_int_equal(store->ops->remove(store, "/conduit"), 0);
    assert_int_equal(store->ops->remove(store, "/outside"), 0);
    assert_int_equal(count_files(folder), 0);
    close_store(reactor, store);
}

/* A tree that is deeper than any of ours is not followed for ever. */
static void test_remove_deep(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct vchan_store *store = open_store(reactor);

    (void)state;
    put(store, "/conduit/a", "1");
    run("cd %s/conduit/a; for i in $(seq 100); do mkdir d; cd d; done", folder);
    assert_int_equal(store->ops->remove(store, "/conduit/a"), -ELOOP);
    close_store(reactor, store);
}

/* ---- what others have put there -------------------------------------------------------------- */

static void test_hostile_files(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct vchan_store *store = open_store(reactor);
    char value[16];

    (void)state;
    put(store, "/a", "1");
    put(store, "/b", "2");
    run("cd %s; mkdir fifo link zero big loop; mkfifo fifo/.value; ln -s ../a/.value link/.value; "
        "printf 'a\\0b' >zero/.value; head -c 1000000 /dev/zero >big/.value; ln -s a alias; "
        "mkdir folder; mkdir folder/.value",
        folder);
    assert_int_equal(store->ops->read(store, "/fifo", value, sizeof value), -EPROTO);
    assert_int_equal(store->ops->read(store, "/link", value, sizeof value), -ELOOP);
    assert_int_equal(store->ops->read(store, "/zero", value, sizeof value), -EPROTO);
    assert_int_equal(store->ops->read(store, "/big", value, sizeof value), -E2BIG);
    assert_int_equal(store->ops->read(store, "/folder", value, sizeof value), -EPROTO);
    assert_int_equal(store->ops->read(store, "/alias", value, sizeof value), -ENOTDIR);
    assert_int_equal(store->ops->write(store, "/alias/c", "x"), -ENOTDIR);
    holds(store, "/a", "1");
    put(store, "/link", "new"); /* the link itself is replaced */
    holds(store, "/a", "1");
    holds(store, "/link", "new");
    assert_int_equal(store->ops->write(store, "/folder", "x"), -EISDIR);
    close_store(reactor, store);
}

static void test_directory(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct vchan_settings settings = settings_here();
    struct vchan_store *store;
    struct stat made;

    (void)state;
    snprintf(settings.directory, sizeof settings.directory, "%s/new", folder);
    const mode_t mask = umask(0);
    assert_int_equal(vchan_store_get(reactor, &settings, &store), 0);
    umask(mask);
    assert_int_equal(stat(settings.directory, &made), 0);
    assert_int_equal(made.st_mode & 07777, 0700);
    vchan_store_put(store);

    snprintf(settings.directory, sizeof settings.directory, "%s/wide", folder);
    assert_int_equal(mkdir(settings.directory, 0700), 0);
    assert_int_equal(chmod(settings.directory, 0720), 0);
    assert_int_equal(vchan_store_get(reactor, &settings, &store), -EPERM);
    settings.mode = 0770;
    assert_int_equal(vchan_store_get(reactor, &settings, &store), 0);
    put(store, "/a", "1");
    char path[128];
    snprintf(path, sizeof path, "%s/wide/a", folder);
    assert_int_equal(stat(path, &made), 0);
    assert_int_equal(made.st_mode & 07777, 0770);
    snprintf(path, sizeof path, "%s/wide/a/.value", folder);
    assert_int_equal(stat(path, &made), 0);
    assert_int_equal(made.st_mode & 07777, 0660);
    vchan_store_put(store);

    snprintf(settings.directory, sizeof settings.directory, "%s/link", folder);
    assert_int_equal(symlink("new", settings.directory), 0);
    assert_true(vchan_store_get(reactor, &settings, &store) < 0);
    snprintf(settings.directory, sizeof settings.directory, "%s/none/none", folder);
    assert_int_equal(vchan_store_get(reactor, &settings, &store), -ENOENT);
    settle(reactor);
    test_end(reactor, NULL, 0);
}

/* ---- watches --------------------------------------------------------------------------------- */

struct ear {
    struct vchan_watch watch;
    int told;
    struct ear *end; /* a watch that this one ends when it is told */
    struct vchan_store *put;
};

static void on_told(struct vchan_watch *watch)
{
    struct ear *ear = cdt_container_of(watch, struct ear, watch);
    ear->told++;
    if (ear->end)
        vchan_watch_end(&ear->end->watch);
    ear->end = NULL;
    if (ear->put)
        vchan_store_put(ear->put);
    ear->put = NULL;
}

static void listen_to(struct cdt_reactor *reactor, struct vchan_store *store, struct ear *ear,
                      const char *path)
{
    const int before = ear->told;
    assert_int_equal(vchan_watch_begin(store, &ear->watch, path, on_told), 0);
    assert_int_equal(ear->told, before); /* not from inside */
    until(reactor, ear->told == before + 1);
    settle(reactor);
    ear->told = 0;
}

/* What `action` does is told of, or not. */
#define told(action)              \
    do {                          \
        ear.told = 0;             \
        action;                   \
        until(reactor, ear.told); \
        settle(reactor);          \
    } while (0)
#define not_told(action)               \
    do {                               \
        ear.told = 0;                  \
        action;                        \
        settle(reactor);               \
        assert_int_equal(ear.told, 0); \
    } while (0)

static void test_watch(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct vchan_store *store = open_store(reactor);
    struct ear ear = {0};

    (void)state;
    listen_to(reactor, store, &ear, "/conduit/a");
    not_told(put(store, "/elsewhere", "1"));
    told(put(store, "/conduit/a", "1"));
    told(put(store, "/conduit/a", "2"));
    not_told(put(store, "/conduit/aa", "2"));
    not_told(put(store, "/conduit/b/a", "2"));
    told(put(store, "/conduit/a/them/port", "3"));
    told(put(store, "/conduit/a/them/port", "4"));
    told(put(store, "/conduit/a/others/port", "5"));
    told(store->ops->remove(store, "/conduit/a/them"));
    told(put(store, "/conduit/a/them/port", "6"));
    told(store->ops->remove(store, "/conduit/a"));
    told(put(store, "/conduit/a", "7"));
    told(store->ops->remove(store, "/conduit"));
    told(put(store, "/conduit/a/x", "8"));
    told(put(store, "/conduit/a/x", "9"));
    vchan_watch_end(&ear.watch);
    not_told(put(store, "/conduit/a", "10"));
    vchan_watch_end(&ear.watch); /* does nothing */
    close_store(reactor, store);
}

/* The directory itself goes, and comes again. */
static void test_watch_directory(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct vchan_settings settings = settings_here();
    struct vchan_store *store;
    struct ear ear = {0};

    (void)state;
    snprintf(settings.directory, sizeof settings.directory, "%s/top", folder);
    assert_int_equal(vchan_store_get(reactor, &settings, &store), 0);
    put(store, "/a/b", "1");
    listen_to(reactor, store, &ear, "/a/b");
    told(run("rm -r %s/top", folder));
    told(put(store, "/a/b", "2"));
    told(put(store, "/a/b", "3"));
    told(run("mv %s/top %s/away", folder, folder));
    told(put(store, "/a/b", "4"));
    vchan_watch_end(&ear.watch);
    close_store(reactor, store);
}

static void test_many_watches(void **state)
{
    enum { MANY = 200 };
    static struct ear ears[MANY];
    struct cdt_reactor *reactor = test_reactor();
    struct vchan_store *store = open_store(reactor);
    char path[64];

    (void)state;
    memset(ears, 0, sizeof ears);
    for (int i = 0; i < MANY; i++) {
        snprintf(path, sizeof path, "/conduit/%d", i / 2);
        listen_to(reactor, store, &ears[i], path);
    }
    for (int i = 0; i < MANY; i += 2) {
        snprintf(path, sizeof path, "/conduit/%d", i / 2);
        put(store, path, "1");
        until(reactor, ears[i].told && ears[i + 1].told);
        vchan_watch_end(&ears[i].watch);
        ears[i + 1].told = 0;
        put(store, path, "2");
        until(reactor, ears[i + 1].told);
        vchan_watch_end(&ears[i + 1].watch);
    }
    close_store(reactor, store);
}

/* From inside a call: other watches, itself, and the store. */
static void test_end_inside(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct vchan_store *store = open_store(reactor);
    struct ear ears[3] = {{.told = 0}, {.told = 0}, {.told = 0}};

    (void)state;
    for (int i = 0; i < 3; i++)
        listen_to(reactor, store, &ears[i], "/a");
    ears[0].end = &ears[1];
    put(store, "/a", "1");
    until(reactor, ears[0].told && ears[2].told);
    assert_int_equal(ears[1].told, 0);
    ears[0].end = &ears[2];
    ears[2].told = 0;
    put(store, "/a", "2");
    until(reactor, ears[0].told && !ears[0].end);
    settle(reactor);
    assert_int_equal(ears[2].told, 0);
    ears[0].end = &ears[0];
    ears[0].put = store;
    put(store, "/a", "3");
    until(reactor, !ears[0].put);
    settle(reactor);
    test_end(reactor, NULL, 0);
}

/* Watches that are there when the reactor is freed. */
static void test_reactor_freed(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct vchan_store *store = open_store(reactor);
    struct ear ears[2] = {{.told = 0}, {.told = 0}};

    (void)state;
    listen_to(reactor, store, &ears[0], "/a/b");
    assert_int_equal(vchan_watch_begin(store, &ears[1].watch, "/c", on_told), 0);
    test_end(reactor, NULL, 0);
    assert_null(ears[0].watch.store);
}

/* More events than the kernel keeps: all are told. */
static void test_overflow(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct vchan_store *store = open_store(reactor);
    struct ear ear = {0}, other = {0};
    char text[32] = "", path[128];
    FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "re");
    int most = 0;

    (void)state;
    if (file && fgets(text, sizeof text, file))
        most = atoi(text);
    if (file)
        fclose(file);
    if (most == 0 || most > 20000) {
        print_message("the kernel keeps too many events: %d\n", most);
        vchan_store_put(store);
        test_end(reactor, NULL, 0);
        skip();
    }
    put(store, "/a", "1");
    listen_to(reactor, store, &ear, "/a");
    listen_to(reactor, store, &other, "/b");
    snprintf(path, sizeof path, "%s/a/", folder);
    char *end = path + strlen(path);
    for (int i = 0; i <= most / 2 + 10; i++) { /* two events each */
        sprintf(end, "f%d", i & 1);
        const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        close(fd);
        assert_int_equal(unlink(path), 0);
    }
    put(store, "/b/late", "1");
    until(reactor, ear.told && other.told);
    told(put(store, "/a", "2"));
    vchan_watch_end(&ear.watch);
    vchan_watch_end(&other.watch);
    close_store(reactor, store);
}

/* More folders than are worth an inotify each: what happens there is found by looking. */
static void test_many_folders(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct vchan_store *store = open_store(reactor);
    struct ear ear = {0};

    (void)state;
    put(store, "/a", "1");
    run("cd %s/a; for i in $(seq 1100); do echo $i; done | xargs mkdir", folder);
    listen_to(reactor, store, &ear, "/a");
    told(put(store, "/a/1", "1"));
    told(put(store, "/a/1100", "1"));
    vchan_watch_end(&ear.watch);
    close_store(reactor, store);
}

/* Without a descriptor for inotify the store looks now and then, and later finds one. */
static void test_no_inotify(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct vchan_store *store = open_store(reactor);
    struct ear ear = {0};

    (void)state;
    put(store, "/a", "1");
    test_no_more_fds();
    assert_int_equal(vchan_watch_begin(store, &ear.watch, "/a", on_told), 0);
    until(reactor, ear.told >= 3);
    assert_int_equal(files_of(store)->inotify, -1);
    test_more_fds();
    until(reactor, files_of(store)->inotify >= 0 && files_of(store)->polled == 0);
    settle(reactor);
    told(put(store, "/a", "2"));
    vchan_watch_end(&ear.watch);
    close_store(reactor, store);
}

/* A descriptor of inotify is not closed while the reactor turns: that would take a while. */
static void test_inotify_kept(void **state)
{
    struct cdt_reactor *reactor = test_reactor();
    struct ear ear = {0};
    int first = -1;

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct vchan_store *store = open_store(reactor);
        listen_to(reactor, store, &ear, "/a/b");
        if (i == 0)
            first = files_of(store)->inotify;
        assert_int_equal(files_of(store)->inotify, first);
        told(put(store, "/a/b", "1"));
        vchan_watch_end(&ear.watch);
        vchan_store_put(store);
        settle(reactor);
        assert_true(fcntl(first, F_GETFD) >= 0);
    }
    test_end(reactor, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        meeting_test(test_values),
        meeting_test(test_paths),
        meeting_test(test_list),
        meeting_test(test_remove),
        meeting_test(test_remove_deep),
        meeting_test(test_hostile_files),
        meeting_test(test_directory),
        meeting_test(test_watch),
        meeting_test(test_watch_directory),
        meeting_test(test_many_watches),
        meeting_test(test_end_inside),
        meeting_test(test_reactor_freed),
        meeting_test(test_overflow),
        meeting_test(test_many_folders),
        meeting_test(test_no_inotify),
        meeting_test(test_inotify_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
