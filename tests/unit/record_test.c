/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scopes on a simulated clock, seen through the public functions: every
 * figure is exact.
 */
#define SITES_AT "record_test.c", 1
#include "child.h"
#include "recording.h"
#include "simulated.h"

#include "base/region.h"
#include "record/cold.h"
#include <profcore/snapshot.h>

#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static prof_function row(const char *name)
{
    prof_snapshot *snapshot = NULL;
    prof_function found = PROF_FUNCTION_INIT;
    prof_error err = PROF_ERROR_INIT;
    uint32_t id = 0;
    CHECK_I64(prof_snapshot_take(&snapshot, &err), PROF_OK);
    if (prof_snapshot_find(snapshot, name, &id, &err) == PROF_OK)
        CHECK_I64(prof_snapshot_function(snapshot, id, &found, &err), PROF_OK);
    prof_snapshot_close(snapshot);
    found.name = NULL; /* freed with the snapshot */
    return found;
}

/* The edge from one function to another; calls 0 where there is none. */
static prof_function edge(const char *caller, const char *callee)
{
    prof_snapshot *snapshot = NULL;
    prof_function found = PROF_FUNCTION_INIT, none = PROF_FUNCTION_INIT;
    uint32_t id = 0;
    CHECK_I64(prof_snapshot_take(&snapshot, NULL), PROF_OK);
    CHECK_I64(prof_snapshot_find(snapshot, callee, &id, NULL), PROF_OK);
    for (uint32_t i = 0; i < prof_snapshot_caller_count(snapshot, id); i++) {
        CHECK_I64(prof_snapshot_caller(snapshot, id, i, &found, NULL), PROF_OK);
        if (strcmp(found.name, caller) == 0) {
            prof_snapshot_close(snapshot);
            return found;
        }
    }
    prof_snapshot_close(snapshot);
    return none;
}

TEST(a_scope_has_its_calls_and_exact_times)
{
    start();
    for (uint64_t i = 1; i <= 3; i++) {
        prof_scope scope = prof_begin(site("timed"));
        pass(i * 100);
        prof_end(scope);
        pass(7);
    }
    stop();
    prof_function timed = row("timed");
    CHECK_U64(timed.calls, 3);
    CHECK_U64(timed.primitive_calls, 3);
    CHECK_U64(timed.self_ns, 600);
    CHECK_U64(timed.cumulative_ns, 600);
    CHECK_U64(timed.min_ns, 100);
    CHECK_U64(timed.max_ns, 300);
    CHECK_U64(timed.open_calls, 0);
}

TEST(self_time_excludes_callees_and_callers_are_kept_by_edge)
{
    start();
    prof_scope outer = prof_begin(site("outer"));
    pass(10);
    for (int i = 0; i < 2; i++) {
        prof_scope inner = prof_begin(site("inner"));
        pass(5);
        prof_end(inner);
    }
    prof_end(outer);
    prof_scope alone = prof_begin(site("inner"));
    pass(1);
    prof_end(alone);
    stop();
    CHECK_U64(row("outer").self_ns, 10);
    CHECK_U64(row("outer").cumulative_ns, 20);
    CHECK_U64(row("inner").calls, 3);
    CHECK_U64(row("inner").self_ns, 11);
    CHECK_U64(edge("outer", "inner").calls, 2);
    CHECK_U64(edge("outer", "inner").self_ns, 10);
}

/* m calls r(3) and then r(1); r recurses: the figures that cProfile gives. */
static void recurse(unsigned depth)
{
    prof_scope scope = prof_begin(site("r"));
    pass(10);
    if (depth > 1)
        recurse(depth - 1);
    prof_end(scope);
}

TEST(recursion_counts_primitive_calls_and_outermost_time_as_cprofile_does)
{
    start();
    prof_scope m = prof_begin(site("m"));
    recurse(3);
    recurse(1);
    prof_end(m);
    stop();
    prof_function r = row("r"), from_m = edge("m", "r"), from_r = edge("r", "r");
    CHECK_U64(r.primitive_calls, 2);
    CHECK_U64(r.calls, 4);
    CHECK_U64(r.self_ns, 40);
    CHECK_U64(r.cumulative_ns, 40);
    CHECK_U64(from_m.calls, 2);
    CHECK_U64(from_m.primitive_calls, 2);
    CHECK_U64(from_m.cumulative_ns, 40);
    CHECK_U64(from_r.calls, 2);
    CHECK_U64(from_r.primitive_calls, 1);
    CHECK_U64(from_r.cumulative_ns, 20);
}

