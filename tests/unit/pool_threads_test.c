/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool that all threads change while others take snapshots.  The real clock.
 * A program of its own: a pool is there once in a process, and ThreadSanitizer
 * lets no forked child begin threads after some were cancelled.
 */
#include "harness.h"

#include <profcore/memory.h>
#include <profcore/snapshot.h>

#include <pthread.h>
#include <string.h>

enum { THREADS = 6 };

static int is_done;

/* So many that queues have room for all: nothing may be lost, however threads are switched. */
enum { POOL_ROUNDS = 4000, POOL_BYTES = 1000 };
static prof_pool *shared_pool;

static void *pooling_thread(void *unused)
{
    (void)unused;
    for (int i = 0; i < POOL_ROUNDS; i++) {
        PROF_BLOCK_WITH("pools", PROF_SITE_POOLS);
        PROF_SCOPE_WITH("allocates", PROF_SITE_POOLS) { prof_pool_change(shared_pool, POOL_BYTES, 0); }
        prof_pool_change(shared_pool, -POOL_BYTES, 0);
    }
    return NULL;
}

static void *reading_thread(void *unused)
{
    (void)unused;
    while (!__atomic_load_n(&is_done, __ATOMIC_RELAXED)) {
        prof_snapshot *snapshot = NULL;
        if (prof_snapshot_take(&snapshot, NULL) == PROF_OK)
            prof_snapshot_close(snapshot);
    }
    return NULL;
}

static int pool_figures_hold(const prof_snapshot *snapshot, const char *function)
{
    uint32_t id = 0, probe = 0;
    prof_probe_info info = PROF_PROBE_INFO_INIT;
    prof_measure found = PROF_MEASURE_INIT;
    if (prof_snapshot_find(snapshot, function, &id, NULL) != PROF_OK)
        return 0;
    while (prof_snapshot_probe(snapshot, probe, &info, NULL) == PROF_OK && strcmp(info.name, "shared.allocated") != 0)
        probe++;
    return prof_snapshot_measure(snapshot, id, probe, &found, NULL) == PROF_OK && found.calls == THREADS * POOL_ROUNDS &&
           found.failed_calls == 0 && found.rise >= POOL_BYTES && found.peak <= THREADS * POOL_BYTES;
}

TEST(a_pool_that_all_threads_change_has_figures_of_all_calls_while_others_read)
{
    pthread_t threads[THREADS], reader;
    prof_snapshot *snapshot = NULL;
    prof_options options = PROF_OPTIONS_INIT;
    options.flags = PROF_NO_FILES;
    CHECK_I64(prof_pool_open("shared", &shared_pool, NULL), PROF_OK);
    CHECK_I64(prof_start(&options, NULL), PROF_OK);
    pthread_create(&reader, NULL, reading_thread, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, pooling_thread, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    __atomic_store_n(&is_done, 1, __ATOMIC_RELAXED);
    pthread_join(reader, NULL);
    CHECK_I64(prof_snapshot_take(&snapshot, NULL), PROF_OK);
    CHECK(pool_figures_hold(snapshot, "pools"));
    CHECK(pool_figures_hold(snapshot, "allocates"));
    prof_snapshot_close(snapshot);
    CHECK_I64(prof_stop(NULL), PROF_OK);
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
