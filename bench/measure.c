/* Costs of other processes: see measure.h. */
#include <dirent.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bench/measure.h"

enum { USER, KERNEL, CLOCK, EVENTS, MAX_THREADS = 64, MAX_PROCESSES = 64 };

static struct {
    pid_t processes[MAX_PROCESSES];
    clockid_t clocks[MAX_PROCESSES];
    int process_count, thread_count;
    int counters[MAX_THREADS][EVENTS];
    bool available[EVENTS];
    double cpu_before;
} watched;

/* ---- counters -------------------------------------------------------------------------------- */

static int open_counter(int event, pid_t thread)
{
    struct perf_event_attr attributes = {
        .type = PERF_TYPE_HARDWARE,
        .size = sizeof attributes,
        .config = PERF_COUNT_HW_INSTRUCTIONS,
        .disabled = 1,
        .inherit = 1,
        .exclude_kernel = event == USER,
        .exclude_user = event == KERNEL,
        .exclude_hv = 1,
    };
    if (event == CLOCK) {
        attributes.type = PERF_TYPE_SOFTWARE;
        attributes.config = PERF_COUNT_SW_TASK_CLOCK;
    }
    return (int)syscall(SYS_perf_event_open, &attributes, thread, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static void watch_thread(pid_t thread)
{
    if (watched.thread_count == MAX_THREADS)
        return;
    int *counters = watched.counters[watched.thread_count++];
    for (int event = 0; event < EVENTS; event++) {
        counters[event] = open_counter(event, thread);
        if (counters[event] < 0)
            watched.available[event] = false;
    }
}

/* ---- processes ------------------------------------------------------------------------------- */

static void watch_process(pid_t process);

static void watch_children(pid_t process, pid_t thread)
{
    char path[96];
    int child;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)process, (int)thread);
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    while (fscanf(file, "%d", &child) == 1)
        watch_process(child);
    fclose(file);
}

static void watch_process(pid_t process)
{
    char path[64];
    const struct dirent *entry;
    snprintf(path, sizeof path, "/proc/%d/task", (int)process);
    DIR *threads = opendir(path);
    if (!threads || watched.process_count == MAX_PROCESSES ||
        clock_getcpuclockid(process, &watched.clocks[watched.process_count])) {
        fprintf(stderr, "process %d cannot be measured\n", (int)process);
        exit(1);
    }
    watched.processes[watched.process_count++] = process;
    while ((entry = readdir(threads))) {
        const pid_t thread = (pid_t)strtol(entry->d_name, NULL, 10);
        if (thread <= 0)
            continue;
        watch_thread(thread);
        watch_children(process, thread);
    }
    closedir(threads);
}

void measure_open(const pid_t *pids, int count)
{
    for (int event = 0; event < EVENTS; event++)
        watched.available[event] = count > 0;
    for (int i = 0; i < count; i++)
        watch_process(pids[i]);
    if (count > 0 && !(watched.available[USER] && watched.available[KERNEL]))
        fprintf(stderr, "instructions cannot be counted here, only CPU time\n");
}

void measure_open_self(void)
{
    const pid_t self = getpid();
    measure_open(&self, 1);
}

/* ---- counting -------------------------------------------------------------------------------- */

static void control(unsigned long request)
{
    for (int i = 0; i < watched.thread_count; i++) {
        for (int event = 0; event < EVENTS; event++) {
            if (watched.counters[i][event] >= 0)
                ioctl(watched.counters[i][event], request, 0);
        }
    }
}

static double sum(int event)
{
    double total = 0;
    if (!watched.available[event])
        return -1;
    for (int i = 0; i < watched.thread_count; i++) {
        uint64_t value = 0;
        if (read(watched.counters[i][event], &value, sizeof value) != sizeof value)
            return -1;
        total += (double)value;
    }
    return total;
}

/* By the processes' clocks, which know nothing of children made later; -1 without processes. */
static double cpu_seconds(void)
{
    double seconds = watched.process_count ? 0 : -1;
    for (int i = 0; i < watched.process_count; i++) {
        struct timespec time = {0};
        if (clock_gettime(watched.clocks[i], &time))
            return -1;
        seconds += (double)time.tv_sec + (double)time.tv_nsec / 1e9;
    }
    return seconds;
}

void measure_begin(void)
{
    watched.cpu_before = cpu_seconds();
    control(PERF_EVENT_IOC_RESET);
    control(PERF_EVENT_IOC_ENABLE);
}

struct costs measure_end(void)
{
    struct costs costs = {.cpu_seconds = -1};
    control(PERF_EVENT_IOC_DISABLE);
    const double cpu = cpu_seconds(), clock = sum(CLOCK);
    costs.user_instructions = sum(USER);
    costs.kernel_instructions = sum(KERNEL);
    if (clock >= 0)
        costs.cpu_seconds = clock / 1e9;
    else if (cpu >= 0 && watched.cpu_before >= 0)
        costs.cpu_seconds = cpu - watched.cpu_before;
    return costs;
}

static void print_cost(const char *name, double cost, double operations)
{
    if (cost >= 0)
        printf(", \"%s\": %.4f", name, cost / operations);
}

void measure_print(const struct costs *costs, double operations)
{
    print_cost("user_instructions", costs->user_instructions, operations);
    print_cost("kernel_instructions", costs->kernel_instructions, operations);
    print_cost("cpu_us", costs->cpu_seconds < 0 ? -1 : costs->cpu_seconds * 1e6, operations);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static double sum_of_lines(pid_t process, const char *const *names, size_t name_count)
{
    char path[64], line[256];
    double kib = 0;
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)process);
    FILE *file = fopen(path, "re");
    if (!file)
        return -1;
    while (fgets(line, sizeof line, file)) {
        for (size_t i = 0; i < name_count; i++) {
            if (strncmp(line, names[i], strlen(names[i])) == 0)
                kib += strtod(line + strlen(names[i]), NULL);
        }
    }
    fclose(file);
    return kib * 1024;
}

static double sum_of_processes(const char *const *names, size_t name_count)
{
    double bytes = 0;
    for (int i = 0; i < watched.process_count; i++) {
        const double more = sum_of_lines(watched.processes[i], names, name_count);
        if (more < 0)
            return -1;
        bytes += more;
    }
    return watched.process_count ? bytes : -1;
}

double measure_private(void)
{
    static const char *const names[] = {"Private_Dirty:", "Private_Clean:"};
    return sum_of_processes(names, 2);
}

double measure_resident(void)
{
    static const char *const names[] = {"Rss:"};
    return sum_of_processes(names, 1);
}