static void mutual(unsigned depth, int is_a)
{
    prof_scope scope = prof_begin(site(is_a ? "mutual a" : "mutual b"));
    pass(1);
    if (depth > 0)
        mutual(depth - (is_a ? 0 : 1), !is_a);
    prof_end(scope);
}

TEST(mutual_recursion_counts_edges_that_are_on_the_stack_already)
{
    start();
    mutual(3, 1); /* a b a b a b a */
    stop();
    CHECK_U64(edge("mutual a", "mutual b").calls, 3);
    CHECK_U64(edge("mutual a", "mutual b").primitive_calls, 1);
    CHECK_U64(edge("mutual b", "mutual a").calls, 3);
    CHECK_U64(edge("mutual b", "mutual a").primitive_calls, 1);
    CHECK_U64(row("mutual a").primitive_calls, 1);
}

TEST(a_phase_ends_one_scope_and_begins_the_next_at_one_instant)
{
    start();
    prof_scope parent = prof_begin(site("request"));
    prof_scope scope = prof_begin(site("prefill"));
    for (int i = 0; i < 3; i++) {
        pass(10);
        scope = prof_phase(scope, site("decode"));
        pass(20);
        scope = prof_phase(scope, site("prefill"));
    }
    prof_end(scope);
    prof_end(parent);
    stop();
    CHECK_U64(row("prefill").calls, 4);
    CHECK_U64(row("prefill").self_ns, 30);
    CHECK_U64(row("decode").calls, 3);
    CHECK_U64(row("decode").self_ns, 60);
    CHECK_U64(row("request").self_ns, 0);
    CHECK_U64(edge("request", "decode").calls, 3);
}

TEST(a_missing_end_is_repaired_at_the_end_that_finds_it_and_counted)
{
    uint64_t before = stats().repaired_count;
    start();
    prof_scope outer = prof_begin(site("repairing"));
    prof_begin(site("forgotten"));
    prof_begin(site("forgotten deeper"));
    pass(50);
    prof_end(outer);
    prof_scope next = prof_begin(site("after repair"));
    prof_end(next);
    stop();
    CHECK_U64(stats().repaired_count, before + 2);
    CHECK_U64(row("forgotten").cumulative_ns, 50);
    CHECK_U64(row("forgotten deeper").self_ns, 50);
    CHECK_U64(row("repairing").cumulative_ns, 50);
    CHECK_U64(edge("forgotten", "after repair").calls, 0);
}

TEST(an_end_without_its_scope_is_ignored_and_counted)
{
    uint64_t before = stats().unmatched_count;
    int somewhere = 0;
    start();
    prof_scope ended = prof_begin(site("ended twice"));
    prof_end(ended);
    prof_end(ended);
    prof_end((prof_scope){ (uintptr_t)&somewhere });
    prof_end((prof_scope){ 12345 });
    prof_end_current();
    prof_end(PROF_SCOPE_NONE);
    stop();
    CHECK_U64(row("ended twice").calls, 1);
    CHECK_U64(stats().unmatched_count, before + 4);
}

static jmp_buf back;
static void jump_out(void)
{
    prof_begin(site("jumped over"));
    longjmp(back, 1);
}

TEST(longjmp_out_of_scopes_is_repaired)
{
    uint64_t before = stats().repaired_count;
    start();
    prof_scope outer = prof_begin(site("set jump"));
    if (setjmp(back) == 0)
        jump_out();
    prof_end(outer);
    stop();
    CHECK_U64(stats().repaired_count, before + 1);
    CHECK_U64(row("set jump").calls, 1);
}

TEST(end_current_closes_the_innermost_scope)
{
    start();
    prof_begin(site("current outer"));
    prof_begin(site("current inner"));
    pass(3);
    prof_end_current();
    pass(4);
    prof_end_current();
    stop();
    CHECK_U64(row("current inner").cumulative_ns, 3);
    CHECK_U64(row("current outer").self_ns, 4);
}

