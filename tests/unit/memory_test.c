/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that an allocator tells of, without one: blocks are addresses that
 * nobody reads.
 */
#define SITES_AT "memory_test.c", 1
#include "recording.h"
#include "simulated.h"

#include <profcore/memory.h>
#include <profcore/operators.h>
#include <profcore/snapshot.h>

#include <pthread.h>
#include <stdlib.h>

enum { MIB = 1 << 20 };

static prof_error err = PROF_ERROR_INIT;

static prof_memory *pool(void)
{
    prof_memory *memory = NULL;
    pass(5);
    CHECK_I64(prof_memory_open("pool", &memory, &err), PROF_OK);
    return memory;
}

static void *block(uintptr_t number) { return (void *)(number * 64); }

static prof_snapshot *taken(void)
{
    prof_snapshot *snapshot = NULL;
    CHECK_I64(prof_snapshot_take(&snapshot, NULL), PROF_OK);
    return snapshot;
}

/* What the calls of a function have. */
typedef struct figures {
    int64_t allocated, freed, blocks, freed_blocks;
    uint64_t peak, largest;
    prof_status status; /* of reading them */
} figures;

static prof_measure measure_of(const prof_snapshot *snapshot, uint32_t id, const char *name, prof_status *status)
{
    prof_measure found = PROF_MEASURE_INIT;
    for (uint32_t i = 0; i < prof_snapshot_probe_count(snapshot); i++) {
        prof_probe_info info = PROF_PROBE_INFO_INIT;
        CHECK_I64(prof_snapshot_probe(snapshot, i, &info, NULL), PROF_OK);
        if (strcmp(info.name, name) == 0)
            *status = prof_snapshot_measure(snapshot, id, i, &found, NULL);
    }
    return found;
}

static figures figures_in(const prof_snapshot *snapshot, const char *function)
{
    figures found = { .status = PROF_E_NOT_FOUND };
    uint32_t id = 0;
    CHECK_I64(prof_snapshot_find(snapshot, function, &id, NULL), PROF_OK);
    found.allocated = measure_of(snapshot, id, "memory.pool.allocated", &found.status).sum;
    found.freed = measure_of(snapshot, id, "memory.pool.freed", &found.status).sum;
    found.blocks = measure_of(snapshot, id, "memory.pool.blocks", &found.status).sum;
    found.freed_blocks = measure_of(snapshot, id, "memory.pool.freed_blocks", &found.status).sum;
    found.peak = measure_of(snapshot, id, "memory.pool.peak", &found.status).largest;
    found.largest = measure_of(snapshot, id, "memory.pool.largest", &found.status).largest;
    return found;
}

static figures figures_of(const char *function)
{
    prof_snapshot *snapshot = taken();
    figures found = figures_in(snapshot, function);
    prof_snapshot_close(snapshot);
    return found;
}

/* The first: later all sites measure. */
TEST(sites_of_before_and_sampled_ones_do_without)
{
    start();
    prof_site *early = site("early");
    prof_memory *memory = pool();
    prof_scope scope = prof_begin(early), sampled = prof_begin(site_with("sampled", PROF_SITE_SAMPLED));
    prof_memory_allocated(memory, block(1), 10);
    prof_memory_freed(memory, block(1));
    prof_end(sampled);
    prof_end(scope);
    stop();
    CHECK_I64(figures_of("early").status, PROF_E_NOT_FOUND);
    CHECK_I64(figures_of("sampled").status, PROF_E_NOT_FOUND);
}

TEST(a_scope_has_what_was_allocated_and_freed_inside_it_and_peaks_nest)
{
    prof_memory *memory = pool();
    start();
    prof_memory_allocated(memory, block(1), 5000); /* the weights: before */
    prof_scope outer = prof_begin(site("outer"));
    prof_memory_allocated(memory, block(2), 100);
    prof_scope inner = prof_begin(site("inner"));
    prof_memory_allocated(memory, block(3), 700);
    prof_memory_freed(memory, block(3));
    prof_memory_allocated(memory, block(4), 20);
    prof_end(inner);
    inner = prof_begin(site("inner"));
    prof_memory_freed(memory, block(4));
    prof_end(inner);
    CHECK_U64(prof_memory_freed(memory, block(2)), 100);
    prof_end(outer);
    CHECK_U64(prof_memory_freed(memory, block(1)), 5000);
    stop();
    figures in_outer = figures_of("outer"), in_inner = figures_of("inner");
    CHECK_I64(in_outer.allocated, 820);
    CHECK_I64(in_outer.freed, 820);
    CHECK_I64(in_outer.blocks, 3);
    CHECK_I64(in_outer.freed_blocks, 3);
    CHECK_U64(in_outer.peak, 800);
    CHECK_U64(in_outer.largest, 700);
    CHECK_I64(in_inner.allocated, 720);
    CHECK_I64(in_inner.freed, 720);
    CHECK_U64(in_inner.peak, 700); /* above its own begin */
    CHECK_U64(in_inner.largest, 700);
}

