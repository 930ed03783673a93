/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The probes that come with the library, on known work, and on systems that
 * refuse: no /proc, a /proc of our own making, a seccomp filter.  Nothing
 * that could not be read may show as 0.
 */
#define SITES_AT "system_probes_test.c", 1
#include "child.h"
#include "measures.h"
#include "recording.h"

#include <profcore/snapshot.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGES = 1000 };

static prof_measure measure(const char *function, const char *probe)
{
    prof_status status;
    char of[16];
    prof_measure found = measure_owned(function, probe, &status, NULL, of);
    if (status != PROF_OK)
        printf("# %s of %s: %s\n", probe, function, prof_status_name(status));
    CHECK_I64(status, PROF_OK);
    return found;
}

static const char *reason(const char *function, const char *probe)
{
    static prof_error err;
    prof_status status;
    char of[16];
    err = (prof_error)PROF_ERROR_INIT;
    measure_owned(function, probe, &status, &err, of);
    return status == PROF_E_UNAVAILABLE ? err.message : prof_status_name(status);
}

static int64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void burn(int64_t ns)
{
    for (int64_t end = cpu_ns() + ns; cpu_ns() < end;)
        for (volatile int i = 0; i < 1000; i++)
            ;
}

/* ---- known work ---- */

TEST(cpu_time_is_what_the_threads_own_clock_says)
{
    start();
    int64_t before = cpu_ns();
    prof_scope scope = prof_begin(site_with("burns", PROF_SITE_CPU));
    int64_t inside = cpu_ns();
    burn(100000000);
    int64_t inside_end = cpu_ns();
    prof_end(scope);
    int64_t after = cpu_ns();
    stop();
    prof_measure time = measure("burns", "cpu.time"), user = measure("burns", "cpu.user"),
                 system = measure("burns", "cpu.system");
    CHECK(time.sum >= inside_end - inside && time.sum <= after - before);
    CHECK_I64(time.largest, time.sum);
    /* These two are sampled at ticks of 10 ms at most, and may lag by one at each end. */
    CHECK(user.sum + system.sum > time.sum / 2 && user.sum + system.sum < time.sum * 2);
    CHECK(user.sum + system.sum > 0);
}

TEST(a_scope_that_sleeps_gives_its_cpu_up)
{
    struct timespec nap = { 0, 20000000 };
    start();
    prof_scope scope = prof_begin(site_with("sleeps", PROF_SITE_SWITCHES | PROF_SITE_CPU));
    nanosleep(&nap, NULL);
    prof_end(scope);
    stop();
    CHECK(measure("sleeps", "switches.voluntary").sum >= 1);
    CHECK(measure("sleeps", "cpu.time").sum < 20000000);
    CHECK_U64(measure("sleeps", "switches.involuntary").calls, 1);
}

TEST(a_new_page_is_a_minor_fault)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(pages != MAP_FAILED);
    madvise(pages, PAGES * page, MADV_NOHUGEPAGE);
    start();
    prof_scope scope = prof_begin(site_with("touches pages", PROF_SITE_FAULTS));
    for (size_t i = 0; i < PAGES; i++)
        ((volatile char *)pages)[i * page] = 1;
    prof_end(scope);
    stop();
    munmap(pages, PAGES * page);
    CHECK(measure("touches pages", "faults.minor").sum >= PAGES);
    CHECK_U64(measure("touches pages", "faults.major").calls, 1);
}

static void *burn_measured(void *done)
{
    prof_scope scope = prof_begin(site_with("shares a cpu", PROF_SITE_WAIT));
    burn(60000000);
    prof_end(scope);
    return done;
}