/* More paths than there is room for guesses at what comes next, so that these are wrong in each way. */
TEST(calls_that_follow_each_other_at_random_are_booked_on_their_own_path)
{
    enum { CALLERS = 64, CALLEES = PROFI_GUESSES / 4, ROUNDS = 40000 };
    static uint64_t calls[CALLERS][CALLEES], time[CALLERS][CALLEES];
    static prof_site *callers[CALLERS], *callees[CALLEES];
    uint64_t random = 7;
    char name[32];
    for (int i = 0; i < CALLERS; i++) {
        snprintf(name, sizeof(name), "random caller %d", i);
        callers[i] = site(name);
    }
    for (int i = 0; i < CALLEES; i++) {
        snprintf(name, sizeof(name), "random callee %d", i);
        callees[i] = site(name);
    }
    start();
    for (int round = 0; round < ROUNDS; round++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        unsigned caller = (unsigned)(random >> 58) % CALLERS, callee = (unsigned)(random >> 40) % CALLEES;
        unsigned count = round % 3 == 0 ? 1 : 3; /* the same one again, too */
        prof_scope outer = prof_begin(callers[caller]);
        for (unsigned i = 0; i < count; i++) {
            unsigned at = (callee + i / 2) % CALLEES;
            prof_scope inner = prof_begin(callees[at]);
            pass(1 + at);
            prof_end(inner);
            calls[caller][at]++;
            time[caller][at] += 1 + at;
        }
        prof_end(outer);
    }
    stop();
    prof_snapshot *snapshot = NULL;
    REQUIRE(prof_snapshot_take(&snapshot, NULL) == PROF_OK);
    for (int at = 0; at < CALLEES; at++) {
        uint32_t id = 0;
        uint64_t seen = 0;
        snprintf(name, sizeof(name), "random callee %d", at);
        CHECK_I64(prof_snapshot_find(snapshot, name, &id, NULL), PROF_OK);
        for (uint32_t i = 0; i < prof_snapshot_caller_count(snapshot, id); i++) {
            prof_function from = PROF_FUNCTION_INIT;
            CHECK_I64(prof_snapshot_caller(snapshot, id, i, &from, NULL), PROF_OK);
            unsigned long caller = strtoul(from.name + strlen("random caller "), NULL, 10);
            REQUIRE(caller < CALLERS);
            CHECK_U64(from.calls, calls[caller][at]);
            CHECK_U64(from.cumulative_ns, time[caller][at]);
            seen += from.calls;
        }
        for (int caller = 0; caller < CALLERS; caller++)
            seen -= calls[caller][at];
        CHECK_U64(seen, 0);
    }
    prof_snapshot_close(snapshot);
}

TEST(a_scope_open_at_stop_is_recorded_to_its_end_and_one_open_at_start_is_not)
{
    prof_scope before = prof_begin(site("before start"));
    CHECK_U64(before.place, 0);
    start();
    prof_scope during = prof_begin(site("over the stop"));
    prof_end(before);
    pass(10);
    stop();
    prof_scope after = prof_begin(site("after stop"));
    CHECK_U64(after.place, 0);
    pass(20);
    prof_end(during);
    CHECK_U64(row("over the stop").cumulative_ns, 30);
    CHECK_U64(row("before start").calls, 0);
    CHECK_U64(row("after stop").calls, 0);
}

TEST(start_and_stop_nest_by_count)
{
    start();
    start();
    stop();
    CHECK(prof_active != 0);
    prof_end(prof_begin(site("still on")));
    stop();
    CHECK_U64(prof_active, 0);
    prof_error err = PROF_ERROR_INIT;
    CHECK_I64(prof_stop(&err), PROF_E_INVALID);
    CHECK_HAS(err.message, "without a prof_start()");
    CHECK_U64(row("still on").calls, 1);
}

