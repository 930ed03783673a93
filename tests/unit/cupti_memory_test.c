/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CUPTI's memory records become pools: made-up records, in any order, against
 * what each scope would have seen.  No GPU is needed.
 */
#define SITES_AT "cupti_memory_test.c", 1
#include "measures.h"
#include "recording.h"
#include "simulated.h"

#include "gpu/cupti_memory.h"
#include "record/levels.h"

#include <profcore/memory.h>
#include <profcore/snapshot.h>

#include <stdlib.h>

enum { DEVICES = 2, BLOCKS = 64, DRIVER_POOL = 0x1000 };

static profi_cupti_memory waiting[1 << 16];
static unsigned waiting_count;
static uint64_t random_state = 5;

static unsigned draw(unsigned below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % below;
}

static void note(profi_cupti_memory record)
{
    pass(10);
    record.tick = now_ns;
    waiting[waiting_count++] = record;
}

/* In any order, as several buffers give them. */
static void deliver(void)
{
    for (unsigned i = waiting_count; i > 0; i--) {
        unsigned chosen = draw(i);
        profi_cupti_memory_add(&waiting[chosen]);
        waiting[chosen] = waiting[i - 1];
    }
    waiting_count = 0;
    pass(10);
    profi_cupti_memory_complete(now_ns);
}

static uint64_t peak_of(const char *function, const char *level)
{
    prof_status status;
    prof_measure found = measure_of(function, level, &status, NULL);
    CHECK_I64(status, PROF_OK);
    return found.peak;
}

static void begin_test(void)
{
    pass(100);
    profi_cupti_memory_start(DEVICES);
    start();
}

TEST(blocks_count_on_their_device_until_they_are_released_and_kinds_are_told_apart)
{
    begin_test();
    prof_scope scope = prof_begin(site("mallocs"));
    note((profi_cupti_memory){ .address = 0x10, .bytes = 100, .kind = PROFI_CUPTI_DEVICE, .operation = PROFI_CUPTI_ALLOCATE });
    note((profi_cupti_memory){ .address = 0x20, .bytes = 50, .kind = PROFI_CUPTI_ARRAY, .operation = PROFI_CUPTI_ALLOCATE });
    note((profi_cupti_memory){ .address = 0x30, .bytes = 7, .kind = PROFI_CUPTI_DEVICE, .operation = PROFI_CUPTI_ALLOCATE, .device = 1 });
    note((profi_cupti_memory){ .address = 0x40, .bytes = 11, .kind = PROFI_CUPTI_MANAGED, .operation = PROFI_CUPTI_ALLOCATE });
    note((profi_cupti_memory){ .address = 0x50, .bytes = 13, .kind = PROFI_CUPTI_PINNED, .operation = PROFI_CUPTI_ALLOCATE });
    note((profi_cupti_memory){ .address = 0x60, .bytes = 17, .kind = 1, .operation = PROFI_CUPTI_ALLOCATE }); /* pageable: main memory */
    /* A release of an older version says neither how much, nor which device. */
    note((profi_cupti_memory){ .address = 0x10, .kind = PROFI_CUPTI_DEVICE, .operation = PROFI_CUPTI_RELEASE, .device = 1 });
    note((profi_cupti_memory){ .address = 0x20, .kind = PROFI_CUPTI_ARRAY, .operation = PROFI_CUPTI_RELEASE });
    note((profi_cupti_memory){ .address = 0x30, .kind = PROFI_CUPTI_DEVICE, .operation = PROFI_CUPTI_RELEASE });
    pass(10);
    prof_end(scope);
    deliver();
    stop();
    prof_status status;
    CHECK_U64(peak_of("mallocs", "cuda:0.allocated"), 150);
    CHECK_U64(peak_of("mallocs", "cuda:0.reserved"), 150);
    CHECK_U64(peak_of("mallocs", "cuda:1.allocated"), 7);
    CHECK_U64(peak_of("mallocs", "cuda.managed.allocated"), 11);
    CHECK_U64(peak_of("mallocs", "cuda.pinned.allocated"), 13);
    CHECK_I64(measure_of("mallocs", "cuda:0.allocated", &status, NULL).sum, 0);
    CHECK_I64(measure_of("mallocs", "cuda:1.allocated", &status, NULL).sum, 0);
}

