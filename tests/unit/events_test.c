/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event stream on the simulated clock, under the smallest cap: order,
 * nesting, threads, and what is lost.  Each case runs in a process of its own.
 */
#define OWN_IN_CHILD
#define SITES_AT "events_test.c", 7
#define CLOCK_BEGINS 5000
#include "child.h"
#include "recording.h"
#include "simulated.h"

#include "model/events.h"
#include "record/ring.h"
#include "record/tape.h"
#include <profcore/events.h>
#include <profcore/snapshot.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static profi_events *events;
static profi_slice slices[100000];

static prof_scope begin(const char *name) { return prof_begin(site(name)); }

static uint64_t issued_by_all(void)
{
    prof_stats stats = PROF_STATS_INIT;
    CHECK_I64(prof_stats_get(&stats, NULL), PROF_OK);
    return stats.event_count;
}

static size_t read_thread(uint32_t thread, uint64_t from, profi_slice *into, size_t room)
{
    return profi_events_read(events, events->threads[thread].first, events->threads[thread].count, from, into, room);
}

/* Opens the stream; checks what holds at any time: the sums, and that slices stand in order, each inside its parent. */
static void look(void)
{
    uint64_t held = 0, lost = 0, read = 0, ends[64];
    profi_events_close(events);
    events = NULL;
    CHECK_I64(profi_events_open("test", &events, NULL), PROF_OK);
    for (uint32_t t = 0; t < events->thread_count; t++) {
        const profi_events_thread *thread = &events->threads[t];
        CHECK(t == 0 || thread[-1].number < thread->number);
        held += thread->held;
        lost += thread->lost;
        size_t count = profi_events_read(events, thread->first, thread->count, 0, slices, 100000), depth = 0;
        CHECK_U64(count, thread->count);
        read += count;
        for (size_t i = 0; i < count; i++) {
            REQUIRE(slices[i].depth <= depth && slices[i].depth < 64 && slices[i].site < events->site_count);
            CHECK(i == 0 || slices[i - 1].start_ns <= slices[i].start_ns);
            CHECK(slices[i].start_ns <= slices[i].end_ns);
            CHECK(slices[i].depth == 0 || slices[i].end_ns <= ends[slices[i].depth - 1]);
            depth = slices[i].depth + 1;
            ends[slices[i].depth] = slices[i].end_ns;
        }
    }
    for (size_t i = 0; i < events->lane_count; i++)
        read += events->lanes[i].count;
    CHECK_U64(read, held);
    CHECK_U64(events->held, held);
    CHECK_U64(events->lost, lost + events->lost_of_unknown);
    CHECK_U64(events->held + events->lost, events->issued);
}

static void (*case_body)(void);

static void run_case_and_close(void)
{
    case_body();
    profi_events_close(events);
}

static void in_child(void (*body)(void))
{
    case_body = body;
    in_child_within(run_case_and_close, 0);
}

typedef struct expected {
    const char *name;
    uint64_t start, end;
    uint32_t depth;
} expected;

static void check_thread(uint32_t thread, const expected *wanted, size_t count)
{
    REQUIRE(events != NULL && thread < events->thread_count);
    CHECK_U64(events->threads[thread].held, count);
    REQUIRE(read_thread(thread, 0, slices, 100) == count);
    for (size_t i = 0; i < count; i++) {
        const profi_events_site *site = &events->sites[slices[i].site];
        CHECK_STR(site->name, wanted[i].name);
        CHECK_STR(site->file, "events_test.c");
        CHECK_U64(site->line, 7);
        CHECK_U64(slices[i].start_ns, 5000 + wanted[i].start);
        CHECK_U64(slices[i].end_ns, 5000 + wanted[i].end);
        CHECK_U64(slices[i].depth, wanted[i].depth);
    }
}
#define CHECK_THREAD(thread, ...)                              \
    check_thread(thread, (const expected[]){ __VA_ARGS__ },    \
                 sizeof((const expected[]){ __VA_ARGS__ }) / sizeof(expected))

