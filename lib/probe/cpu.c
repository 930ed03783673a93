/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How busy processors were between two samples: with this process, by the
 * clock of its CPU time, and with anything, by /proc/stat, which counts in
 * ticks of the kernel, mostly of 10 ms.
 */
#include "probes.h"

#include "../base/kept_file.h"
#include "../base/usage.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static profi_kept_file stat_file = PROFI_KEPT_FILE_INIT;
static uint64_t process_ns, at_ns;         /* at the sample before; 0: there is none */
static uint64_t machine_busy, machine_all; /* ticks of all processors */

static uint64_t clock_ns(clockid_t id)
{
    struct timespec now = { 0, 0 };
    return clock_gettime(id, &now) == 0 ? (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec : 0;
}

/* That this process may run on; 0: unknown. */
static unsigned usable_processors(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 0;
}

static void sample_process(void)
{
    profi_usage *row = profi_usage_add("process", "%", "CPU process");
    uint64_t used = clock_ns(CLOCK_PROCESS_CPUTIME_ID), now = clock_ns(CLOCK_MONOTONIC);
    if (used == 0 || now == 0)
        profi_usage_failed(row, "the clock of the process's CPU time cannot be read");
    else if (at_ns != 0 && now > at_ns)
        profi_usage_value(row, (double)(used - process_ns) * 100 / (double)(now - at_ns));
    profi_usage_limit(row, usable_processors() * 100.0);
    process_ns = used;
    at_ns = now;
}

/* user nice system idle iowait irq softirq steal: what guests take is in user and nice. */
static int read_machine(uint64_t *busy, uint64_t *all)
{
    enum { IDLE = 3, IO_WAIT = 4, FIELDS = 8 };
    char text[256];
    uint64_t ticks[FIELDS] = { 0 };
    if (!profi_kept_file_read(&stat_file, "/proc/stat", text, sizeof(text)) ||
        sscanf(text, "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, &ticks[0],
               &ticks[1], &ticks[2], &ticks[IDLE], &ticks[IO_WAIT], &ticks[5], &ticks[6], &ticks[7]) <= IDLE)
        return 0;
    *all = 0;
    for (unsigned i = 0; i < FIELDS; i++)
        *all += ticks[i];
    *busy = *all - ticks[IDLE] - ticks[IO_WAIT];
    return 1;
}

/* Where no tick came since, there is nothing to tell: no sample, and the next is over a longer time. */
static void sample_machine(void)
{
    profi_usage *row = profi_usage_add("machine", "%", "CPU machine");
    uint64_t busy, all;
    if (!read_machine(&busy, &all)) {
        profi_usage_failed(row, "/proc/stat could not be read");
        return;
    }
    profi_usage_limit(row, 100);
    if (machine_all != 0 && all == machine_all)
        return;
    /* Waiting for input and output may be counted backwards. */
    if (machine_all != 0 && all > machine_all && busy >= machine_busy)
        profi_usage_value(row, (double)profi_min_u64(busy - machine_busy, all - machine_all) * 100 / (double)(all - machine_all));
    machine_busy = busy;
    machine_all = all;
}

void profi_cpu_begin(void)
{
    process_ns = at_ns = machine_busy = machine_all = 0;
}

void profi_cpu_sample(void)
{
    sample_process();
    sample_machine();
}