TEST(what_a_pool_of_the_driver_holds_is_reserved_and_its_blocks_are_allocated)
{
    begin_test();
    profi_cupti_memory in_pool = { .kind = PROFI_CUPTI_DEVICE, .has_pool = 1, .pool_address = DRIVER_POOL };
    profi_cupti_memory made = in_pool, freed = in_pool, trimmed = { .is_pool = 1, .address = DRIVER_POOL, .operation = PROFI_CUPTI_POOL_TRIMMED };
    prof_scope scope = prof_begin(site("mallocs asynchronously"));
    made.operation = PROFI_CUPTI_ALLOCATE;
    made.address = 0x100;
    made.bytes = 1000;
    made.pool_bytes = 32768;
    note(made);
    made.address = 0x200;
    made.bytes = 500;
    note(made);
    freed.operation = PROFI_CUPTI_RELEASE;
    freed.pool_bytes = 32768;
    freed.address = 0x100;
    note(freed);
    freed.address = 0x200;
    note(freed);
    pass(10);
    prof_end(scope);
    scope = prof_begin(site("trims"));
    trimmed.pool_bytes = 4096;
    note(trimmed);
    trimmed.operation = PROFI_CUPTI_POOL_DESTROYED;
    note(trimmed);
    pass(10);
    prof_end(scope);
    deliver();
    stop();
    prof_status status;
    CHECK_U64(peak_of("mallocs asynchronously", "cuda:0.allocated"), 1500);
    CHECK_U64(peak_of("mallocs asynchronously", "cuda:0.reserved"), 32768);
    CHECK_I64(measure_of("mallocs asynchronously", "cuda:0.allocated", &status, NULL).sum, 0);
    CHECK_I64(measure_of("mallocs asynchronously", "cuda:0.reserved", &status, NULL).sum, 32768);
    CHECK_I64(measure_of("trims", "cuda:0.reserved", &status, NULL).sum, -32768);
}

TEST(random_records_in_any_order_are_as_the_oracle_says)
{
    enum { ROUNDS = 200 };
    static uint64_t sizes[BLOCKS];
    static int64_t now[DEVICES];
    char name[32];
    int64_t peaks[ROUNDS][DEVICES];
    begin_test();
    for (unsigned round = 0; round < ROUNDS; round++) {
        snprintf(name, sizeof(name), "round %u", round);
        pass(10);
        prof_scope scope = prof_begin(site(name));
        memcpy(peaks[round], now, sizeof(now));
        for (unsigned i = 0; i < 40; i++) {
            unsigned number = draw(BLOCKS), device = number % DEVICES;
            profi_cupti_memory record = { .address = 0x100000 + 64 * number, .device = device,
                                          .kind = PROFI_CUPTI_DEVICE, .operation = PROFI_CUPTI_ALLOCATE, .bytes = 1 + draw(100000) };
            if (sizes[number] != 0)
                record.operation = PROFI_CUPTI_RELEASE;
            now[device] += sizes[number] != 0 ? -(int64_t)sizes[number] : (int64_t)record.bytes;
            sizes[number] = sizes[number] != 0 ? 0 : record.bytes;
            peaks[round][device] = now[device] > peaks[round][device] ? now[device] : peaks[round][device];
            note(record);
        }
        pass(10);
        prof_end(scope);
        if (draw(5) == 0)
            deliver();
    }
    deliver();
    for (unsigned round = 0; round < ROUNDS; round++) {
        snprintf(name, sizeof(name), "round %u", round);
        CHECK_U64(peak_of(name, "cuda:0.allocated"), peaks[round][0]);
        CHECK_U64(peak_of(name, "cuda:1.allocated"), peaks[round][1]);
    }
    for (unsigned i = 0; i < BLOCKS; i++)
        if (sizes[i] != 0)
            note((profi_cupti_memory){ .address = 0x100000 + 64 * i, .kind = PROFI_CUPTI_DEVICE, .operation = PROFI_CUPTI_RELEASE });
    deliver();
    stop();
}

