/* For tests of the local backend: a directory to meet in, a server and clients there, and a place
 * for those who do not keep to the rules. */
#ifndef TEST_VCHAN_MEETING_H
#define TEST_VCHAN_MEETING_H

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <conduit/vchan.h>

#include "test/support/serve.h"
#include "vchan/local.h"

/* Where all of a test meet: domain 0 serves domain 0 at the port "p". */
static char folder[64];
#define PLACE "/local/domain/0/data/vchan/0/p"

/* Of what is served; put back before each test. */
static const struct cdt_handler *served_by = &serve_handler;

__attribute__((unused)) static int setup(void **state)
{
    served_by = &serve_handler;
    test_folder(folder);
    return test_fds_remember(state);
}

__attribute__((unused)) static int teardown(void **state)
{
    test_folder_remove(folder);
    return test_fds_same(state);
}

#define meeting_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static struct cdt_vchan_options here(size_t read_size, size_t write_size)
{
    return (struct cdt_vchan_options){
        .size = sizeof(struct cdt_vchan_options),
        .backend = CDT_VCHAN_LOCAL,
        .read_size = read_size,
        .write_size = write_size,
        .directory = folder,
        .domid = 1,
    };
}

__attribute__((unused)) static struct vchan_settings settings_here(void)
{
    const struct cdt_vchan_options options = here(0, 0);
    struct vchan_settings settings;
    assert_int_equal(vchan_settings_fill(&settings, &options), 0);
    return settings;
}

/* Listens, and runs until it is known how that went. */
__attribute__((unused)) static int try_to_serve(struct cdt_reactor *reactor, struct serve *serve,
                                                const struct cdt_vchan_options *vchan,
                                                const struct cdt_server_options *options)
{
    assert_int_equal(cdt_vchan_listen(reactor, 0, "p", vchan, options, served_by, &serve->server),
                     0);
    until(reactor, serve->listened);
    return serve->listen_status;
}

__attribute__((unused)) static void serve_here(struct cdt_reactor *reactor, struct serve *serve,
                                               size_t read_size, size_t write_size)
{
    const struct cdt_vchan_options vchan = here(read_size, write_size);
    const struct cdt_server_options options = serve_options(serve);
    assert_int_equal(try_to_serve(reactor, serve, &vchan, &options), 0);
}

__attribute__((unused)) static void start_client(struct cdt_reactor *reactor, struct probe *probe)
{
    const struct cdt_vchan_options vchan = here(0, 0);
    assert_int_equal(cdt_vchan_connect(reactor, 0, "p", &vchan, NULL, &probe_handler, &probe->flow),
                     0);
    probe_attach(probe->flow, probe);
}

/* Writes a pattern and reads it back from a server that echoes. */
__attribute__((unused)) static void echo_pattern(struct cdt_reactor *reactor, struct probe *probe,
                                                 size_t length)
{
    uint8_t *all = malloc(length);
    assert_non_null(all);
    test_pattern(all, length, 0);
    const size_t before = probe->length;
    assert_true(cdt_flow_write(probe->flow, all, length) >= 0);
    until(reactor, probe->length == before + length || probe->closed);
    assert_int_equal(probe->closed, 0);
    assert_memory_equal(probe->data + before, all, length);
    free(all);
}

/* Nothing is left in the directory; `but` many files are allowed. */
__attribute__((unused)) static int count_files(const char *path)
{
    char command[256], text[32] = "";
    snprintf(command, sizeof command, "find %s -mindepth 1 | wc -l", path);
    FILE *pipe = popen(command, "re");
    assert_non_null(pipe);
    assert_non_null(fgets(text, sizeof text, pipe));
    pclose(pipe);
    return atoi(text);
}

/* Mappings of rings in this process. */
__attribute__((unused)) static int count_rings(void)
{
    char line[512];
    int count = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps))
        count += strstr(line, "memfd:vchan") != NULL;
    fclose(maps);
    return count;
}

/* Ends a child of ours and takes its status. */
__attribute__((unused)) static void kill_child(pid_t pid)
{
    int status;
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
}

/* A child that says that it is ready, or has come so far, by a byte. */
struct child {
    pid_t pid;
    int says;
};

__attribute__((unused)) static struct child start_child(void (*body)(int tell))
{
    int pipes[2];
    struct child child;
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    child.pid = fork();
    assert_true(child.pid >= 0);
    if (child.pid == 0) {
        close(pipes[0]);
        body(pipes[1]);
        _exit(0);
    }
    close(pipes[1]);
    child.says = pipes[0];
    return child;
}

__attribute__((unused)) static void hear_child(const struct child *child)
{
    char byte;
    assert_int_equal(read(child->says, &byte, 1), 1);
}

__attribute__((unused)) static void say(int tell)
{
    if (write(tell, "", 1) != 1)
        _exit(3);
}

/* A path in the place of the port. */
__attribute__((unused)) static struct cdt_addr socket_here(void)
{
    struct cdt_addr addr;
    char path[256];
    snprintf(path, sizeof path, "%s" PLACE "/" FILES_SOCKET, folder);
    assert_int_equal(cdt_addr_unix(&addr, path), 0);
    return addr;
}

#endif
