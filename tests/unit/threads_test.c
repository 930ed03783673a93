/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that record while others take snapshots, come, go, start and stop:
 * the program that ThreadSanitizer watches.  The real clock; only counts are
 * checked.
 */
#include "child.h"

#include <profcore/events.h>
#include <profcore/snapshot.h>

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 6, ROUNDS = 3000 };

static int is_done;

static void work(int rounds)
{
    for (int i = 0; i < rounds; i++) {
        PROF_BLOCK("work");
        PROF_SCOPE("step") {
            PROF_BEGIN(scope, "phase a");
            PROF_PHASE(scope, "phase b");
            PROF_ITEMS_UNIT(1, "steps");
            PROF_END(scope);
        }
        PROF_COUNTER("round", i);
        prof_span span = PROF_SPAN_BEGIN("span");
        PROF_SPAN_PHASE(span, "its successor");
        PROF_SPAN_END(span);
        if (i % 500 == 0) {
            PROF_BLOCK_WITH("with probes", PROF_SITE_RSS | PROF_SITE_CPU | PROF_SITE_FAULTS | PROF_SITE_SWITCHES |
                                               PROF_SITE_WAIT | PROF_SITE_CGROUP);
        }
    }
}

static void *recording_thread(void *unused)
{
    (void)unused;
    work(ROUNDS);
    return NULL;
}

/* A span's histogram may lack what was booked while it was copied, and no more. */
static int is_span_whole(const prof_snapshot *snapshot, uint32_t span, const prof_function *row)
{
    uint64_t counts[PROF_BUCKET_COUNT], sum = 0;
    if (prof_snapshot_span_histogram(snapshot, span, counts, NULL) != PROF_OK)
        return 0;
    for (int i = 0; i < PROF_BUCKET_COUNT; i++)
        sum += counts[i];
    return sum <= row->calls + THREADS && row->has & PROF_FUNCTION_HAS_EXTREMES && row->min_ns <= row->max_ns;
}

static void *snapshot_thread(void *bad)
{
    while (!__atomic_load_n(&is_done, __ATOMIC_ACQUIRE)) {
        prof_snapshot *snapshot = NULL;
        uint32_t id;
        prof_function row = PROF_FUNCTION_INIT;
        if (prof_snapshot_take(&snapshot, NULL) != PROF_OK)
            continue;
        for (id = 0; id < prof_snapshot_function_count(snapshot); id++) {
            prof_snapshot_function(snapshot, id, &row, NULL);
            if (row.self_ns > row.cumulative_ns || row.primitive_calls > row.calls || row.open_calls > row.calls)
                *(int *)bad = 1;
        }
        for (id = 0; id < prof_snapshot_span_count(snapshot); id++)
            if (prof_snapshot_span(snapshot, id, &row, NULL) != PROF_OK || !is_span_whole(snapshot, id, &row))
                *(int *)bad = 1;
        prof_snapshot_close(snapshot);
    }
    return NULL;
}

static uint64_t calls_of(const char *name)
{
    prof_snapshot *snapshot = NULL;
    prof_function row = PROF_FUNCTION_INIT;
    uint32_t id;
    if (prof_snapshot_take(&snapshot, NULL) == PROF_OK && prof_snapshot_find(snapshot, name, &id, NULL) == PROF_OK)
        prof_snapshot_function(snapshot, id, &row, NULL);
    prof_snapshot_close(snapshot);
    return row.calls;
}

static uint64_t calls_of_span(uint32_t span)
{
    prof_snapshot *snapshot = NULL;
    prof_function row = PROF_FUNCTION_INIT;
    if (prof_snapshot_take(&snapshot, NULL) == PROF_OK)
        prof_snapshot_span(snapshot, span, &row, NULL);
    prof_snapshot_close(snapshot);
    return row.calls;
}

static prof_counter_row counter_row(void)
{
    prof_snapshot *snapshot = NULL;
    prof_counter_row row = PROF_COUNTER_ROW_INIT;
    if (prof_snapshot_take(&snapshot, NULL) == PROF_OK)
        prof_snapshot_counter(snapshot, 0, &row, NULL);
    prof_snapshot_close(snapshot);
    return row;
}

/* Waits until a function has so many calls; 0 when it does not come to that. */
static int wait_for_calls(const char *name, uint64_t calls)
{
    time_t end = time(NULL) + 60;
    while (calls_of(name) != calls)
        if (time(NULL) > end)
            return 0;
    return 1;
}

