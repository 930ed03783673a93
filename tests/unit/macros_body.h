/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every public macro, expanded.  Included by macros_test.c and macros_test.cpp,
 * which are built in each supported standard and compiler, with recording and
 * with PROF_DISABLE: what the program itself does must be the same in all.
 */
#ifndef MACROS_BODY_H
#define MACROS_BODY_H

#include <profcore/events.h>
#include <profcore/snapshot.h>

#include <stdio.h>
#include <string.h>

static int trace[64], trace_length;

static void mark(int what)
{
    if (trace_length >= 0 && trace_length < 64)
        trace[trace_length++] = what;
}

static int returns_early(int early)
{
    PROF_FUNCTION();
    PROF_SCOPE("inner") {
        if (early)
            return 1;
        mark(1);
    }
    return 2;
}

static void saves(void)
{
    PROF_FUNCTION_SAVE();
    mark(2);
}

/* Longer than a nanosecond each time: kept; of the block, each second one. */
static void saves_if(void)
{
    PROF_FUNCTION_SAVE_IF(0.000001, 0);
    PROF_BLOCK_SAVE_IF("block saves if", 0, 2);
    mark(14);
}

static void measures_memory(void)
{
    PROF_FUNCTION_WITH(PROF_SITE_RSS | PROF_SITE_CPU | PROF_SITE_OWN(15));
    mark(3);
}

static void loops(void)
{
    int i;
    for (i = 0; i < 3; i++) {
        PROF_BLOCK("loop body");
        if (i == 1)
            continue;
        PROF_SCOPE("left by break") {
            if (i == 0)
                break;
            mark(4);
        }
        PROF_SCOPE("left by continue") {
            if (i == 0)
                continue;
            mark(5);
        }
        mark(6);
    }
}

static int assigned_inside(void)
{
    int value;
    PROF_SCOPE("assigns") { value = 42; }
    return value;
}

static void left_by_goto(void)
{
    PROF_SCOPE_WITH("left by goto", PROF_SITE_RSS) {
        goto out;
    }
out:
    mark(7);
}

static void nested_scopes(void)
{
    PROF_SCOPE("one")
        PROF_SCOPE("two")
            mark(8);
    if (trace_length > 0)
        PROF_SCOPE("in an if") mark(9);
    else
        mark(-1);
}

static void regions(void)
{
    int items = 2;
    PROF_BEGIN(region, "region 1");
    mark(10);
    PROF_PHASE(region, "region 2");
    mark(11);
    PROF_PHASE(region, "region 3");
    PROF_ITEMS(++items);
    mark(items);
    PROF_ITEMS_UNIT(4, "rows");
    PROF_COUNTER("items so far", ++items);
    PROF_SLOW("no such scope", 0.5 + 0.0 * items);
    mark(items);
    PROF_END(region);
    PROF_BLOCK_WITH("rest", 0u);
    mark(12);
}

/* The parameters are for the macros alone: without them nothing is left that uses them, and nobody is told so. */
static void beyond_scopes(uint64_t id, int size, const char *model, double share)
{
    static prof_span at_rest = { 0, 0 };
    const uint64_t trace_high = id;
    PROF_REQUEST(id);
    PROF_REQUEST_TRACE(trace_high, 2);
    prof_span wait = PROF_SPAN_BEGIN("wait"), next = PROF_SPAN_BEGIN("next");
    PROF_BLOCK("beyond scopes");
    PROF_ARGS(PROF_INT("size", size), PROF_TEXT("model", model), PROF_DOUBLE("share", share));
    PROF_INSTANT("hit");
    PROF_INSTANT_ARGS("miss", PROF_INT("size", size));
    PROF_FLOW(id);
    PROF_FLOW_END(id);
    PROF_SPAN_END(wait);
    PROF_SPAN_END_ARGS(next, PROF_INT("size", size));
    PROF_SPAN_END(at_rest);
    mark(15);
}

static int twice(int x) { return 2 * x; }
static void note(int x, int y) { mark(x + y); }

/* A request to a language model, as <profcore/events.h> shows it. */
static void request(void)
{
    struct {
        prof_span phase, token;
    } request, *r = &request;
    int tokens;
    r->phase = PROF_SPAN_BEGIN("queue wait");
    r->token = PROF_SPAN_BEGIN("time to first token");
    PROF_SPAN_PHASE(r->phase, "prefill");
    PROF_SPAN_PHASE(r->phase, "decode");
    for (tokens = 0; tokens < 3; tokens++)
        PROF_SPAN_PHASE(r->token, "time between tokens");
    PROF_SPAN_END(r->phase);
}

PROF_WRAP(static int, twice_profiled, twice, (int x), (x))
PROF_WRAP_STATIC(int, twice_static, twice, (int x), (x))
PROF_WRAP_VOID_STATIC(note_static, note, (int x, int y), (x, y))

