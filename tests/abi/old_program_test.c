/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program as it was built against version 0.1, on the library of today.
 *
 * It includes none of our headers: what it knows of the ABI is written out
 * below as 0.1 had it, and stays so.  Each struct that the library writes to
 * is followed by bytes that must keep their value, since an old program's
 * struct is as small as it was.
 */
#include "harness.h"

#include <stdlib.h>
#include <unistd.h>

typedef struct old_scope { uintptr_t place; } old_scope;

typedef struct old_site {
    uint32_t size, flags;
    const char *name, *file;
    uint32_t line, reserved;
    void *intern;
    uint64_t reserved2[2];
} old_site;

typedef struct old_error {
    uint32_t size;
    int32_t status;
    char message[504];
} old_error;

typedef struct old_options {
    uint32_t size, flags;
    const char *name, *directory, *formats, *sort;
    uint64_t memory_bytes;
    uint32_t save_every_s, reserved;
} old_options;

typedef struct old_stats {
    uint32_t size, live_thread_count;
    uint64_t thread_count, lost_count, repaired_count, unmatched_count, memory_used_bytes, memory_limit_bytes;
} old_stats;

typedef struct old_function {
    uint32_t size, id;
    const char *name, *file;
    uint32_t line, has;
    uint64_t calls, primitive_calls, open_calls, self_ns, cumulative_ns, min_ns, max_ns, items;
    const char *items_unit;
    int64_t rss_growth_bytes;
    uint64_t rss_peak_bytes;
} old_function;

/* The first sizes; what has grown since has grown behind them. */
_Static_assert(sizeof(old_site) == 56 && sizeof(old_error) == 512 && sizeof(old_options) == 56 &&
                   sizeof(old_stats) == 56 && sizeof(old_function) == 120, "as in 0.1");

typedef struct old_snapshot old_snapshot;
typedef int (*old_write)(void *user, const void *data, size_t bytes);

extern uint32_t prof_active;
extern uint32_t prof_version(void);
extern const char *prof_status_name(int32_t status);
extern int32_t prof_start(const old_options *options, old_error *err);
extern int32_t prof_stop(old_error *err);
extern int32_t prof_save(old_error *err);
extern int32_t prof_stats_get(old_stats *stats, old_error *err);
extern old_scope prof_begin(old_site *site);
extern void prof_end(old_scope scope);
extern void prof_end_current(void);
extern old_scope prof_phase(old_scope scope, old_site *site);
extern void prof_items(uint64_t count, const char *unit);
extern int32_t prof_site_get(const char *name, size_t name_bytes, const char *file, uint32_t line, uint32_t flags,
                             old_site **site, old_error *err);
extern int32_t prof_snapshot_take(old_snapshot **snapshot, old_error *err);
extern void prof_snapshot_close(old_snapshot *snapshot);
extern int32_t prof_snapshot_subtree(const old_snapshot *snapshot, uint32_t function, old_snapshot **subtree, old_error *err);
extern uint32_t prof_snapshot_function_count(const old_snapshot *snapshot);
extern int32_t prof_snapshot_function(const old_snapshot *snapshot, uint32_t function, old_function *row, old_error *err);
extern int32_t prof_snapshot_find(const old_snapshot *snapshot, const char *name, uint32_t *function, old_error *err);
extern uint32_t prof_snapshot_caller_count(const old_snapshot *snapshot, uint32_t function);
extern int32_t prof_snapshot_caller(const old_snapshot *snapshot, uint32_t function, uint32_t index, old_function *row,
                                    old_error *err);
extern int32_t prof_snapshot_percentile(const old_snapshot *snapshot, uint32_t function, double share, uint64_t *ns,
                                        old_error *err);
extern int32_t prof_snapshot_histogram(const old_snapshot *snapshot, uint32_t function, uint64_t counts[976], old_error *err);
extern uint64_t prof_bucket_upper_ns(uint32_t index);
extern int32_t prof_snapshot_stats(const old_snapshot *snapshot, old_stats *stats, old_error *err);
extern int32_t prof_snapshot_write(const old_snapshot *snapshot, const char *format, const char *sort, old_write write,
                                   void *user, old_error *err);