static void start(void)
{
    prof_options options = PROF_OPTIONS_INIT;
    options.flags = PROF_NO_FILES;
    options.rss_every_ms = 1;
    CHECK_I64(prof_start(&options, NULL), PROF_OK);
}

/* Runs a thread on the smallest stack that it may have. */
static void run_on_small_stack(void *(*body)(void *))
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    REQUIRE(pthread_attr_setstacksize(&attributes, (size_t)sysconf(_SC_THREAD_STACK_MIN)) == 0);
    REQUIRE(pthread_create(&thread, &attributes, body, NULL) == 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
}

/* Before any other case reads them. */
static void *read_probes_first(void *unused)
{
    PROF_BLOCK_WITH("probes on a small stack", PROF_SITE_RSS | PROF_SITE_CPU | PROF_SITE_FAULTS | PROF_SITE_SWITCHES |
                                                   PROF_SITE_WAIT | PROF_SITE_CGROUP);
    return unused;
}

static void read_probes_on_small_stack(void)
{
    start();
    run_on_small_stack(read_probes_first);
    CHECK_U64(calls_of("probes on a small stack"), 1);
}
TEST(first_readings_of_all_probes_fit_the_smallest_stack_a_thread_may_have) { in_child(read_probes_on_small_stack); }

/* ---- cancelled anywhere ---- */

static void take_cancellation_anywhere(void)
{
#if !defined(__SANITIZE_THREAD__) /* which takes locks of its own between the instructions */
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
#endif
}

static void *cancelled_in_a_snapshot(void *taken)
{
    take_cancellation_anywhere();
    for (;; pthread_testcancel()) {
        prof_stats stats = PROF_STATS_INIT;
        prof_stats_get(&stats, NULL);
        prof_snapshot_take(taken, NULL);
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL); /* so that it is known which ones were closed */
        prof_snapshot_close(*(prof_snapshot **)taken);
        *(prof_snapshot **)taken = NULL;
        pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    }
    return NULL;
}

static void *cancelled_in_scopes(void *issued)
{
    take_cancellation_anywhere();
    for (uint64_t i = 0;; i++, pthread_testcancel()) {
        prof_site sites[8] = { /* never seen before, as far as they know: each use takes the lock of the sites */
            PROF_SITE_INIT("asynchronous 0", "t", 0, 0), PROF_SITE_INIT("asynchronous 1", "t", 1, 0),
            PROF_SITE_INIT("asynchronous 2", "t", 2, 0), PROF_SITE_INIT("asynchronous 3", "t", 3, 0),
            PROF_SITE_INIT("asynchronous 4", "t", 4, 0), PROF_SITE_INIT("asynchronous 5", "t", 5, 0),
            PROF_SITE_INIT("asynchronous 6", "t", 6, 0), PROF_SITE_INIT("asynchronous 7", "t", 7, PROF_SITE_RSS),
        };
        prof_scope scopes[2];
        for (int depth = 0; depth < 2; depth++) { /* 72 paths */
            __atomic_fetch_add((uint64_t *)issued, 1, __ATOMIC_RELAXED);
            scopes[depth] = prof_begin(&sites[i >> 3 * depth & 7]);
        }
        prof_end(scopes[0]); /* and a repair */
    }
    return NULL;
}

#if defined(__SANITIZE_ADDRESS__)
#define SKIP_WHERE_FRAMES_ARE_NOTED SKIP("AddressSanitizer keeps notes of the frames that a cancellation leaves")
#else
#define SKIP_WHERE_FRAMES_ARE_NOTED (void)0
#endif

/* Cancels `count` threads, each after up to a millisecond. */
static void cancel_threads(int count, void *(*body)(void *), void *argument)
{
    for (int i = 0; i < count; i++) {
        pthread_t thread;
        REQUIRE(pthread_create(&thread, NULL, body, argument) == 0);
        usleep((useconds_t)(rand() % 1000));
        pthread_cancel(thread);
        pthread_join(thread, NULL);
    }
}

/* In a process of its own, the first to record: without rings, whose chunks come and go with the luck of the threads. */
static void cancel_and_compare(void)
{
    prof_stats early = PROF_STATS_INIT, late = PROF_STATS_INIT;
    uint64_t issued = 0;
    setenv("PROFCORE_MODE", "tree", 1);
    start();
    alarm(120);
    cancel_threads(400, cancelled_in_scopes, &issued); /* from here on all sites and paths are known */
    prof_stats_get(&early, NULL);
    cancel_threads(400, cancelled_in_scopes, &issued);
    prof_stats_get(&late, NULL);
    CHECK(late.memory_used_bytes <= early.memory_used_bytes);
}