CASE(slices_come_in_the_order_of_their_starts_parents_before_children)
{
    start();
    prof_scope a = begin("a");
    pass(1);
    prof_scope b = begin("b");
    pass(2);
    prof_scope c = begin("c");
    pass(3);
    prof_end(c);
    prof_end(b);
    pass(4);
    prof_scope d = begin("d");
    pass(5);
    prof_end(d);
    pass(6);
    prof_end(a);
    prof_end(begin("e"));
    look();
    CHECK_U64(events->issued, 5);
    CHECK_U64(events->lost, 0);
    CHECK_THREAD(0, { "a", 0, 21, 0 }, { "b", 1, 6, 1 }, { "c", 3, 6, 2 }, { "d", 10, 15, 1 }, { "e", 21, 21, 0 });
    profi_slice two[2];
    CHECK_U64(read_thread(0, 3, two, 2), 2);
    CHECK_U64(two[1].start_ns, 5021);
    CHECK_U64(read_thread(0, 4, two, 2), 1);
    CHECK_U64(read_thread(0, 5, two, 2), 0);
}

CASE(phases_follow_each_other_and_do_not_nest)
{
    prof_site *second = NULL;
    start();
    prof_site_get("second", SIZE_MAX, "events_test.c", 7, 0, &second, NULL);
    prof_scope whole = begin("whole"), phase = begin("first");
    pass(3);
    phase = prof_phase(phase, second);
    pass(4);
    prof_end(phase);
    prof_end(whole);
    look();
    CHECK_THREAD(0, { "whole", 0, 7, 0 }, { "first", 0, 3, 1 }, { "second", 3, 7, 1 });
}

/* As on a clock of 40 ns a tick: nothing but the level tells which is whose. */
CASE(of_equal_times_children_and_siblings_are_told_apart)
{
    start();
    prof_end(begin("before"));
    prof_scope a = begin("a"), b = begin("b");
    prof_end(begin("c"));
    prof_end(begin("d"));
    prof_end(b);
    prof_scope e = begin("e");
    pass(9);
    prof_end(begin("f"));
    prof_end(e);
    prof_end(begin("g"));
    prof_end(a);
    prof_end(begin("behind"));
    look();
    CHECK_THREAD(0, { "before", 0, 0, 0 }, { "a", 0, 9, 0 }, { "b", 0, 0, 1 }, { "c", 0, 0, 2 }, { "d", 0, 0, 2 },
                 { "e", 0, 9, 1 }, { "f", 9, 9, 2 }, { "g", 9, 9, 1 }, { "behind", 9, 9, 0 });
}

CASE(what_an_open_scope_encloses_stands_side_by_side)
{
    start();
    begin("open");
    prof_end(begin("a"));
    prof_scope b = begin("b");
    pass(1);
    prof_end(begin("c"));
    prof_end(b);
    look();
    CHECK_THREAD(0, { "a", 0, 0, 0 }, { "b", 0, 1, 0 }, { "c", 1, 1, 1 });
}

/* A thread that moves to a core whose counter lags: what ended is in order, what the clock says is not. */
CASE(nesting_stands_where_the_clock_goes_back_a_little)
{
    start();
    pass(100);
    prof_scope a = begin("a");
    pass((uint64_t)-3);
    prof_scope b = begin("b");
    pass(20);
    prof_end(b);
    pass((uint64_t)-2);
    prof_end(a);
    profi_events_open("test", &events, NULL); /* not look(), which wants times in order */
    CHECK_THREAD(0, { "a", 100, 115, 0 }, { "b", 97, 117, 1 });
}

CASE(scopes_closed_by_repair_end_with_the_one_that_closed_them)
{
    start();
    prof_scope a = begin("a");
    pass(1);
    begin("forgotten");
    pass(1);
    begin("forgotten too");
    pass(1);
    prof_end(a);
    look();
    CHECK_THREAD(0, { "a", 0, 3, 0 }, { "forgotten", 1, 3, 1 }, { "forgotten too", 2, 3, 2 });
}

CASE(scopes_that_are_open_are_not_in_it)
{
    start();
    prof_scope a = begin("a");
    pass(1);
    prof_end(begin("b"));
    look();
    CHECK_THREAD(0, { "b", 1, 1, 0 });
    prof_end(a);
    look();
    CHECK_THREAD(0, { "a", 0, 1, 0 }, { "b", 1, 1, 1 });
}