TEST(what_an_outer_end_repairs_has_its_own_peak_too)
{
    prof_memory *memory = pool();
    start();
    prof_scope outer = prof_begin(site("repairs"));
    prof_memory_allocated(memory, block(1), 10);
    prof_begin(site("forgotten"));
    prof_memory_allocated(memory, block(2), 300);
    prof_memory_freed(memory, block(2));
    prof_begin(site("forgotten too"));
    prof_memory_allocated(memory, block(2), 40);
    prof_memory_freed(memory, block(2));
    prof_end(outer);
    prof_memory_freed(memory, block(1));
    stop();
    CHECK_U64(figures_of("repairs").peak, 310);
    CHECK_U64(figures_of("forgotten").peak, 300);
    CHECK_U64(figures_of("forgotten too").peak, 40);
}

TEST(recursion_counts_its_outermost_calls)
{
    prof_memory *memory = pool();
    start();
    prof_scope scopes[5];
    for (uintptr_t i = 0; i < 5; i++) {
        scopes[i] = prof_begin(site("recursive"));
        prof_memory_allocated(memory, block(i + 1), 10);
    }
    for (uintptr_t i = 5; i-- > 0;) {
        prof_memory_freed(memory, block(i + 1));
        prof_end(scopes[i]);
    }
    stop();
    CHECK_I64(figures_of("recursive").allocated, 50);
    CHECK_U64(figures_of("recursive").peak, 50);
    CHECK_U64(figures_of("recursive").largest, 10);
}

/* ---- random histories against figures that are kept the simple way ---- */

enum { HISTORY_DEPTH = 8, HISTORY_BLOCKS = 64, HISTORY_STEPS = 20000 };

typedef struct history {
    unsigned number; /* of the thread: its blocks and sites are its own */
    unsigned random;
    prof_memory *memory;
    uint64_t sizes[HISTORY_BLOCKS]; /* 0: not allocated */
    int64_t live;
    struct level {
        prof_scope scope;
        int64_t begin, high;
        uint64_t allocated, freed, largest;
    } levels[HISTORY_DEPTH];
    unsigned depth;
    figures of[HISTORY_DEPTH]; /* of the site of each level */
} history;

static unsigned next_random(history *h)
{
    h->random = h->random * 1664525 + 1013904223;
    return h->random >> 8;
}

static prof_site *level_site(const history *h, unsigned level)
{
    char name[32];
    snprintf(name, sizeof(name), "thread %u level %u", h->number, level);
    return site(name);
}

static void history_begin(history *h)
{
    h->levels[h->depth] = (struct level){ .begin = h->live, .high = h->live, .scope = prof_begin(level_site(h, h->depth)) };
    h->depth++;
}

static void history_end(history *h)
{
    struct level *level = &h->levels[--h->depth];
    figures *sum = &h->of[h->depth];
    prof_end(level->scope);
    sum->allocated += (int64_t)level->allocated;
    sum->freed += (int64_t)level->freed;
    if ((uint64_t)(level->high - level->begin) > sum->peak)
        sum->peak = (uint64_t)(level->high - level->begin);
    if (level->largest > sum->largest)
        sum->largest = level->largest;
}

static void history_allocate(history *h, unsigned number, uint64_t bytes)
{
    prof_memory_allocated(h->memory, block(10000 * (h->number + 1) + number), bytes);
    h->sizes[number] = bytes;
    h->live += (int64_t)bytes;
    for (unsigned i = 0; i < h->depth; i++) {
        struct level *level = &h->levels[i];
        level->allocated += bytes;
        level->high = h->live > level->high ? h->live : level->high;
        level->largest = bytes > level->largest ? bytes : level->largest;
    }
}