TEST(threads_cancelled_asynchronously_leave_no_memory_behind)
{
    SKIP_WHERE_FRAMES_ARE_NOTED;
    in_child(cancel_and_compare);
}

TEST(threads_record_while_snapshots_are_taken)
{
    pthread_t threads[THREADS], reader;
    int bad = 0;
    start();
    REQUIRE(pthread_create(&reader, NULL, snapshot_thread, &bad) == 0);
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, recording_thread, NULL) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    __atomic_store_n(&is_done, 1, __ATOMIC_RELEASE);
    pthread_join(reader, NULL);
    CHECK_I64(prof_stop(NULL), PROF_OK);
    CHECK_I64(bad, 0);
    CHECK_U64(calls_of("work"), THREADS * ROUNDS);
    CHECK_U64(calls_of("phase b"), THREADS * ROUNDS);
    CHECK_U64(calls_of("with probes"), THREADS * (ROUNDS / 500));
    CHECK_U64(counter_row().count, THREADS * ROUNDS);
    CHECK_U64(calls_of_span(0), THREADS * ROUNDS);
    CHECK_U64(calls_of_span(1), THREADS * ROUNDS);
    CHECK((int)counter_row().max == ROUNDS - 1 && (int)counter_row().min == 0);
}

static void *toggling_thread(void *unused)
{
    (void)unused;
    for (int i = 0; i < 2000; i++) {
        prof_start(NULL, NULL);
        prof_stop(NULL);
    }
    return NULL;
}

TEST(starting_and_stopping_while_threads_record_needs_no_repair)
{
    pthread_t threads[THREADS], toggler;
    prof_stats before = PROF_STATS_INIT, after = PROF_STATS_INIT;
    prof_stats_get(&before, NULL);
    REQUIRE(pthread_create(&toggler, NULL, toggling_thread, NULL) == 0);
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, recording_thread, NULL) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_join(toggler, NULL);
    prof_stats_get(&after, NULL);
    CHECK_U64(after.repaired_count, before.repaired_count);
    CHECK_U64(after.unmatched_count, before.unmatched_count);
}

static pthread_key_t late_key;

static void record_late(void *unused)
{
    (void)unused;
    PROF_BLOCK("in a destructor");
}

static void *late_thread(void *unused)
{
    (void)unused;
    work(1);
    pthread_setspecific(late_key, &late_key);
    return NULL;
}

TEST(a_scope_in_a_thread_specific_destructor_is_recorded)
{
    start();
    REQUIRE(pthread_key_create(&late_key, record_late) == 0);
    for (int i = 0; i < 50; i++) {
        pthread_t thread;
        REQUIRE(pthread_create(&thread, NULL, late_thread, NULL) == 0);
        pthread_join(thread, NULL);
    }
    CHECK_I64(prof_stop(NULL), PROF_OK);
    CHECK_U64(calls_of("in a destructor"), 50);
}

static void *cancelled_thread(void *unused)
{
    (void)unused;
    PROF_BLOCK("cancelled");
    for (;;)
        pthread_testcancel();
    return NULL;
}

TEST(a_cancelled_thread_keeps_what_it_recorded)
{
    start();
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        REQUIRE(pthread_create(&thread, NULL, cancelled_thread, NULL) == 0);
        CHECK(wait_for_calls("cancelled", (uint64_t)i + 1));
        pthread_cancel(thread);
        pthread_join(thread, NULL);
    }
    CHECK_I64(prof_stop(NULL), PROF_OK);
    CHECK_U64(calls_of("cancelled"), 20);
}

TEST(a_thread_cancelled_inside_a_snapshot_holds_nobody_up)
{
    SKIP_WHERE_FRAMES_ARE_NOTED;
    start();
    work(100);
    alarm(120); /* which would end a hang */
    for (int i = 0; i < 100; i++) {
        prof_snapshot *taken = NULL;
        cancel_threads(1, cancelled_in_a_snapshot, &taken);
        prof_snapshot_close(taken);
    }
    CHECK(calls_of("work") > 0);
    CHECK_I64(prof_stop(NULL), PROF_OK);
    alarm(0);
}