static pthread_barrier_t barrier;

static void *named(void *name)
{
    prctl(PR_SET_NAME, name);
    prof_scope scope = begin(name);
    pass(2);
    prof_end(scope);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return NULL;
}

static void *passing(void *count)
{
    for (size_t i = 0; i < *(size_t *)count; i++)
        prof_end(begin("passing"));
    return NULL;
}

static void run_thread(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, body, argument) == 0);
    pthread_join(thread, NULL);
}

CASE(a_thread_has_its_name_and_id_also_when_it_has_ended)
{
    static char named_text[] = "encoder\n7";
    pthread_t thread;
    size_t once = 1;
    start();
    pthread_barrier_init(&barrier, NULL, 2);
    prof_end(begin("main"));
    run_thread(passing, &once);
    REQUIRE(pthread_create(&thread, NULL, named, named_text) == 0);
    pthread_barrier_wait(&barrier);
    look();
    REQUIRE(events->thread_count == 3);
    CHECK_I64(events->threads[0].tid, getpid());
    CHECK_STR(events->threads[1].name, "events_test"); /* as its process, for it has none of its own */
    CHECK(events->threads[1].tid > getpid());
    CHECK_STR(events->threads[2].name, "encoder"); /* a line end in a name ends what the system shows of it */
    CHECK(events->threads[2].tid > getpid());
    CHECK_THREAD(2, { "encoder\\n7", 0, 2, 0 });
    pthread_barrier_wait(&barrier);
    pthread_join(thread, NULL);
    int32_t tid = events->threads[2].tid;
    look();
    CHECK_STR(events->threads[2].name, "encoder\\n7");
    CHECK_I64(events->threads[2].tid, tid);
    CHECK_THREAD(2, { "encoder\\n7", 0, 2, 0 });
}

static void *renamed(void *count)
{
    passing(count);
    prctl(PR_SET_NAME, "late");
    return NULL;
}

CASE(who_a_thread_was_goes_with_the_last_that_is_held_of_it)
{
    size_t some[2] = { 400, 600 }; /* a chunk full, and in the next too few, or enough, for one of their own */
    start();
    for (uint32_t i = 0; i < 2; i++) {
        run_thread(renamed, &some[i]);
        look();
        REQUIRE(events->thread_count == i + 1 && events->threads[i].held == some[i]);
        CHECK_STR(events->threads[i].name, "late");
        CHECK(events->threads[i].tid > getpid());
    }
    for (int i = 0; i < 200; i++) /* more than all that the rings hold */
        run_thread(renamed, &some[i % 2]);
    look();
    CHECK(events->thread_count > 2 && events->threads[0].number > 100);
    for (uint32_t t = 0; t < events->thread_count; t++) {
        CHECK_STR(events->threads[t].name, "late");
        CHECK(events->threads[t].tid > 0);
    }
}

CASE(an_id_that_was_given_twice_is_the_later_threads)
{
    static const profi_events_site site = { .name = "site" };
    prof_inline_cell cells[2];
    profi_segment segments[2];
    for (unsigned i = 0; i < 2; i++) {
        cells[i] = (prof_inline_cell){ profi_event_what(PROFI_EVENT_SCOPE, 1, 0), i, i + 1 };
        segments[i] = (profi_segment){ .thread = i + 1, .first_cell = i, .cell_count = 1, .who = { 77, "first" } };
    }
    strcpy(segments[1].who.name, "second");
    profi_rings_view rings = { .cells = cells, .cell_count = 2, .segments = segments, .segment_count = 2, .exited_issued = 2 };
    const profi_events_source source = { .run_name = "test", .scale = { .ns = 1, .ticks = 1 }, .rings = &rings, .sites = &site,
                                         .site_count = 1 };
    CHECK_I64(profi_events_make(&source, &events, NULL), PROF_OK);
    REQUIRE(events->thread_count == 2);
    CHECK_STR(events->threads[0].name, "first");
    CHECK_I64(events->threads[0].tid, 0);
    CHECK_STR(events->threads[1].name, "second");
    CHECK_I64(events->threads[1].tid, 77);
}

