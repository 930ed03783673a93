/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that record while others take snapshots, come, go, start and stop:
 * the program that ThreadSanitizer watches.  The real clock; only counts are
 * checked.
 */
#include "harness.h"

#include <profcore/snapshot.h>

#include <pthread.h>
#include <stdlib.h>

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

static prof_counter_row counter_row(void)
{
    prof_snapshot *snapshot = NULL;
    prof_counter_row row = PROF_COUNTER_ROW_INIT;
    if (prof_snapshot_take(&snapshot, NULL) == PROF_OK)
        prof_snapshot_counter(snapshot, 0, &row, NULL);
    prof_snapshot_close(snapshot);
    return row;
}

static void start(void)
{
    prof_options options = PROF_OPTIONS_INIT;
    options.flags = PROF_NO_FILES;
    options.rss_every_ms = 1;
    CHECK_I64(prof_start(&options, NULL), PROF_OK);
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
        while (calls_of("cancelled") != (uint64_t)i + 1)
            ;
        pthread_cancel(thread);
        pthread_join(thread, NULL);
    }
    CHECK_I64(prof_stop(NULL), PROF_OK);
    CHECK_U64(calls_of("cancelled"), 20);
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