#define GUARD UINT64_C(0xfeedfacecafebeef)
enum { GUARDS = 64 };

typedef struct guarded_error { old_error known; uint64_t guards[GUARDS]; } guarded_error;
typedef struct guarded_stats { old_stats known; uint64_t guards[GUARDS]; } guarded_stats;
typedef struct guarded_function { old_function known; uint64_t guards[GUARDS]; } guarded_function;
typedef struct guarded_site { old_site known; uint64_t guards[GUARDS]; } guarded_site;

static void set(void *known, size_t bytes, uint64_t *guards)
{
    const uint32_t size = (uint32_t)bytes;
    memset(known, 0, bytes);
    memcpy(known, &size, sizeof(size));
    for (int i = 0; i < GUARDS; i++)
        guards[i] = GUARD;
}

static int is_whole(const uint64_t *guards)
{
    for (int i = 0; i < GUARDS; i++)
        if (guards[i] != GUARD)
            return 0;
    return 1;
}

#define SET(guarded) set(&(guarded).known, sizeof((guarded).known), (guarded).guards)
#define CHECK_WHOLE(guarded)                                        \
    do {                                                            \
        CHECK(is_whole((guarded).guards));                          \
        CHECK_U64((guarded).known.size, sizeof((guarded).known));   \
    } while (0)

static guarded_site outer, inner;

static void start(void)
{
    /* Whatever lies behind the options is not theirs. */
    struct { old_options known; uint64_t guards[GUARDS]; } options;
    SET(options);
    options.known.flags = 1; /* no files */
    CHECK_I64(prof_start(&options.known, NULL), 0);
    CHECK_WHOLE(options);
}

static void record(void)
{
    start();
    SET(outer);
    SET(inner);
    outer.known.name = "outer";
    inner.known.name = "inner";
    inner.known.file = "old.c";
    inner.known.line = 7;
    CHECK(prof_active != 0);
    for (int i = 0; i < 25; i++) {
        const old_scope whole = prof_begin(&outer.known);
        old_scope part = prof_begin(&inner.known);
        prof_items(3, "pieces");
        part = prof_phase(part, &inner.known);
        prof_end_current();
        prof_end(whole);
    }
    CHECK_I64(prof_stop(NULL), 0);
    CHECK_WHOLE(outer);
    CHECK_WHOLE(inner);
}

TEST(it_records_and_reads_with_the_structs_of_its_time)
{
    old_snapshot *snapshot = NULL, *subtree = NULL;
    uint32_t id = UINT32_MAX;
    uint64_t ns = 0, counts[976], sum = 0;
    guarded_function row, edge;
    guarded_stats stats, then;
    record();
    REQUIRE(prof_snapshot_take(&snapshot, NULL) == 0);
    REQUIRE(prof_snapshot_find(snapshot, "inner", &id, NULL) == 0);
    CHECK(id < prof_snapshot_function_count(snapshot));
    SET(row);
    CHECK_I64(prof_snapshot_function(snapshot, id, &row.known, NULL), 0);
    CHECK_WHOLE(row);
    CHECK_STR(row.known.name, "inner");
    CHECK_STR(row.known.file, "old.c");
    CHECK_U64(row.known.line, 7);
    CHECK_U64(row.known.calls, 50);
    CHECK_U64(row.known.primitive_calls, 50);
    CHECK_U64(row.known.open_calls, 0);
    CHECK_U64(row.known.items, 75);
    CHECK_STR(row.known.items_unit, "pieces");
    CHECK(row.known.min_ns <= row.known.max_ns && row.known.self_ns == row.known.cumulative_ns);
    CHECK_U64(row.known.has & 0x13u, 0x13u); /* extremes, items, histogram */
    CHECK_U64(prof_snapshot_caller_count(snapshot, id), 1);
    SET(edge);
    CHECK_I64(prof_snapshot_caller(snapshot, id, 0, &edge.known, NULL), 0);
    CHECK_WHOLE(edge);
    CHECK_STR(edge.known.name, "outer");
    CHECK_U64(edge.known.calls, 50);
    CHECK_I64(prof_snapshot_percentile(snapshot, id, 0.5, &ns, NULL), 0);
    CHECK(ns >= row.known.min_ns && ns <= row.known.max_ns);
    CHECK_I64(prof_snapshot_histogram(snapshot, id, counts, NULL), 0);
    for (uint32_t i = 0; i < 976; i++)
        sum += counts[i];
    CHECK_U64(sum, 50);
    CHECK_U64(prof_bucket_upper_ns(16), 0);
    SET(stats);
    SET(then);
    CHECK_I64(prof_stats_get(&stats.known, NULL), 0);
    CHECK_I64(prof_snapshot_stats(snapshot, &then.known, NULL), 0);
    CHECK_WHOLE(stats);
    CHECK_WHOLE(then);
    CHECK_U64(stats.known.thread_count, 1);
    CHECK_U64(stats.known.memory_limit_bytes, 64 << 20);
    CHECK_I64(prof_snapshot_subtree(snapshot, edge.known.id, &subtree, NULL), 0);
    CHECK_U64(prof_snapshot_function_count(subtree), 2);
    prof_snapshot_close(subtree);
    prof_snapshot_close(snapshot);
}

