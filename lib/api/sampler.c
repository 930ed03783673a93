/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that samples while the recorder runs: resident memory, and how
 * busy processors and GPUs are, each at a rate of its own.  There is none
 * unless one was asked for; while the recorder is stopped it sleeps.
 *
 * It gives the run's mean and peak, and scopes that measure memory a closer
 * bound of theirs (probe/rss.c).  Nobody waits for it: at the exit of the
 * process it just ends with it, also where a driver does not answer.
 */
#include "recorder.h"

#include "../base/error.h"
#include "../base/system.h"
#include "../probe/probes.h"

#include <semaphore.h>

/* What is done again and again. */
typedef struct task {
    void (*begin)(void); /* where it starts anew; or NULL */
    void (*run)(uint32_t every_ms, uint64_t missed); /* `missed`: turns that passed unused since the last */
    uint32_t every_ms;   /* 0: not.  Set by whoever starts and stops, read by the thread */
    uint64_t due_ns;     /* the thread's */
} task;

static void sample_memory(uint32_t every_ms, uint64_t missed);
static void sample_utilization(uint32_t every_ms, uint64_t missed) { profi_utilization_sample(every_ms, missed); }

enum { MEMORY, UTILIZATION, TASKS };
static task tasks[TASKS] = {
    [MEMORY] = { .run = sample_memory },
    [UTILIZATION] = { .begin = profi_utilization_begin, .run = sample_utilization },
};

static sem_t wake;
static int is_started;       /* under the recorder's lock */
static uint32_t stated_ms;   /* how often memory is sampled: the last that was not 0 */
static uint64_t count, sum, peak; /* written by the thread, read by snapshots: one sample's part stale at most */

static void sample_memory(uint32_t every_ms, uint64_t missed)
{
    uint64_t bytes = profi_rss_sample();
    (void)every_ms;
    (void)missed;
    if (bytes == 0)
        return;
    PROFI_ADD(sum, bytes);
    PROFI_PUT(peak, profi_max_u64(PROFI_GET(peak), bytes));
    PROFI_ADD(count, 1u);
}

static void begin(task *one, uint64_t now)
{
    one->due_ns = now;
    if (one->begin != NULL && PROFI_GET(one->every_ms) != 0)
        one->begin();
}

/* Does it where it is due; turns that passed meanwhile, on a busy machine, are left out and not made up for. */
static void run_if_due(task *one)
{
    uint32_t every_ms = PROFI_GET(one->every_ms);
    uint64_t every_ns = (uint64_t)every_ms * 1000000, now = profi_clock_monotonic_ns();
    if (every_ns == 0 || now < one->due_ns)
        return;
    uint64_t late = (now - one->due_ns) / every_ns;
    one->due_ns += (late + 1) * every_ns;
    one->run(every_ms, late);
}

/* When the next is due; 0: never. */
static uint64_t next_due(void)
{
    uint64_t next = 0;
    for (unsigned i = 0; i < TASKS; i++)
        if (PROFI_GET(tasks[i].every_ms) != 0 && (next == 0 || tasks[i].due_ns < next))
            next = tasks[i].due_ns;
    return next;
}

static void *sampler_main(void *unused)
{
    profi_wake woken = PROFI_WAKE_POSTED;
    (void)unused;
    for (; woken != PROFI_WAKE_ALONE; woken = profi_thread_sleep_until(&wake, next_due())) {
        uint64_t now = profi_clock_monotonic_ns();
        for (unsigned i = 0; i < TASKS && woken == PROFI_WAKE_POSTED; i++)
            begin(&tasks[i], now);
        for (unsigned i = 0; i < TASKS; i++)
            run_if_due(&tasks[i]);
    }
    return NULL;
}

prof_status profi_sampler_start(const profi_config *config, prof_error *err)
{
    if (config->rss_every_ms == 0 && config->utilization_every_ms == 0)
        return PROF_OK;
    PROFI_PUT(tasks[MEMORY].every_ms, config->rss_every_ms);
    PROFI_PUT(tasks[UTILIZATION].every_ms, config->utilization_every_ms);
    if (config->rss_every_ms != 0)
        PROFI_PUT(stated_ms, config->rss_every_ms);
    if (is_started) {
        sem_post(&wake);
        return PROF_OK;
    }
    prof_status status = profi_thread_spawn_waiting(&wake, sampler_main, "profcore-sample", "samples memory and utilization", err);
    is_started = status == PROF_OK;
    return status;
}

void profi_sampler_stop(void)
{
    if (PROFI_GET(tasks[MEMORY].every_ms) == 0 && PROFI_GET(tasks[UTILIZATION].every_ms) == 0)
        return;
    for (unsigned i = 0; i < TASKS; i++)
        PROFI_PUT(tasks[i].every_ms, 0u);
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
    stated_ms = 0;
    for (unsigned i = 0; i < TASKS; i++)
        tasks[i].every_ms = 0;
    count = sum = peak = 0;
    profi_utilization_forget();
}