CASE(what_the_rings_hold_no_more_is_lost_and_counted_for_each_thread)
{
    size_t many = 100000, few = 3;
    start();
    prof_end(begin("main"));
    run_thread(passing, &few);
    for (size_t i = 0; i < many; i++)
        prof_end(begin("busy"));
    look();
    REQUIRE(events->thread_count == 2);
    CHECK_U64(events->issued, many + 4);
    CHECK_U64(events->issued, issued_by_all());
    CHECK(events->threads[0].lost > 0);
    CHECK_U64(events->threads[0].held + events->threads[0].lost, many + 1);
    CHECK_U64(events->threads[1].held, 3);
    CHECK_U64(events->threads[1].lost, 0);
}

CASE(losses_of_threads_that_left_nothing_are_in_the_sum)
{
    size_t many = 100000, few = 3;
    start();
    for (int i = 0; i < 40; i++)
        run_thread(passing, &few);
    look();
    CHECK_U64(events->thread_count, 40);
    run_thread(passing, &many);
    run_thread(passing, &many);
    for (size_t i = 0; i < many; i++)
        prof_end(begin("busy"));
    look();
    CHECK_U64(events->issued, 3 * many + 120);
    CHECK(events->lost_of_unknown > 0);
    CHECK_U64(events->issued, issued_by_all());
}

CASE(without_rings_there_is_nothing)
{
    size_t many = 1000;
    setenv("PROFCORE_MODE", "tree", 1);
    start();
    passing(&many);
    run_thread(passing, &many);
    look();
    CHECK_U64(events->issued, 0);
    CHECK_U64(events->thread_count, 0);
}

/* ---- beyond scopes ---- */

/* The thread's only slice of a name. */
static const profi_slice *only(uint32_t thread, const char *name)
{
    static profi_slice found;
    size_t count = read_thread(thread, 0, slices, 100000), matches = 0;
    for (size_t i = 0; i < count; i++)
        if (strcmp(events->sites[slices[i].site].name, name) == 0) {
            found = slices[i];
            matches++;
        }
    CHECK_U64(matches, 1);
    return &found;
}

static void check_integer(const profi_slice *slice, size_t index, const char *name, int64_t value)
{
    REQUIRE(index < slice->detail_count);
    CHECK_I64(slice->details[index].kind, PROFI_ARG_INT);
    CHECK_STR(events->sites[slice->details[index].name].name, name);
    CHECK_I64(slice->details[index].value.integer, value);
}

CASE(instants_and_values_stand_in_the_scope_in_which_they_happened)
{
    start();
    PROF_INSTANT("outside");
    prof_scope a = begin("a");
    pass(1);
    PROF_INSTANT("in a");
    PROF_COUNTER("depth of queue", 2.5);
    prof_scope b = begin("b");
    PROF_INSTANT("in b");
    pass(1);
    prof_end(b);
    PROF_COUNTER("depth of queue", -1);
    prof_end(a);
    look();
    CHECK_U64(events->issued, 7);
    static const struct { const char *name; profi_slice_kind kind; uint64_t start; uint32_t depth; } wanted[] = {
        { "outside", PROFI_SLICE_INSTANT, 0, 0 },        { "a", PROFI_SLICE_SCOPE, 0, 0 },
        { "in a", PROFI_SLICE_INSTANT, 1, 1 },           { "depth of queue", PROFI_SLICE_COUNTER, 1, 1 },
        { "b", PROFI_SLICE_SCOPE, 1, 1 },                { "in b", PROFI_SLICE_INSTANT, 1, 2 },
        { "depth of queue", PROFI_SLICE_COUNTER, 2, 1 },
    };
    REQUIRE(read_thread(0, 0, slices, 100) == 7);
    for (size_t i = 0; i < 7; i++) {
        CHECK_STR(events->sites[slices[i].site].name, wanted[i].name);
        CHECK_I64(slices[i].kind, wanted[i].kind);
        CHECK_U64(slices[i].start_ns, 5000 + wanted[i].start);
        CHECK_U64(slices[i].depth, wanted[i].depth);
    }
    CHECK(slices[3].value == 2.5 && slices[6].value == -1 && slices[6].end_ns == 5002);
    CHECK(events->sites[slices[3].site].is_counter && !events->sites[slices[1].site].is_counter);
}