TEST(who_shares_a_cpu_waits_for_it)
{
    pthread_t threads[2];
    cpu_set_t all, one;
    if (sched_getaffinity(0, sizeof(all), &all) != 0)
        SKIP("the affinity cannot be read");
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
        if (CPU_ISSET(i, &all))
            CPU_SET(i, &one);
    if (sched_setaffinity(0, sizeof(one), &one) != 0)
        SKIP("the affinity cannot be set");
    start();
    for (int i = 0; i < 2; i++)
        CHECK_I64(pthread_create(&threads[i], NULL, burn_measured, NULL), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    stop();
    sched_setaffinity(0, sizeof(all), &all);
    if (strstr(reason("shares a cpu", "wait.cpu"), "schedstat") != NULL)
        SKIP("this kernel does not count the wait");
    CHECK(measure("shares a cpu", "wait.cpu").sum > 0);
    CHECK_U64(measure("shares a cpu", "wait.cpu").calls, 2);
    CHECK(measure("shares a cpu", "cpu.time").sum >= 120000000); /* comes with the wait */
}

/* ---- systems that refuse ---- */

static void close_all(void)
{
    for (int fd = 3; fd < 64; fd++)
        close(fd);
}

static const uint32_t every_flag = PROF_SITE_RSS | PROF_SITE_CPU | PROF_SITE_FAULTS | PROF_SITE_SWITCHES | PROF_SITE_WAIT |
                                   PROF_SITE_CGROUP;

/* A folder becomes the root of the file system, of this process only; what was opened before is out of reach, too. */
static int enter_root(const char *folder)
{
    close_all();
    if (chroot(folder) != 0 && (unshare(CLONE_NEWUSER) != 0 || chroot(folder) != 0))
        return 0;
    return chdir("/") == 0;
}

static void record_without_proc(void)
{
    char folder[] = "/tmp/profcore-root-XXXXXX";
    REQUIRE(mkdtemp(folder) != NULL);
    int is_inside = enter_root(folder);
    if (!is_inside)
        SKIP("no new root");
    start();
    prof_end(prof_begin(site_with("no proc", every_flag)));
    stop();
    CHECK_HAS(reason("no proc", "rss"), "/proc/self could not be read");
    CHECK_HAS(reason("no proc", "wait.cpu"), "schedstat could not be read");
    CHECK_HAS(reason("no proc", "cgroup.throttled"), "no control group");
    CHECK_HAS(reason("no proc", "cgroup.throttles"), "no control group");
    CHECK_HAS(reason("no proc", "pressure.cpu"), "no pressure figures");
    CHECK_HAS(reason("no proc", "pressure.memory"), "no pressure figures");
    CHECK_HAS(reason("no proc", "pressure.io"), "no pressure figures");
    CHECK_U64(measure("no proc", "cpu.time").calls, 1);
    CHECK_U64(measure("no proc", "faults.minor").calls, 1);
}
TEST(without_proc_what_comes_from_it_is_unavailable)
{
    in_child(record_without_proc);
    CHECK_I64(system("rmdir /tmp/profcore-root-* 2>/dev/null || true"), 0);
}

/* A call number, and the value of its first argument or -1: EPERM. */
static int refuse(int number, int argument)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)argument, 0, argument < 0 ? 0 : 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void record_under_seccomp(void)
{
    if (!refuse(SYS_getrusage, -1) || !refuse(SYS_clock_gettime, CLOCK_THREAD_CPUTIME_ID))
        SKIP("no seccomp");
    start();
    errno = 77;
    prof_end(prof_begin(site_with("filtered", every_flag)));
    CHECK_I64(errno, 77);
    stop();
    CHECK_HAS(reason("filtered", "cpu.time"), "CPU clock could not be read");
    CHECK_HAS(reason("filtered", "cpu.user"), "getrusage() was refused");
    CHECK_HAS(reason("filtered", "cpu.system"), "getrusage() was refused");
    CHECK_HAS(reason("filtered", "faults.major"), "getrusage() was refused");
    CHECK_HAS(reason("filtered", "switches.voluntary"), "getrusage() was refused");
    CHECK_HAS(reason("filtered", "wait.cpu"), "getrusage() was refused");
}
TEST(under_a_filter_that_refuses_figures_are_unavailable) { in_child(record_under_seccomp); }

