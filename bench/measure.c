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

struct reading { /* as read(2) gives it: see read_format */
    uint64_t value, enabled, running;
};

static struct {
    pid_t processes[MAX_PROCESSES];
    pid_t asked[MAX_PROCESSES]; /* without the children */
    int process_count, asked_count, thread_count;
    int counters[MAX_THREADS][EVENTS];
    struct reading before[MAX_THREADS][EVENTS];
    bool available[EVENTS];
    double cpu_before;
} watched;

/* ---- counters -------------------------------------------------------------------------------- */

/* Counting instructions makes each sleep and each waking of the process longer. */
static bool time_only(void)
{
    return getenv("BENCH_TIME_ONLY") != NULL;
}

/* The clock does not look at modes; without the kernel's it may be had where that may not. */
static int open_counter(int event, pid_t thread)
{
    if (event != CLOCK && time_only())
        return -1;
    struct perf_event_attr attributes = {
        .type = PERF_TYPE_HARDWARE,
        .size = sizeof attributes,
        .config = PERF_COUNT_HW_INSTRUCTIONS,
        .read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
        .disabled = 1,
        .inherit = 1,
        .pinned = event != CLOCK, /* ahead of those of others, who take turns with the rest */
        .exclude_kernel = event != KERNEL,
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

static void each_child(pid_t process, pid_t thread, void (*fn)(pid_t child, void *arg), void *arg)
{
    char path[96];
    int child;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)process, (int)thread);
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    while (fscanf(file, "%d", &child) == 1)
        fn(child, arg);
    fclose(file);
}

static void watch_process(pid_t process, void *arg)
{
    char path[64];
    const struct dirent *entry;
    snprintf(path, sizeof path, "/proc/%d/task", (int)process);
    DIR *threads = opendir(path);
    if (!threads || watched.process_count == MAX_PROCESSES) {
        fprintf(stderr, "process %d cannot be measured\n", (int)process);
        exit(1);
    }
    watched.processes[watched.process_count++] = process;
    while ((entry = readdir(threads))) {
        const pid_t thread = (pid_t)strtol(entry->d_name, NULL, 10);
        if (thread <= 0)
            continue;
        watch_thread(thread);
        each_child(process, thread, watch_process, arg);
    }
    closedir(threads);
}

void measure_open(const pid_t *pids, int count)
{
    for (int event = 0; event < EVENTS; event++)
        watched.available[event] = count > 0;
    for (int i = 0; i < count && i < MAX_PROCESSES; i++) {
        watched.asked[watched.asked_count++] = pids[i];
        watch_process(pids[i], NULL);
    }
    if (count > 0 && !time_only() && !(watched.available[USER] && watched.available[KERNEL]))
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

static bool read_counter(int counter, struct reading *reading)
{
    return read(counter, reading, sizeof *reading) == sizeof *reading;
}

/* -1 if it was not counted all the time: the processor has few counters, and others use them. */
static double counted(const struct reading *before, const struct reading *after)
{
    const double enabled = (double)(after->enabled - before->enabled);
    const double running = (double)(after->running - before->running);
    return running < enabled * 0.999 ? -1 : (double)(after->value - before->value);
}

static double sum(int event)
{
    double total = 0;
    for (int i = 0; i < watched.thread_count && watched.available[event]; i++) {
        struct reading now;
        const double more = read_counter(watched.counters[i][event], &now)
                                ? counted(&watched.before[i][event], &now)
                                : -1;
        if (more < 0) {
            fprintf(stderr, "others use the processor's counters: not all was counted\n");
            return -1;
        }
        total += more;
    }
    return watched.available[event] ? total : -1;
}

static void read_before(void)
{
    for (int i = 0; i < watched.thread_count; i++) {
        for (int event = 0; event < EVENTS; event++)
            read_counter(watched.counters[i][event], &watched.before[i][event]);
    }
}

/* CPU time of children that have ended, as their parent knows it, in whole ticks. */
static double seconds_of_ended(pid_t process)
{
    char path[64], line[1024];
    unsigned long user, kernel;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)process);
    FILE *file = fopen(path, "re");
    const char *name_end = file && fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
    if (file)
        fclose(file);
    if (!name_end ||
        sscanf(name_end, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %lu %lu", &user,
               &kernel) != 2)
        return 0;
    return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

/* Children first: who ends meanwhile is known to its parent. */
static void add_seconds(pid_t process, void *sum)
{
    struct timespec time = {0};
    clockid_t clock;
    each_child(process, process, add_seconds, sum);
    if (clock_getcpuclockid(process, &clock) == 0 && clock_gettime(clock, &time) == 0)
        *(double *)sum += (double)time.tv_sec + (double)time.tv_nsec / 1e9;
    *(double *)sum += seconds_of_ended(process);
}

/* What the processes have used so far, where no counter tells. */
static double cpu_seconds(void)
{
    double seconds = 0;
    for (int i = 0; i < watched.asked_count; i++)
        add_seconds(watched.asked[i], &seconds);
    return seconds;
}

void measure_begin(void)
{
    if (!watched.available[CLOCK])
        watched.cpu_before = cpu_seconds();
    read_before();
    control(PERF_EVENT_IOC_ENABLE);
}

struct costs measure_end(void)
{
    control(PERF_EVENT_IOC_DISABLE);
    struct costs costs = {.user_instructions = sum(USER),
                          .kernel_instructions = sum(KERNEL),
                          .cpu_seconds = sum(CLOCK)};
    if (costs.cpu_seconds >= 0)
        costs.cpu_seconds /= 1e9;
    else if (watched.asked_count)
        costs.cpu_seconds = cpu_seconds() - watched.cpu_before;
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