CASE(arguments_belong_to_the_scope_in_which_they_were_given)
{
    char longest[200];
    memset(longest, 'x', sizeof(longest));
    longest[199] = '\0';
    start();
    PROF_ARGS(PROF_INT("nowhere", 0));
    prof_scope a = begin("a");
    PROF_ARGS(PROF_INT("first", 1));
    prof_scope b = begin("b");
    PROF_ARGS(PROF_INT("of b", INT64_MIN), PROF_DOUBLE("share", 0.25), PROF_TEXT("text", "seventeen bytes..\n"));
    prof_end(b);
    PROF_ARGS(PROF_INT("second", 2), PROF_TEXT("empty", ""), PROF_TEXT("long", longest), PROF_TEXT("none", NULL));
    PROF_INSTANT_ARGS("instant", PROF_INT("of instant", 3));
    prof_end(a);
    prof_end(begin("c"));
    look();
    CHECK_U64(events->issued, 4);
    const profi_slice *slice = only(0, "a");
    CHECK_U64(slice->detail_count, 5);
    check_integer(slice, 0, "first", 1);
    check_integer(slice, 1, "second", 2);
    CHECK_STR(slice->details[2].value.text, "");
    CHECK_U64(strlen(slice->details[3].value.text), 128);
    CHECK_STR(slice->details[4].value.text, "");
    slice = only(0, "b");
    CHECK_U64(slice->detail_count, 3);
    check_integer(slice, 0, "of b", INT64_MIN);
    CHECK(slice->details[1].kind == PROFI_ARG_DOUBLE && slice->details[1].value.number == 0.25);
    CHECK_STR(slice->details[2].value.text, "seventeen bytes..\\n");
    check_integer(only(0, "instant"), 0, "of instant", 3);
    CHECK_U64(only(0, "c")->detail_count, 0);
}

CASE(flows_go_through_the_scopes_that_name_them)
{
    start();
    prof_flow(1); /* in no scope */
    prof_scope batch = begin("batch");
    prof_flow(7);
    prof_flow(8);
    prof_end(batch);
    prof_scope reply = begin("reply");
    prof_flow_end(7);
    prof_flow_end(0); /* no id */
    prof_end(reply);
    look();
    const profi_slice *slice = only(0, "batch");
    REQUIRE(slice->detail_count == 2);
    CHECK(slice->details[0].kind == PROFI_FLOW_HERE && slice->details[0].value.flow == 7);
    CHECK(slice->details[1].kind == PROFI_FLOW_HERE && slice->details[1].value.flow == 8);
    slice = only(0, "reply");
    REQUIRE(slice->detail_count == 1);
    CHECK(slice->details[0].kind == PROFI_FLOW_LAST && slice->details[0].value.flow == 7);
}

CASE(a_request_marks_what_ends_while_it_is_in_force)
{
    start();
    prof_end(begin("before"));
    {
        PROF_REQUEST(42);
        prof_scope a = begin("a");
        {
            PROF_REQUEST_TRACE(0x0af7651916cd43ddu, 0x8448eb211c80319cu);
            prof_end(begin("b"));
        }
        PROF_INSTANT("c");
        for (int i = 0; i < 1000; i++) /* more than a chunk: it is said again in the next */
            prof_end(begin("many"));
        prof_end(a);
    }
    prof_end(begin("behind"));
    look();
    CHECK(only(0, "before")->request == NULL && only(0, "behind")->request == NULL);
    CHECK_U64(only(0, "a")->request->low, 42);
    CHECK_U64(only(0, "a")->request->high, 0);
    CHECK_U64(only(0, "b")->request->high, 0x0af7651916cd43ddu);
    CHECK_U64(only(0, "b")->request->low, 0x8448eb211c80319cu);
    CHECK_U64(only(0, "c")->request->low, 42);
    size_t count = read_thread(0, 0, slices, 100000);
    CHECK_U64(count, 1005);
    for (size_t i = 0; i < count; i++)
        if (strcmp(events->sites[slices[i].site].name, "many") == 0)
            CHECK(slices[i].request != NULL && slices[i].request->low == 42);
}