TEST(an_open_scope_counts_with_its_time_so_far)
{
    start();
    prof_scope outer = prof_begin(site("open outer"));
    prof_scope done = prof_begin(site("done inside"));
    pass(30);
    prof_end(done);
    pass(12);
    prof_function open = row("open outer");
    CHECK_U64(open.calls, 1);
    CHECK_U64(open.open_calls, 1);
    CHECK_U64(open.cumulative_ns, 42);
    CHECK_U64(open.self_ns, 12);
    CHECK_U64(open.has & PROF_FUNCTION_HAS_EXTREMES, 0);
    prof_end(outer);
    stop();
    CHECK_U64(row("open outer").open_calls, 0);
    CHECK_U64(row("open outer").cumulative_ns, 42);
}

TEST(items_belong_to_the_innermost_scope_and_keep_their_first_unit)
{
    start();
    prof_items(99, "nothing is open");
    prof_scope scope = prof_begin(site("counting"));
    prof_items(3, NULL);
    prof_items(4, "tokens");
    prof_items(5, "rows");
    prof_snapshot *snapshot = NULL;
    uint32_t id = 0;
    prof_function counting = PROF_FUNCTION_INIT;
    prof_end(scope);
    stop();
    REQUIRE(prof_snapshot_take(&snapshot, NULL) == PROF_OK);
    CHECK_I64(prof_snapshot_find(snapshot, "counting", &id, NULL), PROF_OK);
    CHECK_I64(prof_snapshot_function(snapshot, id, &counting, NULL), PROF_OK);
    CHECK_U64(counting.items, 12);
    CHECK_STR(counting.items_unit, "tokens");
    prof_snapshot_close(snapshot);
}

TEST(equal_text_is_one_site_and_a_different_line_is_another)
{
    prof_site *a = NULL, *b = NULL, *c = NULL;
    static prof_site written = PROF_SITE_INIT("same text", "here.c", 7, 0);
    CHECK_I64(prof_site_get("same text", SIZE_MAX, "here.c", 7, 0, &a, NULL), PROF_OK);
    CHECK_I64(prof_site_get("same text and more", 9, "here.c", 7, 0, &b, NULL), PROF_OK);
    CHECK_I64(prof_site_get("same text", SIZE_MAX, "here.c", 8, 0, &c, NULL), PROF_OK);
    CHECK(a == b);
    CHECK(a != c);
    start();
    prof_end(prof_begin(&written));
    prof_end(prof_begin(a));
    stop();
    CHECK_U64(row("same text").calls, 2);
}

TEST(a_bad_name_is_refused_with_a_message_that_says_where)
{
    prof_site *found = NULL;
    prof_error err = PROF_ERROR_INIT;
    CHECK_I64(prof_site_get("a\0b", 3, NULL, 0, 0, &found, &err), PROF_E_INVALID);
    CHECK_HAS(err.message, "NUL at byte 1");
    CHECK_I64(prof_site_get("", SIZE_MAX, NULL, 0, 0, &found, &err), PROF_E_INVALID);
    CHECK_I64(prof_site_get(NULL, 4, NULL, 0, 0, &found, &err), PROF_E_INVALID);
    CHECK_I64(prof_site_get("x", SIZE_MAX, NULL, 0, 0, NULL, &err), PROF_E_INVALID);
    CHECK(found == NULL);
}

TEST(percentiles_are_upper_edges_of_buckets_and_need_enough_calls)
{
    prof_snapshot *snapshot = NULL;
    prof_error err = PROF_ERROR_INIT;
    uint32_t id = 0;
    uint64_t ns = 0;
    start();
    for (uint64_t i = 1; i <= 1000; i++) {
        prof_scope scope = prof_begin(site("spread"));
        pass(i * 1000);
        prof_end(scope);
    }
    for (int i = 0; i < 19; i++)
        prof_end(prof_begin(site("too few")));
    stop();
    REQUIRE(prof_snapshot_take(&snapshot, NULL) == PROF_OK);
    CHECK_I64(prof_snapshot_find(snapshot, "spread", &id, NULL), PROF_OK);
    /* By hand: 500,000 + 16 >> 14 = 30, so the bucket ends at (31 << 14) - 1 - 16. */
    CHECK_I64(prof_snapshot_percentile(snapshot, id, 0.5, &ns, NULL), PROF_OK);
    CHECK_U64(ns, 507887);
    /* 990,000: (990,016 >> 15) = 30, (31 << 15) - 17 = 1,015,791, clipped to the maximum. */
    CHECK_I64(prof_snapshot_percentile(snapshot, id, 0.99, &ns, NULL), PROF_OK);
    CHECK_U64(ns, 1000000);
    CHECK_I64(prof_snapshot_percentile(snapshot, id, 0.999, &ns, &err), PROF_E_UNAVAILABLE);
    CHECK_HAS(err.message, "needs 10000 calls; 1000 have ended");
    CHECK_I64(prof_snapshot_find(snapshot, "too few", &id, NULL), PROF_OK);
    CHECK_I64(prof_snapshot_percentile(snapshot, id, 0.5, &ns, &err), PROF_E_UNAVAILABLE);
    CHECK_HAS(err.message, "needs 20 calls; 19 have ended");
    CHECK_I64(prof_snapshot_percentile(snapshot, id, 1.0, &ns, &err), PROF_E_INVALID);
    uint64_t counts[PROF_BUCKET_COUNT];
    CHECK_I64(prof_snapshot_histogram(snapshot, id, counts, &err), PROF_OK);
    CHECK_U64(counts[16], 19);
    prof_snapshot_close(snapshot);
}