TEST(threads_cancelled_asynchronously_leave_locks_and_figures_in_order)
{
    SKIP_WHERE_FRAMES_ARE_NOTED;
    enum { MANY = 200 };
    prof_stats before = PROF_STATS_INIT, after = PROF_STATS_INIT;
    uint64_t issued = 0, recorded = 0;
    start();
    alarm(120);
    prof_stats_get(&before, NULL);
    cancel_threads(MANY, cancelled_in_scopes, &issued);
    prof_stats_get(&after, NULL);
    CHECK_U64(after.live_thread_count, before.live_thread_count);
    for (int i = 0; i < 8; i++) {
        char name[32];
        snprintf(name, sizeof(name), "asynchronous %d", i);
        recorded += calls_of(name);
    }
    /* Each thread may have been cancelled between the count and the scope, and within the scope's own begin or end. */
    uint64_t lost = after.lost_count - before.lost_count;
    CHECK(recorded + lost <= issued);
    CHECK(recorded + lost + 2 * MANY >= issued);
    CHECK_I64(prof_stop(NULL), PROF_OK);
    alarm(0);
}

/* ---- small stacks ---- */

static prof_site small_stack_site = PROF_SITE_INIT("on a small stack", "a file\nwhose name wants escapes", 1, 0);

static void *record_first_scope(void *unused)
{
    prof_end(prof_begin(&small_stack_site));
    prof_items(1, "things");
    return unused;
}

TEST(a_first_scope_fits_the_smallest_stack_a_thread_may_have)
{
    start();
    run_on_small_stack(record_first_scope);
    CHECK_I64(prof_stop(NULL), PROF_OK);
    CHECK_U64(calls_of("on a small stack"), 1);
}

enum { SIGNAL_STACK = 256 << 10, UNTOUCHED = 0x5a };
static unsigned char signal_stack[SIGNAL_STACK];
static prof_site handler_site = PROF_SITE_INIT("on a signal stack", "a file\nwhose name wants escapes", 2, 0);

static void record_in_handler(int number)
{
    if (number == SIGUSR2)
        prof_end(prof_begin(&handler_site));
}

/* How much of the signal's stack a handler took. */
static void *handle_on_its_own_stack(void *number)
{
    stack_t stack = { .ss_sp = signal_stack, .ss_size = SIGNAL_STACK };
    memset(signal_stack, UNTOUCHED, sizeof(signal_stack));
    sigaltstack(&stack, NULL);
    raise((int)(intptr_t)number);
    size_t untouched = 0;
    while (untouched < SIGNAL_STACK && signal_stack[untouched] == UNTOUCHED)
        untouched++;
    stack.ss_flags = SS_DISABLE;
    sigaltstack(&stack, NULL);
    return (void *)(SIGNAL_STACK - untouched);
}

TEST(a_first_scope_in_a_handler_takes_little_of_its_stack)
{
    struct sigaction action = { .sa_handler = record_in_handler, .sa_flags = SA_ONSTACK };
    void *used[2] = { NULL, NULL };
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    start();
    for (int i = 0; i < 2; i++) { /* without a scope and with one */
        pthread_t thread;
        REQUIRE(pthread_create(&thread, NULL, handle_on_its_own_stack, (void *)(intptr_t)(i ? SIGUSR2 : SIGUSR1)) == 0);
        pthread_join(thread, &used[i]);
    }
    CHECK_I64(prof_stop(NULL), PROF_OK);
    CHECK_U64(calls_of("on a signal stack"), 1);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    printf("# a first scope takes %zu bytes of a handler's stack\n", (size_t)used[1] - (size_t)used[0]);
    CHECK((size_t)used[1] - (size_t)used[0] <= 2048);
#endif
}

static void *intern_names(void *unused)
{
    (void)unused;
    for (int i = 0; i < 300; i++) {
        prof_site *site = NULL;
        char name[32];
        snprintf(name, sizeof(name), "name %d", i);
        if (prof_site_get(name, SIZE_MAX, NULL, 0, 0, &site, NULL) == PROF_OK)
            prof_end(prof_begin(site));
    }
    return NULL;
}

TEST(new_sites_from_many_threads_are_interned_once)
{
    pthread_t threads[THREADS];
    start();
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, intern_names, NULL) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_I64(prof_stop(NULL), PROF_OK);
    CHECK_U64(calls_of("name 0"), THREADS);
    CHECK_U64(calls_of("name 299"), THREADS);
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