TEST(any_number_of_addresses_may_be_used_one_after_the_other)
{
    begin_test();
    uint64_t unknown = profi_cupti_memory_stats_now().unknown_release_count;
    prof_scope scope = prof_begin(site("wanders"));
    for (unsigned i = 0; i < 1200000; i++) {
        profi_cupti_memory record = { .tick = now_ns += 10, .address = 0x10000000 + 512 * (uint64_t)i, .bytes = 512,
                                      .kind = PROFI_CUPTI_DEVICE, .operation = PROFI_CUPTI_ALLOCATE };
        profi_cupti_memory_add(&record);
        record.operation = PROFI_CUPTI_RELEASE;
        record.tick = now_ns += 10;
        profi_cupti_memory_add(&record);
        if (i % 10000 == 0) {
            pass(10);
            profi_cupti_memory_complete(now_ns);
        }
    }
    pass(10);
    prof_end(scope);
    pass(10);
    profi_cupti_memory_complete(now_ns);
    stop();
    CHECK_U64(peak_of("wanders", "cuda:0.allocated"), 512);
    CHECK_U64(profi_cupti_memory_stats_now().unknown_release_count - unknown, 0);
}

TEST(a_release_of_what_was_there_before_is_counted_and_changes_nothing)
{
    begin_test();
    uint64_t unknown = profi_cupti_memory_stats_now().unknown_release_count;
    prof_scope scope = prof_begin(site("releases what was there"));
    note((profi_cupti_memory){ .address = 0x77777, .bytes = 99, .kind = PROFI_CUPTI_DEVICE, .operation = PROFI_CUPTI_RELEASE });
    pass(10);
    prof_end(scope);
    deliver();
    stop();
    prof_status status;
    CHECK_U64(profi_cupti_memory_stats_now().unknown_release_count - unknown, 1);
    CHECK_I64(measure_of("releases what was there", "cuda:0.allocated", &status, NULL).sum, 0);
}

static prof_pool_info pool_named(const char *name)
{
    prof_snapshot *snapshot = NULL;
    prof_pool_info found = PROF_POOL_INFO_INIT;
    CHECK_I64(prof_snapshot_take(&snapshot, NULL), PROF_OK);
    for (uint32_t i = 0; i < prof_snapshot_pool_count(snapshot); i++) {
        prof_pool_info info = PROF_POOL_INFO_INIT;
        CHECK_I64(prof_snapshot_pool(snapshot, i, &info, NULL), PROF_OK);
        if (strcmp(info.name, name) == 0)
            found = info;
    }
    prof_snapshot_close(snapshot);
    found.name = found.exhausted_path = found.reason = NULL; /* the snapshot's */
    return found;
}

/* It is its own pool's as well: what one does not know is not the other's concern. */
static void call_with(prof_pool *own, const char *name)
{
    pass(10);
    prof_scope scope = prof_begin(site(name));
    prof_pool_change(own, 5, 5);
    pass(10);
    prof_end(scope);
    pass(10);
}

TEST(where_tracing_ends_pools_stay_as_they_were_and_others_go_on)
{
    prof_pool *own = NULL;
    prof_status status;
    begin_test();
    CHECK_I64(prof_pool_open("own", &own, NULL), PROF_OK);
    uint64_t before = pool_named("cuda:1").allocated_bytes, changes = pool_named("cuda:1").change_count;
    note((profi_cupti_memory){ .address = 0xabc000, .bytes = 100, .kind = PROFI_CUPTI_DEVICE, .operation = PROFI_CUPTI_ALLOCATE, .device = 1 });
    deliver();
    pass(10);
    prof_scope around = prof_begin(site("around the end"));
    pass(10);
    profi_cupti_memory_complete(now_ns);
    profi_cupti_memory_end(now_ns);
    pass(10);
    prof_end(around);
    call_with(own, "after the end");
    prof_pool_info ended = pool_named("cuda:1");
    CHECK(ended.is_known);
    CHECK_U64(ended.allocated_bytes, before + 100);
    CHECK_U64(ended.change_count, changes + 2); /* of both levels */
    CHECK_U64(ended.lost_change_count, 0);
    CHECK_U64(ended.flags, PROF_POOL_IS_TRACED | PROF_POOL_HAS_ENDED);
    CHECK_U64(pool_named("own").flags, 0);
    CHECK_U64(pool_named("own").allocated_bytes, 5);
    CHECK_U64(peak_of("after the end", "own.allocated"), 5);
    measure_of("around the end", "cuda:1.allocated", &status, NULL);
    CHECK_I64(status, PROF_E_UNAVAILABLE);
    measure_of("after the end", "cuda:1.allocated", &status, NULL);
    CHECK_I64(status, PROF_E_UNAVAILABLE);
    stop();
}

