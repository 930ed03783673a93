/* SPDX-License-Identifier: Apache-2.0 */
/* The doctor on the library itself: it records here, in this process, and looks at the result. */
#include "doctor.h"

#include <profcore/snapshot.h>

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void check_version(doctor_list *list)
{
    unsigned library = prof_version();
    Dl_info where = { 0 };
    int is_same = library == PROF_VERSION;
    dladdr((void *)(uintptr_t)prof_version, &where);
    doctor_add(list, is_same ? DOCTOR_OK : DOCTOR_WARN, "library",
               "this profcore was built with another version: install both from one build, and look at LD_LIBRARY_PATH",
               "libprofcore %u.%u.%u, %s", library >> 16, library >> 8 & 0xff, library & 0xff,
               where.dli_fname != NULL ? where.dli_fname : "linked statically");
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Nanoseconds for a begin and an end, the least of several batches: what disturbs only ever adds. */
static double scope_cost_ns(prof_site *site)
{
    enum { BATCHES = 40, SCOPES = 2000 };
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < BATCHES; i++) {
        uint64_t before = now_ns();
        for (int j = 0; j < SCOPES; j++)
            prof_end(prof_begin(site));
        uint64_t took = now_ns() - before;
        least = took < least ? took : least;
    }
    return (double)least / SCOPES;
}

static void check_clock(doctor_list *list, const prof_about *about)
{
    char kernel[64] = "unknown";
    doctor_read("/sys/devices/system/clocksource/clocksource0/current_clocksource", kernel, sizeof(kernel));
    const char *source = about->clock_source != NULL ? about->clock_source : "unknown";
    int is_steady = (about->has & PROF_ABOUT_CLOCK_IS_STEADY) != 0, is_ticks = strcmp(source, "vdso") != 0;
    doctor_add(list, is_steady && is_ticks ? DOCTOR_OK : DOCTOR_WARN, "clock",
               is_steady ? "scopes cost about twice as much; where the processor's counter can be trusted, boot with "
                           "tsc=reliable or set PROFCORE_CLOCK=tsc"
                         : "durations may be wrong: PROFCORE_CLOCK=vdso is slower and right",
               "%s, %llu Hz, %s; the kernel's clock source is %s", source, (unsigned long long)about->clock_hz,
               is_steady ? "steady" : "not known to be steady", kernel);
}

static prof_status record(double *cost_ns, prof_snapshot **snapshot, prof_error *err)
{
    static prof_site site = PROF_SITE_INIT("profcore doctor", NULL, 0, 0);
    prof_options quiet = PROF_OPTIONS_INIT;
    quiet.flags = PROF_NO_FILES;
    quiet.name = "profcore doctor";
    prof_status status = prof_start(&quiet, err);
    if (status != PROF_OK)
        return status;
    prof_end(prof_begin(&site));
    *cost_ns = scope_cost_ns(&site);
    status = prof_stop(err);
    return status == PROF_OK ? prof_snapshot_take(snapshot, err) : status;
}

static void check_recording(doctor_list *list, const char *scratch)
{
    prof_error err = PROF_ERROR_INIT;
    prof_about about = PROF_ABOUT_INIT;
    prof_stats stats = PROF_STATS_INIT;
    prof_snapshot *snapshot = NULL;
    double cost_ns = 0.0;
    const char *wish = getenv("PROFCORE");
    prof_status status = record(&cost_ns, &snapshot, &err);
    if (status != PROF_OK || prof_snapshot_about(snapshot, &about, &err) != PROF_OK) {
        doctor_add_essential(list, DOCTOR_NO, "recording",
                             "the cap is reserved as address space at start: raise ulimit -v, or lower PROFCORE_MEMORY",
                             "%s: %s", prof_status_name(err.status), err.message);
        return;
    }
    uint32_t function;
    prof_snapshot_stats(snapshot, &stats, NULL);
    if (wish != NULL && strcmp(wish, "0") == 0)
        doctor_add(list, DOCTOR_WARN, "recording", "unset PROFCORE, or set it to 1", "PROFCORE=0 keeps the recorder off");
    else if (prof_snapshot_find(snapshot, "profcore doctor", &function, &err) != PROF_OK)
        doctor_add_essential(list, DOCTOR_NO, "recording", NULL, "a scope was not recorded: %s", err.message);
    else {
        doctor_add_essential(list, DOCTOR_OK, "recording", NULL, "works; %.1f MiB of address space reserved as the cap",
                             (double)stats.memory_limit_bytes / 1048576.0);
        check_clock(list, &about);
        doctor_add(list, DOCTOR_OK, "cost of a scope", NULL, "%.1f ns here, begin and end together", cost_ns);
        doctor_check_dumps(list, scratch);
    }
    prof_snapshot_close(snapshot);
}

static void check_variable(void *list, const char *name, const char *value, const char *problem)
{
    if (problem == NULL)
        doctor_add(list, DOCTOR_OK, "variable", NULL, "%s=%.200s", name, value);
    else
        doctor_add(list, DOCTOR_WARN, "variable", "it is ignored; the section Variables of README.md has them all",
                   "%s=%.200s: %s", name, value, problem);
}

void doctor_check_library(doctor_list *list)
{
    check_version(list);
    prof_environment_check(check_variable, list, NULL);
    const char *temporary = getenv("TMPDIR"), *results = getenv("PROFCORE_DIR");
    char scratch[PATH_MAX], *own = results != NULL ? strdup(results) : NULL;
    snprintf(scratch, sizeof(scratch), "%.4000s/profcore-doctor-XXXXXX", temporary && temporary[0] ? temporary : "/tmp");
    int has_scratch = mkdtemp(scratch) != NULL;
    if (has_scratch)
        setenv("PROFCORE_DIR", scratch, 1); /* for the recorder here */
    unsetenv("PROFCORE_STREAM"); /* whoever reads there waits for a service */
    setenv("PROFCORE_QUIET", "1", 1); /* what the library would say of the variables has just been said */
    setenv("PROFCORE_FORMATS", "none", 1); /* with PROFCORE=1 and PROFCORE_SAVE_EVERY it would save what is recorded here */
    check_recording(list, has_scratch ? scratch : NULL);
    if (has_scratch)
        rmdir(scratch);
    if (own != NULL)
        setenv("PROFCORE_DIR", own, 1);
    else
        unsetenv("PROFCORE_DIR");
    free(own);
}