static void *end_span(void *span)
{
    PROF_INSTANT("of the other thread");
    prof_arg arg = PROF_INT("tokens", 5);
    prof_span_end(*(prof_span *)span, &arg, 1);
    return NULL;
}

CASE(spans_that_overlap_lie_on_lanes_and_count_for_the_thread_that_ends_them)
{
    pthread_t thread;
    start();
    prof_span first = PROF_SPAN_BEGIN("wait");
    pass(1);
    static prof_site wait = PROF_SITE_INIT("wait too", NULL, 0, 0);
    prof_span a = prof_span_begin(&wait), b;
    pass(2);
    b = prof_span_begin(&wait);
    pass(2);
    prof_span_end(a, NULL, 0);
    prof_span c = prof_span_begin(&wait);
    pass(1);
    prof_span_end(c, NULL, 0);
    prof_span_end(b, NULL, 0);
    REQUIRE(pthread_create(&thread, NULL, end_span, &first) == 0);
    pthread_join(thread, NULL);
    prof_span_end(PROF_SPAN_NONE, NULL, 0);
    prof_span_end((prof_span){ 1000000, 1 }, NULL, 0); /* made up */
    look();
    CHECK_U64(events->issued, 5);
    CHECK_U64(events->threads[0].held, 3);
    CHECK_U64(events->threads[0].count, 0);
    CHECK_U64(events->threads[1].held, 2);
    REQUIRE(events->lane_count == 3);
    CHECK_STR(events->sites[events->lanes[0].track].name, "wait");
    CHECK(events->lanes[1].track == events->lanes[2].track && events->lanes[1].number == 0 && events->lanes[2].number == 1);
    REQUIRE(profi_events_read(events, events->lanes[0].first, events->lanes[0].count, 0, slices, 2) == 1);
    CHECK(slices[0].kind == PROFI_SLICE_SPAN && slices[0].start_ns == 5000 && slices[0].end_ns == 5006);
    check_integer(&slices[0], 0, "tokens", 5);
    REQUIRE(profi_events_read(events, events->lanes[1].first, events->lanes[1].count, 0, slices, 3) == 2);
    CHECK(slices[0].start_ns == 5001 && slices[0].end_ns == 5005 && slices[1].start_ns == 5005 && slices[1].end_ns == 5006);
    REQUIRE(profi_events_read(events, events->lanes[2].first, events->lanes[2].count, 0, slices, 2) == 1);
    CHECK(slices[0].start_ns == 5003 && slices[0].end_ns == 5006);
}

CASE(scopes_shorter_than_asked_stay_out_and_are_counted)
{
    setenv("PROFCORE_EVENT_MIN_NS", "10", 1);
    start();
    prof_scope outer = begin("outer"), scope = begin("short");
    PROF_ARGS(PROF_INT("of short", 1));
    pass(9);
    prof_end(scope);
    scope = begin("sibling");
    pass(10);
    prof_end(scope);
    prof_end(outer);
    look();
    CHECK_U64(events->issued, 2);
    CHECK_U64(events->filtered, 1);
    CHECK_U64(events->threads[0].filtered, 1);
    CHECK_U64(only(0, "sibling")->detail_count, 0);
    prof_stats stats = PROF_STATS_INIT;
    prof_stats_get(&stats, NULL);
    CHECK_U64(stats.event_filtered_count, 1);
}

static void *details_only(void *count)
{
    prof_scope scope = begin("with details");
    for (size_t i = 0; i < *(size_t *)count; i++)
        PROF_ARGS(PROF_INT("number", i));
    prof_end(scope);
    return NULL;
}

