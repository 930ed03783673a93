/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that samples while the recorder runs: resident memory, and how
 * busy processors and GPUs are, each at a rate of its own; and that writes what
 * pools of memory hold over time.  There is none unless one was asked for, or
 * there is a pool; while the recorder is stopped it sleeps.
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
#include <time.h>

/* What is done again and again. */
typedef struct task {
    void (*begin)(void); /* where it starts anew; or NULL */
    void (*run)(uint32_t every_ms, uint64_t missed); /* `missed`: turns that passed unused since the last */
    uint32_t every_ms;   /* 0: not.  Set by whoever starts and stops, read by the thread */
    uint32_t is_new;     /* likewise: it starts anew */
    uint64_t due_ns;     /* the thread's */
} task;

enum { POOLS_EVERY_MS = 100, SETTLE_NS = 1000000000, LOOK_NS = 100000 };

static void sample_memory(uint32_t every_ms, uint64_t missed);
static void write_pools(uint32_t every_ms, uint64_t missed);
static void sample_utilization(uint32_t every_ms, uint64_t missed) { profi_utilization_sample(every_ms, missed); }

enum { MEMORY, UTILIZATION, POOLS, TASKS };
static task tasks[TASKS] = {
    [MEMORY] = { .run = sample_memory },
    [UTILIZATION] = { .begin = profi_utilization_begin, .run = sample_utilization },
    [POOLS] = { .run = write_pools },
};

static sem_t wake;
static uint32_t is_started, has_ended; /* the latter: with the process, and never to be started anew in it */
static uint32_t asked, answered; /* to write what pools hold by now; the latter by the thread */
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

static void write_pools(uint32_t every_ms, uint64_t missed)
{
    uint32_t ask = PROFI_ACQUIRE(asked);
    (void)every_ms;
    (void)missed;
    profi_pool_trace_write(ask != answered);
    PROFI_RELEASE(answered, ask);
}

static void begin(task *one, uint64_t now)
{
    if (__atomic_exchange_n(&one->is_new, 0u, __ATOMIC_ACQUIRE) == 0)
        return;
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
        if (PROFI_ACQUIRE(asked) != answered)
            write_pools(0, 0);
        for (unsigned i = 0; i < TASKS; i++)
            run_if_due(&tasks[i]);
    }
    if (PROFI_GET(tasks[POOLS].every_ms) != 0)
        write_pools(0, 0);
    PROFI_PUT(has_ended, 1u); /* the end of the process may be this thread's to see to, and nobody is to wait for it */
    return NULL;
}

static void set(task *one, uint32_t every_ms)
{
    PROFI_PUT(one->every_ms, every_ms);
    PROFI_RELEASE(one->is_new, 1u);
}

static prof_status wake_or_start(prof_error *err)
{
    if (__atomic_exchange_n(&is_started, 1u, __ATOMIC_ACQ_REL) != 0) {
        sem_post(&wake);
        return PROF_OK;
    }
    prof_status status = profi_thread_spawn_waiting(&wake, sampler_main, "profcore-sample", "samples memory and utilization", err);
    if (status != PROF_OK)
        PROFI_PUT(is_started, 0u);
    return status;
}

prof_status profi_sampler_start(const profi_config *config, prof_error *err)
{
    if (config->rss_every_ms == 0 && config->utilization_every_ms == 0)
        return PROF_OK;
    set(&tasks[MEMORY], config->rss_every_ms);
    set(&tasks[UTILIZATION], config->utilization_every_ms);
    if (config->rss_every_ms != 0)
        PROFI_PUT(stated_ms, config->rss_every_ms);
    return wake_or_start(err);
}

prof_status profi_sampler_trace_pools(prof_error *err)
{
    if (__atomic_exchange_n(&tasks[POOLS].every_ms, POOLS_EVERY_MS, __ATOMIC_ACQ_REL) != 0)
        return PROF_OK;
    PROFI_RELEASE(tasks[POOLS].is_new, 1u);
    profi_pool_trace_begin();
    return wake_or_start(err);
}

void profi_sampler_resume_pools(void)
{
    if (PROFI_GET(tasks[POOLS].every_ms) != 0)
        profi_pool_trace_begin();
}

void profi_sampler_settle_pools(void)
{
    uint64_t until = profi_clock_monotonic_ns() + SETTLE_NS;
    if (PROFI_GET(tasks[POOLS].every_ms) == 0 || PROFI_GET(is_started) == 0 || PROFI_GET(has_ended) != 0)
        return;
    uint32_t ask = __atomic_add_fetch(&asked, 1u, __ATOMIC_ACQ_REL);
    sem_post(&wake);
    while ((int32_t)(PROFI_ACQUIRE(answered) - ask) < 0 && profi_clock_monotonic_ns() < until)
        nanosleep(&(struct timespec){ .tv_nsec = LOOK_NS }, NULL);
}

void profi_sampler_stop(void)
{
    uint32_t were_running = 0;
    for (unsigned i = 0; i < TASKS; i++)
        were_running |= __atomic_exchange_n(&tasks[i].every_ms, 0u, __ATOMIC_ACQ_REL);
    if (were_running == 0)
        return;
    profi_pool_trace_end();
    if (PROFI_GET(is_started) != 0)
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
    is_started = has_ended = asked = answered = 0;
    stated_ms = 0;
    for (unsigned i = 0; i < TASKS; i++)
        tasks[i].every_ms = tasks[i].is_new = 0;
    count = sum = peak = 0;
    profi_utilization_forget();
    profi_pool_trace_forget();
}