TEST(a_subtree_has_the_function_as_its_root_and_only_what_ran_below_it)
{
    prof_snapshot *snapshot = NULL, *subtree = NULL;
    prof_error err = PROF_ERROR_INIT;
    prof_function found = PROF_FUNCTION_INIT;
    uint32_t id = 0;
    uint64_t ns;
    start();
    for (int caller = 0; caller < 2; caller++) {
        prof_scope outside = prof_begin(site(caller ? "caller 1" : "caller 0"));
        for (int i = 0; i < 20; i++) {
            prof_scope root = prof_begin(site("subtree root"));
            prof_scope below = prof_begin(site("below"));
            pass(4);
            prof_end(below);
            prof_scope nested = prof_begin(site("subtree root"));
            pass(1);
            prof_end(nested);
            prof_end(root);
        }
        prof_end(prof_begin(site("below")));
        prof_end(outside);
    }
    stop();
    REQUIRE(prof_snapshot_take(&snapshot, NULL) == PROF_OK);
    CHECK_I64(prof_snapshot_find(snapshot, "subtree root", &id, NULL), PROF_OK);
    REQUIRE(prof_snapshot_subtree(snapshot, id, &subtree, NULL) == PROF_OK);
    CHECK_U64(prof_snapshot_function_count(subtree), 2);
    CHECK_I64(prof_snapshot_find(subtree, "subtree root", &id, NULL), PROF_OK);
    CHECK_I64(prof_snapshot_function(subtree, id, &found, NULL), PROF_OK);
    CHECK_U64(found.calls, 80);
    CHECK_U64(found.primitive_calls, 40);
    CHECK_U64(found.cumulative_ns, 200);
    CHECK_U64(found.self_ns, 40);
    CHECK_U64(prof_snapshot_caller_count(subtree, id), 1); /* itself */
    CHECK_I64(prof_snapshot_percentile(subtree, id, 0.5, &ns, NULL), PROF_OK);
    CHECK_I64(prof_snapshot_find(subtree, "below", &id, NULL), PROF_OK);
    CHECK_I64(prof_snapshot_function(subtree, id, &found, NULL), PROF_OK);
    CHECK_U64(found.calls, 40);
    CHECK_I64(prof_snapshot_percentile(subtree, id, 0.5, &ns, &err), PROF_E_UNAVAILABLE);
    CHECK_HAS(err.message, "also called from elsewhere");
    prof_snapshot_close(subtree);
    prof_snapshot_close(snapshot);
}