/* Whole chunks without an event, in the order in which they were written. */
CASE(details_take_room_but_are_no_events)
{
    size_t few = 3, many = 2000, busy = 100000;
    start();
    details_only(&many);
    run_thread(details_only, &few);
    run_thread(details_only, &many);
    look();
    CHECK_U64(events->issued, 3);
    CHECK_U64(events->lost, 0);
    CHECK_U64(only(0, "with details")->detail_count, many);
    for (size_t i = 0; i < many; i++)
        check_integer(only(0, "with details"), i, "number", (int64_t)i);
    CHECK_U64(only(1, "with details")->detail_count, few);
    CHECK_U64(only(2, "with details")->detail_count, many);
    passing(&busy);
    details_only(&busy); /* more than all rings hold */
    look();
    CHECK_U64(events->issued, 4 + busy);
    CHECK_U64(only(0, "with details")->detail_count + few + many, events->detail_count);
    CHECK(events->detail_count < busy && events->detail_count > 1000);
}

static int is_over;

static void *writer(void *unused)
{
    prof_site *outer = NULL, *inner = NULL;
    (void)unused;
    prof_site_get("outer", SIZE_MAX, NULL, 0, 0, &outer, NULL);
    prof_site_get("inner", SIZE_MAX, NULL, 0, 0, &inner, NULL);
    while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
        prof_scope scope = prof_begin(outer);
        prof_end(prof_begin(inner));
        prof_end(scope);
    }
    return NULL;
}

static void *short_lived(void *unused)
{
    size_t count = 20;
    (void)unused;
    while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED))
        run_thread(passing, &count);
    return NULL;
}

/* A thread that has lost nothing, though others' chunks are recycled all the time, shows no loss. */
CASE(a_reading_beside_writers_is_exact_and_loses_nothing_by_itself)
{
    pthread_t threads[3];
    size_t quiet = 500;
    start();
    passing(&quiet);
    for (int i = 0; i < 2; i++)
        REQUIRE(pthread_create(&threads[i], NULL, writer, NULL) == 0);
    REQUIRE(pthread_create(&threads[2], NULL, short_lived, NULL) == 0);
    for (int round = 0; round < 50 && !test_failed; round++) {
        uint64_t before = issued_by_all();
        look();
        CHECK(events->issued >= before);
        CHECK(events->issued <= issued_by_all());
        CHECK_U64(events->threads[0].held, quiet);
        CHECK_U64(events->threads[0].lost, 0);
    }
    __atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    look();
    CHECK_U64(events->issued, issued_by_all());
}

typedef struct streamed_file {
    FILE *file;
    uint64_t bytes;
} streamed_file;

static int write_to_file(void *user, const void *data, size_t bytes)
{
    streamed_file *to = user;
    to->bytes += bytes;
    return fwrite(data, 1, bytes, to->file) == bytes ? 0 : EIO;
}

/* Between two steps of the streamer: what its file has so far, and what the rings have. */
static void look_at_both(profi_tape *tape, streamed_file *to)
{
    profi_events_copy copy;
    profi_events_close(events);
    events = NULL;
    profi_tape_settle(tape);
    CHECK_I64(profi_events_take(&copy, NULL), PROF_OK);
    CHECK(fflush(to->file) == 0);
    rewind(to->file);
    CHECK_I64(profi_events_open_streamed("test", &copy, fileno(to->file), to->bytes, &events, NULL), PROF_OK);
    CHECK(fseek(to->file, 0, SEEK_END) == 0);
    profi_events_copy_fini(&copy);
}

CASE(whenever_a_stream_is_read_each_event_is_in_its_file_or_in_the_rings_once)
{
    streamed_file to = { .file = tmpfile() };
    profi_tape tape;
    size_t count = 2000;
    int any = 1;
    start();
    passing(&count);
    REQUIRE(to.file != NULL && profi_tape_begin(&tape, write_to_file, &to, "test") == 0);
    for (int steps = 0; any && !test_failed; steps++) {
        REQUIRE(steps < 1000 && profi_tape_step(&tape, &any) == 0);
        look_at_both(&tape, &to);
        CHECK_U64(events->issued, count);
        CHECK_U64(events->held, count);
        CHECK_U64(events->lost, 0);
    }
    profi_tape_drop(&tape);
    fclose(to.file);
}

int main(int argc, char **argv)
{
    setenv("PROFCORE_MEMORY", "1MiB", 1);
    profi_clock_simulate(now_ns);
    return test_main(argc, argv);
}