TEST(where_tracing_begins_anew_pools_hold_nothing_from_before)
{
    profi_cupti_memory_end(now_ns);
    begin_test();
    pass(10);
    CHECK_U64(pool_named("cuda:1").flags, PROF_POOL_IS_TRACED);
    CHECK(pool_named("cuda:1").is_known);
    CHECK_U64(pool_named("cuda:1").allocated_bytes, 0);
    prof_scope scope = prof_begin(site("begins anew"));
    note((profi_cupti_memory){ .address = 0xabc000, .kind = PROFI_CUPTI_DEVICE, .operation = PROFI_CUPTI_RELEASE });
    note((profi_cupti_memory){ .address = 0xdef000, .bytes = 7, .kind = PROFI_CUPTI_DEVICE, .operation = PROFI_CUPTI_ALLOCATE, .device = 1 });
    note((profi_cupti_memory){ .address = 0xeef000, .bytes = 9, .kind = PROFI_CUPTI_DEVICE, .operation = PROFI_CUPTI_ALLOCATE, .device = 8 });
    note((profi_cupti_memory){ .address = 0xdef000, .kind = PROFI_CUPTI_DEVICE, .operation = PROFI_CUPTI_RELEASE });
    pass(10);
    prof_end(scope);
    deliver();
    CHECK_U64(peak_of("begins anew", "cuda:1.allocated"), 7);
    CHECK_U64(pool_named("cuda:1").allocated_bytes, 0);
    stop();
}

TEST(in_a_forked_child_pools_of_devices_are_empty)
{
    begin_test();
    note((profi_cupti_memory){ .address = 0xf0000, .bytes = 50, .kind = PROFI_CUPTI_DEVICE, .operation = PROFI_CUPTI_ALLOCATE });
    deliver();
    CHECK(pool_named("cuda:0").allocated_bytes >= 50);
    profi_cupti_memory_forget(); /* as in the child */
    prof_pool_info forgotten = pool_named("cuda:0");
    CHECK(forgotten.is_known);
    CHECK_U64(forgotten.allocated_bytes, 0);
    CHECK_U64(forgotten.allocated_peak_bytes, 0);
    CHECK_U64(forgotten.change_count, 0);
    stop();
}

TEST(names_of_these_pools_are_nobody_elses)
{
    prof_pool *pool = NULL;
    prof_error err = PROF_ERROR_INIT;
    static const char *const names[] = { "cuda:0", "cuda:7", "cuda.managed", "cuda.pinned" };
    for (unsigned i = 0; i < 4; i++) {
        CHECK_I64(prof_pool_open(names[i], &pool, &err), PROF_E_INVALID);
        CHECK_HAS(err.message, "is the name of what the GPU's driver hands out");
    }
    CHECK_I64(prof_pool_open("cuda:8", &pool, &err), PROF_OK);
}

/* The last: nothing is known afterwards. */
TEST(after_lost_records_calls_read_unavailable)
{
    begin_test();
    prof_end(prof_begin(site("before records were lost")));
    pass(10);
    prof_scope scope = prof_begin(site("while records were lost"));
    pass(10);
    profi_cupti_memory_dropped(now_ns);
    pass(10);
    prof_end(scope);
    note((profi_cupti_memory){ .address = 0x10, .bytes = 100, .kind = PROFI_CUPTI_DEVICE, .operation = PROFI_CUPTI_ALLOCATE });
    pass(10);
    prof_end(prof_begin(site("after records were lost")));
    deliver();
    stop();
    prof_status status;
    measure_of("before records were lost", "cuda:0.allocated", &status, NULL);
    CHECK_I64(status, PROF_OK);
    measure_of("while records were lost", "cuda:0.allocated", &status, NULL);
    CHECK_I64(status, PROF_E_UNAVAILABLE);
    measure_of("after records were lost", "cuda:0.allocated", &status, NULL);
    CHECK_I64(status, PROF_E_UNAVAILABLE);
}

int main(int argc, char **argv)
{
    setenv("PROFCORE_MODE", "tree", 1); /* else a thread that writes the timeline sweeps too, at any time */
    return test_main(argc, argv);
}