TEST(a_site_that_asks_for_memory_has_growth_and_peak)
{
    enum { BYTES = 48 << 20 };
    prof_site *memory_site = NULL;
    CHECK_I64(prof_site_get("allocating", SIZE_MAX, "record_test.c", 1, PROF_SITE_RSS, &memory_site, NULL), PROF_OK);
    start();
    prof_scope scope = prof_begin(memory_site);
    char *block = malloc(BYTES);
    REQUIRE(block != NULL);
    memset(block, 1, BYTES);
    __asm__ volatile("" : : "r"(block) : "memory"); /* the compiler must not put it off */
    pass(5);
    prof_end(scope);
    stop();
    prof_function allocating = row("allocating");
    CHECK(block[BYTES - 1] == 1);
    free(block);
    CHECK(allocating.has & PROF_FUNCTION_HAS_RSS);
    CHECK(allocating.rss_growth_bytes >= BYTES * 9 / 10 && allocating.rss_growth_bytes < BYTES * 2);
    CHECK(allocating.rss_peak_bytes >= BYTES);
    CHECK_U64(allocating.cumulative_ns, 5);
    CHECK_U64(row("timed").has & PROF_FUNCTION_HAS_RSS, 0);
}

TEST(a_peak_reaches_the_scopes_around_it_also_past_one_without_the_probe)
{
    enum { BYTES = 64 << 20 };
    prof_site *outside = NULL, *inside = NULL;
    CHECK_I64(prof_site_get("around the peak", SIZE_MAX, "record_test.c", 1, PROF_SITE_RSS, &outside, NULL), PROF_OK);
    CHECK_I64(prof_site_get("at the peak", SIZE_MAX, "record_test.c", 1, PROF_SITE_RSS, &inside, NULL), PROF_OK);
    start();
    prof_scope outer = prof_begin(outside), between = prof_begin(site("between")), inner = prof_begin(inside);
    char *block = malloc(BYTES);
    REQUIRE(block != NULL);
    memset(block, 1, BYTES);
    __asm__ volatile("" : : "r"(block) : "memory");
    prof_end(inner);
    free(block);
    prof_end(between);
    prof_end(outer);
    stop();
    CHECK(row("at the peak").rss_peak_bytes >= BYTES);
    CHECK(row("around the peak").rss_peak_bytes >= row("at the peak").rss_peak_bytes);
    CHECK_U64(row("between").has & PROF_FUNCTION_HAS_RSS, 0);
}

TEST(end_current_while_stopped_is_nobodys_mistake)
{
    start();
    prof_end(prof_begin(site("makes the thread known")));
    stop();
    uint64_t before = stats().unmatched_count;
    for (int i = 0; i < 10; i++) {
        prof_begin(site("while stopped"));
        prof_end_current();
    }
    CHECK_U64(stats().unmatched_count, before);
}

TEST(structs_of_another_version_are_read_by_their_size)
{
    struct {
        prof_options known;
        uint64_t later;
    } newer = { PROF_OPTIONS_INIT, 0 };
    prof_error err = PROF_ERROR_INIT;
    prof_stats tiny = PROF_STATS_INIT;
    tiny.size = 8;
    CHECK_I64(prof_stats_get(&tiny, &err), PROF_E_INVALID);
    CHECK_HAS(err.message, "prof_stats.size is 8");
    newer.known.size = sizeof(newer);
    start(); /* the first start, wherever this case runs, has read its options */
    CHECK_I64(prof_start(&newer.known, &err), PROF_OK);
    stop();
    stop();
}

TEST(null_arguments_give_errors_and_null_handles_are_closed)
{
    prof_error err = PROF_ERROR_INIT;
    prof_snapshot_close(NULL);
    CHECK_I64(prof_snapshot_take(NULL, &err), PROF_E_INVALID);
    CHECK_I64(prof_snapshot_function(NULL, 0, NULL, &err), PROF_E_INVALID);
    CHECK_I64(prof_snapshot_subtree(NULL, 0, NULL, &err), PROF_E_INVALID);
    CHECK_I64(prof_snapshot_find(NULL, NULL, NULL, NULL), PROF_E_INVALID);
    CHECK_I64(prof_stats_get(NULL, NULL), PROF_E_INVALID);
    CHECK_U64(prof_snapshot_function_count(NULL), 0);
    CHECK_U64(prof_snapshot_caller_count(NULL, 3), 0);
    start();
    CHECK_U64(prof_begin(NULL).place, 0);
    CHECK_U64(prof_phase(PROF_SCOPE_NONE, NULL).place, 0);
    stop();
    CHECK_STR(prof_status_name(PROF_E_IO), "PROF_E_IO");
    CHECK_STR(prof_status_name(7), "unknown status");
    CHECK_STR(prof_status_name(INT32_MIN), "unknown status");
}