static int count_bytes(void *user, const void *data, size_t bytes)
{
    (void)data;
    *(size_t *)user += bytes;
    return 0;
}

TEST(it_writes_the_formats_of_its_time)
{
    static const char *const formats[] = { "txt", "prof", "json" };
    old_snapshot *snapshot = NULL;
    record();
    REQUIRE(prof_snapshot_take(&snapshot, NULL) == 0);
    for (int i = 0; i < 3; i++) {
        size_t bytes = 0;
        CHECK_I64(prof_snapshot_write(snapshot, formats[i], "cumulative", count_bytes, &bytes, NULL), 0);
        CHECK(bytes > 100);
    }
    prof_snapshot_close(snapshot);
}

TEST(its_errors_have_the_numbers_and_the_room_of_its_time)
{
    static const char *const names[] = { "PROF_OK", "PROF_E_INVALID", "PROF_E_NO_MEMORY", "PROF_E_IO", "PROF_E_FORMAT",
                                         "PROF_E_UNSUPPORTED", "PROF_E_UNAVAILABLE", "PROF_E_BUSY", "PROF_E_LIMIT",
                                         "PROF_E_NOT_FOUND" };
    char longest[2000];
    guarded_error err;
    old_site *found = NULL;
    old_options options = { .size = sizeof(options), .sort = longest };
    for (int i = 0; i < 10; i++)
        CHECK_STR(prof_status_name(-i), names[i]);
    memset(longest, 'k', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    SET(err);
    CHECK_I64(prof_start(&options, &err.known), -1);
    CHECK_WHOLE(err);
    CHECK_I64(err.known.status, -1);
    CHECK(memchr(err.known.message, '\0', sizeof(err.known.message)) != NULL && strlen(err.known.message) > 20);
    SET(err);
    CHECK_I64(prof_site_get("", SIZE_MAX, NULL, 0, 0, &found, &err.known), -1);
    CHECK_WHOLE(err);
    CHECK(found == NULL);
    CHECK_I64(prof_site_get("of run time", SIZE_MAX, NULL, 0, 0, &found, NULL), 0);
    CHECK(found->size >= sizeof(old_site));
    CHECK_I64(prof_stop(&err.known), -1);
}

TEST(an_unknown_size_is_refused)
{
    guarded_stats stats;
    SET(stats);
    stats.known.size = sizeof(stats.known) - 1;
    CHECK_I64(prof_stats_get(&stats.known, NULL), -1);
    CHECK(is_whole(stats.guards));
    CHECK(prof_version() >= 0x000100u);
}

int main(int argc, char **argv) { return test_main(argc, argv); }