static void history_free(history *h, unsigned number)
{
    if (prof_memory_freed(h->memory, block(10000 * (h->number + 1) + number)) != h->sizes[number])
        h->of[0].status = PROF_E_INVALID;
    h->live -= (int64_t)h->sizes[number];
    for (unsigned i = 0; i < h->depth; i++)
        h->levels[i].freed += h->sizes[number];
    h->sizes[number] = 0;
}

static void *run_history(void *user)
{
    history *h = user;
    for (unsigned i = 0; i < HISTORY_STEPS; i++) {
        unsigned choice = next_random(h) % 8, number = next_random(h) % HISTORY_BLOCKS;
        if (choice < 2 && h->depth < HISTORY_DEPTH)
            history_begin(h);
        else if (choice < 4 && h->depth != 0)
            history_end(h);
        else if (h->sizes[number] == 0)
            history_allocate(h, number, 1 + next_random(h) % MIB);
        else
            history_free(h, number);
    }
    while (h->depth != 0)
        history_end(h);
    for (unsigned i = 0; i < HISTORY_BLOCKS; i++)
        if (h->sizes[i] != 0)
            history_free(h, i);
    return NULL;
}

TEST(random_histories_on_several_threads_have_the_figures_that_were_kept_beside_them)
{
    enum { THREADS = 4 };
    static history histories[THREADS];
    pthread_t threads[THREADS];
    prof_memory *memory = pool();
    start();
    for (unsigned i = 0; i < THREADS; i++) {
        histories[i] = (history){ .number = i, .random = 17 * i + 1, .memory = memory };
        REQUIRE(pthread_create(&threads[i], NULL, run_history, &histories[i]) == 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    stop();
    prof_snapshot *snapshot = taken();
    for (unsigned i = 0; i < THREADS; i++)
        for (unsigned level = 0; level < HISTORY_DEPTH; level++) {
            char name[32];
            snprintf(name, sizeof(name), "thread %u level %u", i, level);
            figures found = figures_in(snapshot, name), expected = histories[i].of[level];
            CHECK_I64(expected.status, PROF_OK);
            CHECK_I64(found.allocated, expected.allocated);
            CHECK_I64(found.freed, expected.freed);
            CHECK_U64(found.peak, expected.peak);
            CHECK_U64(found.largest, expected.largest);
            CHECK(found.allocated != 0 && found.peak != 0);
        }
    prof_snapshot_close(snapshot);
}

/* ---- frees elsewhere, and what stays ---- */

static void *free_elsewhere(void *user)
{
    prof_scope scope = prof_begin(site("frees elsewhere"));
    prof_memory_freed(user, block(1));
    prof_end(scope);
    return NULL;
}

/* The place of this path; all zero where nothing is there. */
static prof_place place_of(const char *path)
{
    prof_snapshot *snapshot = taken();
    prof_place place = PROF_PLACE_INIT;
    static char scope[64], called[64];
    for (uint32_t i = 0; i < prof_snapshot_place_count(snapshot); i++) {
        CHECK_I64(prof_snapshot_place(snapshot, i, &place, NULL), PROF_OK);
        if (strcmp(place.path, path) == 0) {
            snprintf(scope, sizeof(scope), "%s", place.scope ? place.scope : "");
            snprintf(called, sizeof(called), "%s", place.called ? place.called : "");
            place.scope = scope;
            place.called = called;
            prof_snapshot_close(snapshot);
            return place;
        }
    }
    prof_snapshot_close(snapshot);
    return (prof_place)PROF_PLACE_INIT;
}

TEST(a_block_that_another_thread_frees_is_in_what_that_one_freed_and_gone_from_its_place)
{
    pthread_t thread;
    prof_memory *memory = pool();
    start();
    prof_scope scope = prof_begin(site("hands over"));
    prof_memory_allocated(memory, block(1), 64);
    CHECK_U64(place_of("hands over").live_bytes, 64);
    REQUIRE(pthread_create(&thread, NULL, free_elsewhere, memory) == 0);
    pthread_join(thread, NULL);
    prof_end(scope);
    stop();
    CHECK_I64(figures_of("hands over").allocated, 64);
    CHECK_I64(figures_of("hands over").freed, 0);
    CHECK_I64(figures_of("frees elsewhere").freed, 64);
    CHECK_U64(figures_of("frees elsewhere").peak, 0);
    CHECK_U64(place_of("hands over").live_bytes, 0);
}

static void respond(prof_memory *memory, prof_operators *runtime, uintptr_t number, int leaks)
{
    prof_scope scope = prof_begin(site("get_response"));
    prof_scope forward = prof_operator_begin(runtime, "forward"), clone = prof_operator_begin(runtime, "aten::clone");
    prof_scope empty = prof_operator_begin(runtime, "aten::empty");
    prof_memory_allocated(memory, block(number), 256);
    prof_end(empty);
    prof_end(clone);
    prof_end(forward);
    if (!leaks)
        prof_memory_freed(memory, block(number));
    prof_end(scope);
}

TEST(a_leak_of_a_block_a_call_is_named_by_operator_and_scope)
{
    prof_memory *memory = pool();
    prof_operators *runtime = NULL;
    CHECK_I64(prof_operators_open("torch", &runtime, NULL), PROF_OK);
    start();
    CHECK_I64(prof_memory_check(1, &err), PROF_E_INVALID);
    CHECK_HAS(err.message, "prof_memory_mark() has not been called");
    respond(memory, runtime, 1, 1); /* what a warm-up leaves is no leak */
    prof_memory_mark();
    CHECK_I64(prof_memory_check(0, &err), PROF_E_INVALID);
    for (uintptr_t i = 0; i < 100; i++)
        respond(memory, runtime, 10, 0);
    CHECK_I64(prof_memory_check(1, &err), PROF_OK);
    for (uintptr_t i = 0; i < 99; i++)
        respond(memory, runtime, 10 + i, 1);
    CHECK_I64(prof_memory_check(100, &err), PROF_OK);
    respond(memory, runtime, 500, 1);
    CHECK_I64(prof_memory_check(100, &err), PROF_E_LIMIT);
    CHECK_STR(err.message, "100 iterations left 100 blocks (25.0 KiB) of pool by aten::clone under get_response: "
                           "get_response > forward > aten::clone > aten::empty");
    prof_place place = place_of("get_response > forward > aten::clone > aten::empty");
    CHECK_STR(place.scope, "get_response");
    CHECK_STR(place.called, "aten::clone");
    CHECK_U64(place.live_count, 101);
    CHECK_U64(place.new_count, 200);
    CHECK_I64(place.grown_count, 100);
    CHECK_I64(place.grown_bytes, 25600);
    CHECK_U64(place.is_marked, 1);
    for (uintptr_t i = 0; i < 99; i++)
        prof_memory_freed(memory, block(10 + i));
    CHECK_I64(prof_memory_check(2, &err), PROF_OK);
    stop();
}

TEST(a_deep_place_is_cut_to_its_innermost_scopes)
{
    prof_memory *memory = pool();
    prof_scope scopes[40];
    char name[16], path[1024] = "\xe2\x80\xa6";
    start();
    for (unsigned i = 0; i < 40; i++) {
        snprintf(name, sizeof(name), "deep %u", i);
        scopes[i] = prof_begin(site(name));
        snprintf(path + strlen(path), sizeof(path) - strlen(path), "%s%s", i >= 16 ? " > " : "", i >= 16 ? name : "");
    }
    prof_memory_allocated(memory, block(1), 8);
    CHECK_U64(place_of(path).live_bytes, 8);
    for (unsigned i = 40; i-- > 0;)
        prof_end(scopes[i]);
    prof_memory_freed(memory, block(1));
    stop();
}

/* ---- reports ---- */

static int gather(void *user, const void *data, size_t bytes)
{
    char *text = user;
    size_t used = strlen(text), room = (1u << 20) - 1 - used, taken_bytes = bytes < room ? bytes : room;
    memcpy(text + used, data, taken_bytes);
    text[used + taken_bytes] = '\0';
    return 0;
}

/* That one has `times` as much as the other, all told, and at the same places in the same order. */
static void check_same_memory(const prof_snapshot *expected, const prof_snapshot *found, uint64_t times)
{
    const uint32_t places = prof_snapshot_place_count(expected);
    REQUIRE(prof_snapshot_memory_count(found) == prof_snapshot_memory_count(expected) && prof_snapshot_place_count(found) == places);
    for (uint32_t i = 0; i < prof_snapshot_memory_count(expected); i++) {
        prof_memory_info a = PROF_MEMORY_INFO_INIT, b = PROF_MEMORY_INFO_INIT;
        CHECK_I64(prof_snapshot_memory(expected, i, &a, NULL), PROF_OK);
        CHECK_I64(prof_snapshot_memory(found, i, &b, NULL), PROF_OK);
        CHECK_STR(b.name, a.name);
        CHECK_U64(b.allocated_bytes, times * a.allocated_bytes);
        CHECK_U64(b.allocated_count, times * a.allocated_count);
        CHECK_U64(b.live_bytes, times * a.live_bytes);
        CHECK_U64(b.live_count, times * a.live_count);
        CHECK_U64(b.peak_bytes, a.peak_bytes);
        CHECK(b.lost_count == times * a.lost_count && b.unknown_count == times * a.unknown_count);
    }
    for (uint32_t i = 0; i < places; i++) {
        prof_place a = PROF_PLACE_INIT, b = PROF_PLACE_INIT;
        CHECK_I64(prof_snapshot_place(expected, i, &a, NULL), PROF_OK);
        CHECK_I64(prof_snapshot_place(found, i, &b, NULL), PROF_OK);
        CHECK_STR(b.path, a.path);
        CHECK((a.scope == NULL) == (b.scope == NULL) && (a.called == NULL) == (b.called == NULL));
        CHECK(b.memory == a.memory && b.is_marked == a.is_marked);
        CHECK(b.live_bytes == times * a.live_bytes && b.live_count == times * a.live_count && b.new_count == times * a.new_count);
        CHECK(b.grown_bytes == (int64_t)times * a.grown_bytes && b.grown_count == (int64_t)times * a.grown_count);
    }
}

TEST(the_table_and_the_summary_show_it)
{
    static char table[1 << 20], summary[1 << 20];
    prof_memory *memory = pool();
    start();
    prof_scope scope = prof_begin(site("shown"));
    prof_memory_allocated(memory, block(1), 3 * MIB);
    prof_memory_allocated(memory, block(2), MIB);
    prof_memory_freed(memory, block(2));
    prof_end(scope);
    prof_snapshot *snapshot = taken(), *again = NULL, *merged = NULL;
    CHECK_I64(prof_snapshot_write(snapshot, "txt", NULL, gather, table, &err), PROF_OK);
    CHECK_I64(prof_snapshot_write(snapshot, "json", NULL, gather, summary, &err), PROF_OK);
    CHECK_HAS(table, "Memory of pool, of the whole process, as its allocator told: 3.0 MiB in ");
    CHECK_HAS(table, "        4.0 MiB          2      4.0 MiB      3.0 MiB      +3.0 MiB      +1 memory_test.c:1(shown)\n");
    CHECK_HAS(table, "        3.0 MiB          1          2 shown\n");
    CHECK_HAS(summary, "\"memory.pool.peak\":{\"calls\":1,\"failed_calls\":0,\"sum\":4194304,\"max\":4194304}");
    CHECK_HAS(summary, "{\"memory\":\"pool\",\"path\":\"shown\",\"scope\":\"shown\",\"operator\":null,\"live_bytes\":3145728");
    CHECK_I64(prof_snapshot_read(summary, strlen(summary), "summary", &again, &err), PROF_OK);
    CHECK_U64(figures_in(again, "shown").peak, 4 * MIB);
    check_same_memory(snapshot, again, 1);
    const prof_snapshot *const parts[] = { snapshot, again };
    CHECK_I64(prof_snapshot_merge(parts, 2, &merged, &err), PROF_OK);
    check_same_memory(snapshot, merged, 2);
    prof_snapshot_close(merged);
    prof_snapshot_close(again);
    prof_snapshot_close(snapshot);
    prof_memory_freed(memory, block(1));
    stop();
}

#define SUMMARY "{\"schema\":\"profcore.summary/1\",\"name\":\"n\",\"functions\":[],\"allocators\":["
#define POOL(name) "{\"name\":\"" name "\",\"allocated_bytes\":4,\"allocated_count\":1,\"live_bytes\":4,\"live_count\":1,\"peak_bytes\":4}"
#define PLACE(memory, bytes) "{\"memory\":\"" memory "\",\"path\":\"a\",\"live_bytes\":4,\"live_count\":1,\"new_count\":1," \
                             "\"grown_bytes\":" bytes ",\"grown_count\":1}"

static void check_refused(const char *text, prof_status status, const char *part)
{
    prof_snapshot *read = NULL;
    CHECK_I64(prof_snapshot_read(text, strlen(text), "made up", &read, &err), status);
    CHECK_HAS(err.message, part);
    CHECK(read == NULL);
}

TEST(a_summary_whose_places_make_no_sense_is_refused)
{
    char many[8192] = SUMMARY;
    prof_snapshot *read = NULL;
    const char *good = SUMMARY POOL("pool") "],\"places\":[" PLACE("pool", "-4") "," PLACE("pool", "9") "]}";
    prof_place place = PROF_PLACE_INIT;
    CHECK_I64(prof_snapshot_read(good, strlen(good), "made up", &read, &err), PROF_OK);
    CHECK_U64(prof_snapshot_place_count(read), 1); /* of one path, so it is one place */
    CHECK_I64(prof_snapshot_place(read, 0, &place, &err), PROF_OK);
    CHECK(place.grown_bytes == 5 && place.live_bytes == 8 && place.scope == NULL && place.is_marked == 0);
    prof_snapshot_close(read);
    check_refused(SUMMARY POOL("pool") "],\"places\":[" PLACE("other", "4") "]}", PROF_E_FORMAT, "places[0].memory");
    check_refused(SUMMARY "{\"name\":\"pool\"}]}", PROF_E_FORMAT, "allocators[0].allocated_bytes");
    check_refused(SUMMARY POOL("pool") "],\"places\":[" PLACE("pool", "9223372036854775807") "," PLACE("pool", "1") "]}", PROF_E_LIMIT,
                  "does not fit");
    for (int i = 0; i < 17; i++)
        sprintf(many + strlen(many), "%s" POOL("%c"), i != 0 ? "," : "", 'a' + i);
    check_refused(strcat(many, "]}"), PROF_E_INVALID, "more than 16 kinds of memory");
}

/* ---- what cannot be counted ---- */

static prof_memory_info info_of(const char *name)
{
    prof_snapshot *snapshot = taken();
    prof_memory_info info = PROF_MEMORY_INFO_INIT;
    uint32_t i = 0;
    while (i < prof_snapshot_memory_count(snapshot) && prof_snapshot_memory(snapshot, i, &info, NULL) == PROF_OK &&
           strcmp(info.name, name) != 0)
        i++;
    CHECK(i < prof_snapshot_memory_count(snapshot));
    prof_snapshot_close(snapshot);
    return info;
}

TEST(a_free_of_what_was_allocated_before_is_in_no_figure)
{
    prof_memory *memory = pool();
    start();
    prof_memory_info before = info_of("pool");
    CHECK_U64(prof_memory_freed(memory, block(777777)), 0);
    prof_memory_freed(memory, NULL);
    prof_memory_freed(NULL, block(1));
    prof_memory_allocated(memory, NULL, 1);
    prof_memory_allocated(NULL, block(1), 1);
    prof_memory_info after = info_of("pool");
    CHECK_U64(after.unknown_count - before.unknown_count, 1);
    CHECK_U64(after.live_bytes, before.live_bytes);
    stop();
}

TEST(an_address_that_is_handed_out_again_was_freed)
{
    prof_memory *memory = pool();
    start();
    prof_memory_info before = info_of("pool");
    prof_scope scope = prof_begin(site("hands out twice"));
    prof_memory_allocated(memory, block(1), 10);
    prof_memory_allocated(memory, block(1), 30);
    prof_end(scope);
    prof_memory_freed(memory, block(1));
    stop();
    CHECK_I64(figures_of("hands out twice").freed, 10);
    CHECK_I64(figures_of("hands out twice").allocated, 40);
    CHECK_U64(info_of("pool").live_bytes, before.live_bytes);
    CHECK_U64(info_of("pool").live_count, before.live_count);
}

TEST(blocks_beyond_the_table_are_lost_and_counted_and_the_others_exact)
{
    enum { MANY = 600000 };
    prof_memory *memory = pool();
    start();
    prof_memory_info before = info_of("pool");
    for (uintptr_t i = 0; i < MANY; i++)
        prof_memory_allocated(memory, block(1000000 + i), 16);
    prof_memory_info full = info_of("pool");
    uint64_t lost = full.lost_count - before.lost_count;
    CHECK(lost >= MANY - (1 << 19) && lost < MANY / 2);
    CHECK_U64(full.live_count - before.live_count, MANY - lost);
    CHECK_U64(full.live_bytes - before.live_bytes, 16 * (MANY - lost));
    for (uintptr_t i = 0; i < MANY; i++)
        prof_memory_freed(memory, block(1000000 + i));
    prof_memory_info empty = info_of("pool");
    CHECK_U64(empty.live_count, before.live_count);
    CHECK_U64(empty.unknown_count - full.unknown_count, lost);
    stop();
}

TEST(more_places_than_there_are_share_one_and_lose_no_byte)
{
    enum { MANY = 5000 };
    prof_memory *memory = pool();
    char name[32];
    start();
    prof_memory_info before = info_of("pool");
    for (uintptr_t i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "place %u", (unsigned)i);
        prof_scope scope = prof_begin(site(name));
        prof_memory_allocated(memory, block(1000000 + i), 16);
        prof_end(scope);
    }
    CHECK_U64(info_of("pool").live_count - before.live_count, MANY);
    prof_snapshot *snapshot = taken();
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < prof_snapshot_place_count(snapshot); i++) {
        prof_place place = PROF_PLACE_INIT;
        CHECK_I64(prof_snapshot_place(snapshot, i, &place, NULL), PROF_OK);
        bytes += place.live_bytes;
    }
    CHECK_U64(bytes, before.live_bytes + 16 * MANY);
    prof_snapshot_close(snapshot);
    CHECK(place_of("").live_count >= MANY - 4096);
    for (uintptr_t i = 0; i < MANY; i++)
        prof_memory_freed(memory, block(1000000 + i));
    CHECK_U64(place_of("").live_count, 0);
    stop();
}