/* ---- a /proc and a /sys of our own ---- */

static void make_file(const char *path, const char *text)
{
    char folder[256];
    snprintf(folder, sizeof(folder), "%s", path);
    for (char *slash = strchr(folder + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(folder, 0777);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    REQUIRE(file != NULL);
    fputs(text, file);
    fclose(file);
}

static const char *fake_root;

static void in_fake_system(void (*body)(void))
{
    char folder[] = "/tmp/profcore-fake-XXXXXX", command[64];
    REQUIRE(mkdtemp(folder) != NULL);
    fake_root = folder;
    in_child(body);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    CHECK_I64(system(command), 0);
}

static const char pressure[] = "some avg10=1.00 avg60=2.00 avg300=0.00 total=%d\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=9\n";

static void make_pressure(const char *path, int total)
{
    char text[256];
    snprintf(text, sizeof(text), pressure, total);
    make_file(path, text);
}

static void record_in_group_of_version_2(void)
{
    prof_status status;
    char of[16];
    if (!enter_root(fake_root))
        SKIP("no new root");
    make_file("/proc/self/cgroup", "1:name=systemd:/other\n0::/pod/container\n");
    make_file("/sys/fs/cgroup/cpu.stat", "usage_usec 5\n");
    make_file("/sys/fs/cgroup/pod/cpu.stat", "usage_usec 7\nnr_periods 10\nnr_throttled 3\nthrottled_usec 100\n");
    make_file("/sys/fs/cgroup/pod/container/cpu.stat", "usage_usec 7\nuser_usec 7\n");
    make_pressure("/sys/fs/cgroup/pod/container/cpu.pressure", 1000);
    make_pressure("/proc/pressure/memory", 5);
    start();
    prof_scope scope = prof_begin(site_with("throttled", PROF_SITE_CGROUP));
    make_file("/sys/fs/cgroup/pod/cpu.stat", "usage_usec 7\nnr_periods 10\nnr_throttled 5\nthrottled_usec 350\n");
    make_pressure("/sys/fs/cgroup/pod/container/cpu.pressure", 1700);
    make_pressure("/proc/pressure/memory", 6);
    prof_end(scope);
    stop();
    CHECK_I64(measure_owned("throttled", "cgroup.throttled", &status, NULL, of).sum, 250000);
    CHECK_STR(of, "cgroup");
    CHECK_I64(measure("throttled", "cgroup.throttles").sum, 2);
    CHECK_I64(measure_owned("throttled", "pressure.cpu", &status, NULL, of).sum, 700000);
    CHECK_STR(of, "cgroup");
    CHECK_I64(measure_owned("throttled", "pressure.memory", &status, NULL, of).sum, 1000);
    CHECK_STR(of, "machine");
    CHECK_HAS(reason("throttled", "pressure.io"), "no pressure figures");
}
TEST(throttling_is_that_of_the_nearest_group_with_a_limit) { in_fake_system(record_in_group_of_version_2); }

static void record_in_group_of_version_1(void)
{
    if (!enter_root(fake_root))
        SKIP("no new root");
    make_file("/proc/self/cgroup", "5:cpuacct:/x\n4:cpu,cpuacct:/docker/abc\n0::/\n");
    make_file("/sys/fs/cgroup/cpu,cpuacct/cpu.stat", "nr_periods 4\nnr_throttled 1\nthrottled_time 2000\n");
    start();
    prof_scope scope = prof_begin(site_with("in a container", PROF_SITE_CGROUP));
    make_file("/sys/fs/cgroup/cpu,cpuacct/cpu.stat", "nr_periods 4\nnr_throttled 2\nthrottled_time 2777\n");
    prof_end(scope);
    stop();
    CHECK_I64(measure("in a container", "cgroup.throttled").sum, 777);
    CHECK_I64(measure("in a container", "cgroup.throttles").sum, 1);
}
TEST(throttling_of_version_1_is_found_inside_a_container) { in_fake_system(record_in_group_of_version_1); }

static void record_with_a_kernel_that_does_not_count(void)
{
    if (!enter_root(fake_root))
        SKIP("no new root");
    make_file("/proc/thread-self/schedstat", "0 0 0\n");
    make_file("/proc/self/statm", "nonsense\n");
    make_file("/proc/self/status", "Name:\tx\n");
    make_file("/proc/self/cgroup", "nonsense\n0\n:\n::\n");
    start();
    prof_end(prof_begin(site_with("not counted", every_flag)));
    stop();
    CHECK_HAS(reason("not counted", "wait.cpu"), "counts nothing there");
    CHECK_HAS(reason("not counted", "rss"), "could not be read");
    CHECK_HAS(reason("not counted", "cgroup.throttled"), "no control group");
}
TEST(a_kernel_that_counts_nothing_is_not_taken_for_one_without_waits) { in_fake_system(record_with_a_kernel_that_does_not_count); }

static void record_a_known_wait(void)
{
    struct timespec nap = { 0, 1000000 };
    if (!enter_root(fake_root))
        SKIP("no new root");
    make_file("/proc/thread-self/schedstat", "5000 300 7\n");
    start();
    prof_scope scope = prof_begin(site_with("waits", PROF_SITE_WAIT));
    make_file("/proc/thread-self/schedstat", "6000 1000 8\n");
    nanosleep(&nap, NULL); /* switched out: the file is read again */
    prof_end(scope);
    stop();
    CHECK_I64(measure("waits", "wait.cpu").sum, 700);
}
TEST(the_wait_is_the_second_number_of_schedstat) { in_fake_system(record_a_known_wait); }

static long switches(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nvcsw + usage.ru_nivcsw;
}

/* A child begins with no switch and no wait, and must not take its parent's wait at the same count for its own. */
static void wait_on_both_sides_of_a_fork(void)
{
    struct timespec nap = { 0, 1000 };
    if (!enter_root(fake_root))
        SKIP("no new root");
    make_file("/proc/thread-self/schedstat", "5000 300 7\n");
    start();
    prof_end(prof_begin(site_with("in the parent", PROF_SITE_WAIT)));
    long count = switches();
    pid_t child = fork();
    if (child != 0) {
        int status = 0;
        waitpid(child, &status, 0);
        CHECK_I64(status, 0);
        return;
    }
    make_file("/proc/thread-self/schedstat", "1 50 2\n");
    while (switches() < count)
        nanosleep(&nap, NULL);
    prof_scope scope = prof_begin(site_with("in the child", PROF_SITE_WAIT));
    make_file("/proc/thread-self/schedstat", "1 60 3\n");
    nanosleep(&nap, NULL);
    prof_end(scope);
    CHECK_I64(measure("in the child", "wait.cpu").sum, 10);
    _exit(test_failed);
}
TEST(a_forked_child_waits_for_itself) { in_fake_system(wait_on_both_sides_of_a_fork); }

/* The host may close what it did not open, and reuse the numbers. */
static void close_descriptors(void)
{
    start();
    prof_site *all = site_with("closed under it", every_flag);
    prof_end(prof_begin(all));
    close_all();
    int hosts = open("/proc/self/comm", O_RDONLY); /* gets the number of one of ours, and so do these: */
    for (int fd = hosts + 1; fd < 20; fd++)
        dup2(hosts, fd);
    prof_end(prof_begin(all));
    stop();
    CHECK_U64(measure("closed under it", "rss").calls, 2);
    CHECK_U64(measure("closed under it", "rss").failed_calls, 0);
    prof_status status;
    char of[16];
    CHECK_U64(measure_owned("closed under it", "pressure.cpu", &status, NULL, of).failed_calls, 0);
}
TEST(descriptors_that_the_host_closes_are_opened_again) { in_child(close_descriptors); }

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
