/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that reads resident memory so many times a second while the
 * recorder runs.  There is none unless one was asked for; while the recorder
 * is stopped it sleeps.
 *
 * It gives the run's mean and peak, and scopes that measure memory a closer
 * bound of theirs (probe/rss.c).  Nobody waits for it: at the exit of the
 * process it just ends with it.
 */
#include "recorder.h"

#include "../base/error.h"
#include "../base/system.h"
#include "../probe/probes.h"

#include <semaphore.h>

static sem_t wake;
static int is_started;       /* under the recorder's lock */
static uint32_t interval_ms; /* 0: sleep.  Set by whoever starts and stops, read by the thread */
static uint32_t stated_ms;   /* the last that was not 0 */
static uint64_t count, sum, peak; /* written by the thread, read by snapshots: one sample's part stale at most */

static void sample(void)
{
    uint64_t bytes = profi_rss_sample();
    if (bytes == 0)
        return;
    PROFI_ADD(sum, bytes);
    PROFI_PUT(peak, profi_max_u64(PROFI_GET(peak), bytes));
    PROFI_ADD(count, 1u);
}

/* Sleeps until the interval since *last is over and takes that moment for *last, unless it is woken before. */
static profi_wake wait_for_next(uint64_t *last)
{
    uint64_t every_ns = (uint64_t)PROFI_GET(interval_ms) * 1000000, due_ns = *last + every_ns;
    profi_wake woken = profi_thread_sleep_until(&wake, every_ns != 0 ? due_ns : 0);
    if (woken == PROFI_WAKE_DUE) /* what a busy machine made late is left out, not made up for */
        *last = due_ns + (profi_clock_monotonic_ns() - due_ns) / every_ns * every_ns;
    return woken;
}

static void *sampler_main(void *unused)
{
    profi_wake woken = PROFI_WAKE_POSTED;
    uint64_t last = 0;
    (void)unused;
    for (; woken != PROFI_WAKE_ALONE; woken = wait_for_next(&last)) {
        if (woken == PROFI_WAKE_POSTED)
            last = profi_clock_monotonic_ns();
        if (PROFI_GET(interval_ms) != 0)
            sample();
    }
    return NULL;
}

prof_status profi_sampler_start(const profi_config *config, prof_error *err)
{
    if (config->rss_every_ms == 0)
        return PROF_OK;
    PROFI_PUT(interval_ms, config->rss_every_ms);
    PROFI_PUT(stated_ms, config->rss_every_ms);
    if (is_started) {
        sem_post(&wake);
        return PROF_OK;
    }
    prof_status status = profi_thread_spawn_waiting(&wake, sampler_main, "profcore-rss", "samples memory", err);
    is_started = status == PROF_OK;
    return status;
}

void profi_sampler_stop(void)
{
    if (PROFI_GET(interval_ms) == 0)
        return;
    PROFI_PUT(interval_ms, 0u);
    if (is_started)
        sem_post(&wake);
}

void profi_sampler_facts(profi_run_facts *facts)
{
    facts->rss_every_ms = PROFI_GET(stated_ms);
    facts->rss_sample_count = PROFI_GET(count);
    facts->rss_sample_sum = PROFI_GET(sum);
    facts->rss_sample_peak = PROFI_GET(peak);
}

void profi_sampler_forget(void)
{
    is_started = 0;
    interval_ms = stated_ms = 0;
    count = sum = peak = 0;
}