static int run_all(void)
{
    int sum = returns_early(0) + returns_early(1);
    saves();
    saves_if();
    saves_if();
    beyond_scopes(7, 3, "model", 0.5);
    measures_memory();
    loops();
    left_by_goto();
    nested_scopes();
    regions();
    request();
    note_static(6, 7);
    return sum + assigned_inside() + twice_profiled(10) + twice_static(20);
}

/* The calls of a function in a snapshot; 0 where there is none. */
static uint64_t calls_of(const prof_snapshot *snapshot, const char *name)
{
    uint64_t calls = 0;
    uint32_t i;
    for (i = 0; i < prof_snapshot_function_count(snapshot); i++) {
        prof_function row = PROF_FUNCTION_INIT;
        if (prof_snapshot_function(snapshot, i, &row, NULL) == PROF_OK && strcmp(row.name, name) == 0)
            calls += row.calls;
    }
    return calls;
}

/* How many of a span have ended. */
static uint64_t spans_of(const prof_snapshot *snapshot, const char *name)
{
    uint64_t calls = 0;
    uint32_t i;
    for (i = 0; i < prof_snapshot_span_count(snapshot); i++) {
        prof_function row = PROF_FUNCTION_INIT;
        if (prof_snapshot_span(snapshot, i, &row, NULL) == PROF_OK && strcmp(row.name, name) == 0)
            calls += row.calls;
    }
    return calls;
}

static int failures, number;

static void check(int is_right, const char *name)
{
    failures += !is_right;
    printf("%s %d %s\n", is_right ? "ok" : "not ok", ++number, name);
}

static void check_behaviour(const char *name)
{
    static const int expected[] = { 1, 2, 14, 14, 15, 3, 6, 4, 5, 6, 7, 8, 9, 10, 11, 3, 4, 12, 13 };
    int sum;
    trace_length = 0;
    sum = run_all();
    check(sum == 2 + 1 + 42 + 20 + 40 && trace_length == (int)(sizeof(expected) / sizeof(expected[0])) &&
              memcmp(trace, expected, sizeof(expected)) == 0,
          name);
}

static void check_recorded(uint64_t on)
{
    static const struct {
        const char *name;
        unsigned calls;
    } expected[] = { { "returns_early", 2 }, { "inner", 2 }, { "saves", 1 }, { "saves_if", 2 }, { "block saves if", 2 }, { "measures_memory", 1 }, { "loop body", 3 },
                     { "left by break", 2 }, { "left by continue", 2 }, { "assigns", 1 }, { "left by goto", 1 },
                     { "one", 1 }, { "two", 1 }, { "in an if", 1 }, { "region 1", 1 }, { "region 2", 1 },
                     { "region 3", 1 }, { "rest", 1 }, { "beyond scopes", 1 }, { "twice", 2 }, { "note", 1 } };
    prof_snapshot *snapshot = NULL;
    prof_stats stats = PROF_STATS_INIT;
    int is_right = prof_snapshot_take(&snapshot, NULL) == PROF_OK;
    size_t i;
    for (i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        if (calls_of(snapshot, expected[i].name) != expected[i].calls * on) {
            printf("# %s: %u calls\n", expected[i].name, (unsigned)calls_of(snapshot, expected[i].name));
            is_right = 0;
        }
    check(is_right, "each_macro_records_its_scope_as_often_as_it_ran");
    is_right = prof_snapshot_counter_count(snapshot) == on;
    if (on) {
        prof_counter_row row = PROF_COUNTER_ROW_INIT;
        is_right &= prof_snapshot_counter(snapshot, 0, &row, NULL) == PROF_OK && strcmp(row.name, "items so far") == 0 &&
                    row.count == 1 && row.last > 3.5 && row.last < 4.5;
    }
    check(is_right, "a_counter_records_its_value_while_on");
    check((on || prof_snapshot_span_count(snapshot) == 0) && spans_of(snapshot, "queue wait") == on &&
              spans_of(snapshot, "time to first token") == on && spans_of(snapshot, "prefill") == on &&
              spans_of(snapshot, "decode") == on && spans_of(snapshot, "time between tokens") == 2 * on,
          "the_phases_of_a_request_are_spans_while_on");
    prof_stats_get(&stats, NULL);
    check(stats.kept_count == 3 * on && stats.kept_lost_count == 0, "calls_that_meet_their_rule_are_kept");
    check(stats.repaired_count == 0 && stats.unmatched_count == 0, "no_way_out_of_a_scope_needs_repair");
    prof_snapshot_close(snapshot);
}

static int run_checks(void)
{
    prof_options options = PROF_OPTIONS_INIT;
    options.flags = PROF_NO_FILES;
    check_behaviour("a_stopped_recorder_does_not_change_the_program");
    if (prof_start(&options, NULL) != PROF_OK)
        return 1;
    check_behaviour("a_running_recorder_does_not_change_the_program");
    prof_stop(NULL);
#if defined(PROF_DISABLE)
    check_recorded(0);
#else
    check_recorded(1);
#endif
    printf("1..%d\n", number);
    return failures != 0;
}

#endif