/* ---- threads ---- */

static void *thread_body(void *unused)
{
    (void)unused;
    for (int i = 0; i < 100; i++) {
        prof_scope outer = prof_begin(site("thread outer"));
        prof_end(prof_begin(site("thread inner")));
        prof_end(outer);
    }
    prof_begin(site("open at thread exit"));
    return NULL;
}

TEST(what_exited_threads_recorded_is_merged_and_memory_does_not_grow)
{
    uint64_t used_after_first = 0;
    start();
    for (int i = 0; i < 200; i++) {
        pthread_t thread;
        REQUIRE(pthread_create(&thread, NULL, thread_body, NULL) == 0);
        pthread_join(thread, NULL);
        if (i == 0)
            used_after_first = stats().memory_used_bytes;
    }
    stop();
    CHECK_U64(row("thread outer").calls, 20000);
    CHECK_U64(edge("thread outer", "thread inner").calls, 20000);
    CHECK_U64(row("open at thread exit").calls, 200);
    CHECK_U64(stats().memory_used_bytes, used_after_first);
}

/* ---- forks ---- */

static void *fill_tables(void *unused)
{
    for (int i = 0; i < 100; i++) {
        char name[32];
        snprintf(name, sizeof(name), "one of a hundred %d", i);
        prof_scope scope = prof_begin(site(name));
        prof_counter(site(name), i);
        prof_end(scope);
    }
    return unused;
}

static unsigned generation;
static uint64_t memory_of_a_generation;

/* Records on this thread and on one that ends, and leaves the rest to a child. */
static void record_and_fork(void)
{
    pthread_t thread;
    start();
    fill_tables(NULL);
    REQUIRE(pthread_create(&thread, NULL, fill_tables, NULL) == 0);
    pthread_join(thread, NULL);
    if (generation == 0)
        memory_of_a_generation = stats().memory_used_bytes;
    CHECK_U64(stats().memory_used_bytes, memory_of_a_generation);
    if (++generation < 4)
        in_child(record_and_fork);
}

TEST(a_forked_child_of_a_forked_child_has_as_much_memory_as_its_ancestors) { in_child(record_and_fork); }

/* In a forked child, whose thread is not known yet and gets no memory at first. */
static void open_before_there_is_memory(void)
{
    prof_site *outer = site("lost outside"), *inner = site("lost inside");
    start();
    CHECK_U64(stats().live_thread_count, 0); /* what was the parent's is given back */
    void *room = profi_region_alloc(sizeof(profi_thread), PROFI_REGION_TREE);
    for (size_t bytes = 1 << 20; bytes >= 64; bytes /= 2)
        while (profi_region_alloc(bytes, PROFI_REGION_TREE) != NULL)
            ;
    while (profi_region_alloc(sizeof(profi_thread), PROFI_REGION_TREE) != NULL)
        ;
    prof_scope lost = prof_begin(outer);
    profi_region_free(room, sizeof(profi_thread), PROFI_REGION_TREE);
    prof_scope below = prof_begin(inner);
    prof_begin(inner);
    CHECK_U64(stats().live_thread_count, 0);
    prof_end(below);
    prof_begin(inner);
    prof_end_current();
    prof_end(lost);
    CHECK_U64(stats().lost_count, 4);
    CHECK_U64(stats().repaired_count, 1);
    CHECK_U64(stats().unmatched_count, 0);
    prof_end(lost);
    CHECK_U64(stats().unmatched_count, 1);
    prof_end(prof_begin(inner));
    CHECK_U64(stats().live_thread_count, 1);
}

TEST(what_begins_inside_a_scope_that_was_lost_with_its_thread_is_lost) { in_child(open_before_there_is_memory); }

static void *end_below(void *outer)
{
    prof_scope scope = prof_begin(outer);
    prof_end(prof_begin(site("has a histogram")));
    prof_end(scope);
    return NULL;
}

