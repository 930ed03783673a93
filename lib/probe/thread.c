/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel counts for the calling thread: time on a CPU, page faults,
 * context switches, and how long it could have run but waited for a CPU.
 *
 * One getrusage() gives the faults, the switches and how CPU time divides
 * into user and system.  That division is sampled at clock ticks, and both
 * lag by up to one; the sum of the two is exact in the thread's CPU clock,
 * which is a row of its own.
 *
 * The wait is in /proc/thread-self/schedstat only.  It is opened each time:
 * a descriptor kept for each thread would take as many from the host.  But
 * a thread waits for a CPU only when it was switched out, so the last value
 * holds as long as its count of switches does, and most scopes pay for the
 * one getrusage() only.
 */
#include "probes.h"

#include "../base/probe_table.h"
#include "../base/system.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { CPU_TIME, CPU_USER, CPU_SYSTEM, FAULTS_MINOR, FAULTS_MAJOR, VOLUNTARY, INVOLUNTARY, WAIT_CPU, ROWS };

/* Whoever asks for the wait gets the time on a CPU with it: what remains of a call's duration was spent blocked. */
static profi_probe rows[ROWS] = {
    [CPU_TIME] = { .name = "cpu.time", .unit = "ns", .of = "thread", .site_flags = PROF_SITE_CPU | PROF_SITE_WAIT },
    [CPU_USER] = { .name = "cpu.user", .unit = "ns", .of = "thread", .site_flags = PROF_SITE_CPU },
    [CPU_SYSTEM] = { .name = "cpu.system", .unit = "ns", .of = "thread", .site_flags = PROF_SITE_CPU },
    [FAULTS_MINOR] = { .name = "faults.minor", .unit = "faults", .of = "thread", .site_flags = PROF_SITE_FAULTS },
    [FAULTS_MAJOR] = { .name = "faults.major", .unit = "faults", .of = "thread", .site_flags = PROF_SITE_FAULTS },
    [VOLUNTARY] = { .name = "switches.voluntary", .unit = "switches", .of = "thread", .site_flags = PROF_SITE_SWITCHES },
    [INVOLUNTARY] = { .name = "switches.involuntary", .unit = "switches", .of = "thread", .site_flags = PROF_SITE_SWITCHES },
    [WAIT_CPU] = { .name = "wait.cpu", .unit = "ns", .of = "thread", .site_flags = PROF_SITE_WAIT },
};

#define BIT(row) ((uint64_t)1 << (row))
static const uint64_t usage_rows = BIT(CPU_USER) | BIT(CPU_SYSTEM) | BIT(FAULTS_MINOR) | BIT(FAULTS_MAJOR) | BIT(VOLUNTARY) |
                                   BIT(INVOLUNTARY);

/* The wait as last read by this thread, and its switches up to then, plus 1; 0: never. */
static __thread struct {
    uint64_t switches, wait_ns;
} last __attribute__((tls_model("initial-exec")));

static uint64_t fail(uint64_t failed, const char *reason)
{
    for (unsigned i = 0; i < ROWS; i++)
        if (failed & BIT(i))
            PROFI_PUT(rows[i].reason, reason);
    return 0;
}

static uint64_t microseconds(struct timeval time)
{
    return ((uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_usec) * 1000;
}

static uint64_t read_clock(profi_reading *readings)
{
    struct timespec now;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) != 0)
        return fail(BIT(CPU_TIME), "the thread's CPU clock could not be read");
    readings[CPU_TIME].value = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    return BIT(CPU_TIME);
}

static void put_usage(const struct rusage *usage, profi_reading *readings)
{
    readings[CPU_USER].value = microseconds(usage->ru_utime);
    readings[CPU_SYSTEM].value = microseconds(usage->ru_stime);
    readings[FAULTS_MINOR].value = (uint64_t)usage->ru_minflt;
    readings[FAULTS_MAJOR].value = (uint64_t)usage->ru_majflt;
    readings[VOLUNTARY].value = (uint64_t)usage->ru_nvcsw;
    readings[INVOLUNTARY].value = (uint64_t)usage->ru_nivcsw;
}

/* "time on a CPU, time waiting for one, times it was put on one": all 0 where the kernel does not count. */
static int read_schedstat(uint64_t *wait_ns)
{
    char text[128], *at = text;
    if (!profi_read_text("/proc/thread-self/schedstat", text, sizeof(text)))
        return 0;
    uint64_t on_cpu = strtoull(at, &at, 10);
    *wait_ns = strtoull(at, &at, 10);
    uint64_t times = strtoull(at, &at, 10);
    return (on_cpu | *wait_ns | times) != 0;
}

static uint64_t read_wait(const struct rusage *usage, profi_reading *readings)
{
    uint64_t switches = 1 + (uint64_t)usage->ru_nvcsw + (uint64_t)usage->ru_nivcsw;
    if (last.switches != switches) {
        if (!read_schedstat(&last.wait_ns))
            return fail(BIT(WAIT_CPU), "/proc/thread-self/schedstat could not be read, or this kernel counts nothing there");
        last.switches = switches;
    }
    readings[WAIT_CPU].value = last.wait_ns;
    return BIT(WAIT_CPU);
}

static uint64_t read_thread(uint64_t wanted, profi_reading *readings)
{
    struct rusage usage;
    for (unsigned i = 0; i < ROWS; i++)
        readings[i].high_water = 0;
    uint64_t read = wanted & BIT(CPU_TIME) ? read_clock(readings) : 0;
    if (!(wanted & (usage_rows | BIT(WAIT_CPU))))
        return read;
    if (getrusage(RUSAGE_THREAD, &usage) != 0)
        return read | fail(wanted & (usage_rows | BIT(WAIT_CPU)), "getrusage() was refused");
    put_usage(&usage, readings);
    if (wanted & BIT(WAIT_CPU))
        read |= read_wait(&usage, readings);
    return read | (wanted & usage_rows);
}

void profi_thread_install(void)
{
    profi_probe_source_add(rows, ROWS, read_thread);
}

void profi_thread_forget(void)
{
    last.switches = 0;
}