TEST(a_forked_child_goes_on_with_what_is_allocated)
{
    prof_memory *memory = pool();
    start();
    prof_memory_allocated(memory, block(1), 40);
    pid_t child = fork();
    if (child == 0) {
        prof_memory_info info = info_of("pool");
        prof_scope scope = prof_begin(site("in the child"));
        uint64_t freed = prof_memory_freed(memory, block(1));
        prof_memory_allocated(memory, block(2), 8);
        prof_end(scope);
        _exit(freed == 40 && info_of("pool").live_bytes == info.live_bytes - 32 && figures_of("in the child").allocated == 8
                  ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    CHECK_I64(status, 0);
    CHECK_U64(prof_memory_freed(memory, block(1)), 40);
    stop();
}

TEST(a_name_is_checked_and_a_fifth_kind_refused)
{
    prof_memory *memory = NULL, *same = NULL;
    char name[40];
    CHECK_I64(prof_memory_open("", &memory, &err), PROF_E_INVALID);
    CHECK_I64(prof_memory_open(NULL, &memory, &err), PROF_E_INVALID);
    CHECK_I64(prof_memory_open("x", NULL, &err), PROF_E_INVALID);
    CHECK_I64(prof_memory_open("a name of thirty-two bytes, or so", &memory, &err), PROF_E_INVALID);
    for (int i = 1; i < 4; i++) {
        snprintf(name, sizeof(name), "kind %d", i);
        CHECK_I64(prof_memory_open(name, &memory, &err), PROF_OK);
        CHECK_I64(prof_memory_open(name, &same, &err), PROF_OK);
        CHECK(memory == same && memory != pool());
    }
    CHECK_I64(prof_memory_open("kind 4", &memory, &err), PROF_E_LIMIT);
    start();
    prof_scope scope = prof_begin(site("two kinds"));
    prof_memory_allocated(pool(), block(1), 10);
    prof_memory_allocated(same, block(1), 7); /* addresses are each kind's own */
    CHECK_U64(prof_memory_freed(pool(), block(1)), 10);
    CHECK_U64(prof_memory_freed(same, block(1)), 7);
    prof_end(scope);
    CHECK_I64(figures_of("two kinds").allocated, 10);
    stop();
}

int main(int argc, char **argv) { return test_main(argc, argv); }
