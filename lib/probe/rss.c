/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resident memory of the process and its high-water mark, in about a
 * microsecond.
 *
 * The value comes from /proc/self/statm on a descriptor that is kept.  The
 * mark comes from getrusage(), which has one trap: it is carried over
 * exec(), so a program started by a larger one would show its parent's.
 * Whether that happened is seen once, by comparing with VmHWM; such a
 * process reads both figures from /proc/self/status.
 */
#include "probes.h"

#include "../base/kept_file.h"
#include "../base/probe_table.h"
#include "../base/system.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SAMPLES = 1024 };

static uint64_t highest_sample(uint64_t mark);

static profi_probe row = { .name = "rss", .unit = "bytes", .of = "process", .site_flags = PROF_SITE_RSS, .is_gauge = 1,
                           .highest_since = highest_sample };
static uint64_t samples[SAMPLES]; /* a ring; the newest is that before `sample_count` */
static uint64_t sample_count;     /* stored with release after its sample; one writer */
static int mark_is_inherited = 1; /* until profi_rss_install() knows better */
static profi_kept_file statm_file = PROFI_KEPT_FILE_INIT;

/* The kibibytes of a line such as "VmRSS:     1234 kB", in bytes; 0 when it is missing. */
static uint64_t field_bytes(const char *status, const char *field)
{
    const char *line = strstr(status, field);
    return line != NULL ? strtoull(line + strlen(field), NULL, 10) * 1024 : 0;
}

static uint64_t resource_mark(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss * 1024 : 0;
}

static int read_status(profi_reading *reading)
{
    char status[4096];
    if (!profi_read_text("/proc/self/status", status, sizeof(status)))
        return 0;
    reading->value = field_bytes(status, "\nVmRSS:");
    reading->high_water = field_bytes(status, "\nVmHWM:");
    return reading->value != 0;
}

static int read_statm(profi_reading *reading)
{
    char statm[128];
    if (!profi_kept_file_read(&statm_file, "/proc/self/statm", statm, sizeof(statm)))
        return 0;
    const char *resident = strchr(statm, ' '); /* the second number, in pages */
    if (resident == NULL)
        return 0;
    reading->value = strtoull(resident, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
    reading->high_water = resource_mark();
    return reading->value != 0;
}

int profi_rss_read(profi_reading *reading)
{
    int saved = errno;
    int is_read = PROFI_GET(mark_is_inherited) ? read_status(reading) : read_statm(reading);
    errno = saved;
    return is_read;
}

uint64_t profi_rss_sample(void)
{
    profi_reading reading = { 0, 0, 0 };
    if (!profi_rss_read(&reading))
        return 0;
    PROFI_PUT(samples[sample_count % SAMPLES], reading.value);
    __atomic_store_n(&sample_count, sample_count + 1, __ATOMIC_RELEASE);
    return reading.value;
}

/* Of a scope longer than all samples that are kept, the newest: a lower bound all the same. */
static uint64_t highest_sample(uint64_t mark)
{
    uint64_t now = __atomic_load_n(&sample_count, __ATOMIC_ACQUIRE), highest = 0;
    for (uint64_t i = now - mark > SAMPLES ? now - SAMPLES : mark; i < now; i++)
        highest = profi_max_u64(highest, PROFI_GET(samples[i % SAMPLES]));
    return highest;
}

static uint64_t read_rss(uint64_t wanted, profi_reading *readings)
{
    (void)wanted;
    readings->mark = __atomic_load_n(&sample_count, __ATOMIC_ACQUIRE);
    if (profi_rss_read(readings))
        return 1;
    PROFI_PUT(row.reason, "/proc/self could not be read");
    return 0;
}

void profi_rss_install(void)
{
    profi_reading reading = { 0, 0, 0 };
    int saved = errno;
    if (read_status(&reading) && reading.high_water != 0 && resource_mark() <= reading.high_water)
        PROFI_PUT(mark_is_inherited, 0);
    errno = saved;
    profi_probe_source_add(&row, 1, read_rss);
}