TEST(nodes_of_exited_threads_have_the_histogram_that_was_kept)
{
    static const char *const names[] = { "outside", "outside again" };
    start();
    for (int i = 0; i < 2; i++) {
        pthread_t thread;
        REQUIRE(pthread_create(&thread, NULL, end_below, site(names[i])) == 0);
        pthread_join(thread, NULL);
    }
    stop();
    const profi_thread *exited = profi_registry_lock();
    uint64_t *histogram = NULL;
    while (!exited->exited)
        exited = exited->next;
    for (const profi_thread_site *kept = exited->first_site; kept != NULL; kept = kept->next)
        if (strcmp(kept->site->name, "has a histogram") == 0)
            histogram = kept->histogram;
    for (const profi_node *node = exited->root.first_child; node != NULL; node = node->next_sibling)
        if (strncmp(node->site->name, "outside", 7) == 0) {
            CHECK(node->first_child->histogram == histogram && node->first_child->pending == histogram);
        }
    profi_registry_unlock();
    CHECK(histogram != NULL && histogram[16] == 2);
}

static void *end_while_closing(void *unused)
{
    (void)unused;
    prof_begin(site("open outside"));
    pass(5);
    prof_begin(site("open inside"));
    pass(7);
    profi_self->current = profi_self->busy;
    return NULL;
}

TEST(a_thread_that_ends_while_it_closes_a_scope_closes_the_others)
{
    uint64_t before = stats().repaired_count;
    pthread_t thread;
    start();
    REQUIRE(pthread_create(&thread, NULL, end_while_closing, NULL) == 0);
    pthread_join(thread, NULL);
    stop();
    CHECK_U64(stats().repaired_count, before + 2);
    CHECK_U64(row("open outside").cumulative_ns, 12);
    CHECK_U64(row("open inside").cumulative_ns, 7);
}

TEST(a_scope_for_which_the_clock_goes_back_counts_with_no_duration)
{
    start();
    prof_scope outer = prof_begin(site("around a clock that goes back"));
    pass(50);
    for (int i = 0; i < 2; i++) {
        prof_scope scope = prof_begin(site("clock goes back"));
        profi_clock_simulate(now_ns - 5);
        prof_end(scope);
        profi_clock_simulate(now_ns);
    }
    prof_end(outer);
    stop();
    CHECK_U64(row("clock goes back").calls, 2);
    CHECK_U64(row("clock goes back").cumulative_ns, 0);
    CHECK_U64(row("clock goes back").max_ns, 0);
    CHECK_U64(row("around a clock that goes back").cumulative_ns, 50);
}

/* What a signal handler finds that interrupts the end of a scope. */
TEST(scopes_that_begin_while_one_is_being_closed_are_lost_and_counted)
{
    start();
    prof_scope outer = prof_begin(site("being closed"));
    uint64_t lost = stats().lost_count, unmatched = stats().unmatched_count;
    profi_node *stand = profi_self->current;
    profi_self->current = profi_self->busy;
    prof_scope inner = prof_begin(site("in a handler"));
    CHECK_U64(inner.place, PROF_SCOPE_NONE.place);
    prof_items(1, "items");
    prof_end(inner);
    CHECK_U64(prof_phase(inner, site("in a handler")).place, 0);
    profi_self->current = stand;
    prof_end(outer);
    stop();
    CHECK_U64(stats().lost_count, lost + 2);
    CHECK_U64(stats().unmatched_count, unmatched);
    CHECK_U64(row("being closed").calls, 1);
    CHECK_U64(row("in a handler").calls, 0);
}

static void *end_it(void *token)
{
    prof_end(*(prof_scope *)token); /* before the thread's first scope */
    prof_end(prof_begin(site("other thread")));
    prof_end(*(prof_scope *)token); /* after it */
    return NULL;
}

TEST(an_end_on_another_thread_is_ignored_and_counted)
{
    uint64_t before = stats().unmatched_count;
    start();
    prof_scope mine = prof_begin(site("mine"));
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, end_it, &mine) == 0);
    pthread_join(thread, NULL);
    pass(9);
    prof_end(mine);
    stop();
    CHECK_U64(stats().unmatched_count, before + 2);
    CHECK_U64(row("mine").cumulative_ns, 9);
}

int main(int argc, char **argv)
{
    setenv("PROFCORE_MODE", "tree", 1); /* rings fill with the threads that pass: see ring_test.c */
    profi_clock_simulate(now_ns);
    return test_main(argc, argv);
}
