/* SPDX-License-Identifier: Apache-2.0 */
/* Sampled sites on a simulated clock. */
#include "recording.h"
#include "simulated.h"

#include <profcore/snapshot.h>

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>

static prof_site *sampled(const char *name) { return site_with(name, PROF_SITE_SAMPLED); }

static prof_snapshot *snapshot;

static prof_function row(const char *name)
{
    prof_function found = PROF_FUNCTION_INIT;
    uint32_t id = 0;
    prof_snapshot_close(snapshot);
    CHECK_I64(prof_snapshot_take(&snapshot, NULL), PROF_OK);
    CHECK_I64(prof_snapshot_find(snapshot, name, &id, NULL), PROF_OK);
    CHECK_I64(prof_snapshot_function(snapshot, id, &found, NULL), PROF_OK);
    return found;
}

static void call(prof_site *site, uint64_t ns)
{
    prof_scope scope = prof_begin(site);
    pass(ns);
    prof_end(scope);
}

TEST(the_first_calls_of_a_path_are_all_timed)
{
    start();
    for (int i = 0; i < 32; i++)
        call(sampled("rare"), 10 + (uint64_t)i);
    stop();
    prof_function rare = row("rare");
    CHECK_U64(rare.calls, 32);
    CHECK_U64(rare.timed_calls, 32);
    CHECK(!(rare.has & PROF_FUNCTION_IS_ESTIMATE));
    CHECK_U64(rare.cumulative_ns, 32 * 10 + 31 * 16);
}

TEST(every_call_is_counted_one_in_128_is_timed_and_equal_ones_are_estimated_exactly)
{
    start();
    for (int i = 0; i < 1280032; i++)
        call(sampled("equal"), 100);
    stop();
    prof_function equal = row("equal");
    CHECK_U64(equal.calls, 1280032);
    CHECK(equal.has & PROF_FUNCTION_IS_ESTIMATE);
    CHECK(equal.timed_calls > 9000 && equal.timed_calls < 11000);
    CHECK(llabs((long long)equal.cumulative_ns - 128003200) <= 1);
    CHECK_U64(equal.interval_ns, 0);
    CHECK_U64(equal.min_ns, 100);
    CHECK_U64(equal.max_ns, 100);
}

/* 95 of 100 intervals should hold the truth; fewer than 80 would be one run in 10^7. */
TEST(the_truth_lies_within_the_interval_as_often_as_it_says)
{
    static char names[100][24];
    int hits = 0;
    uint64_t seed = 12345;
    start();
    for (int k = 0; k < 100; k++) {
        uint64_t truth = 0;
        snprintf(names[k], sizeof(names[k]), "drawn %d", k);
        prof_site *site = sampled(names[k]);
        for (int i = 0; i < 20000; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            uint64_t ns = 50 + (seed >> 33) % 200;
            truth += ns;
            call(site, ns);
        }
        prof_function found = row(names[k]);
        CHECK(found.interval_ns > 0 && found.interval_ns < truth / 10);
        hits += fabs((double)found.cumulative_ns - (double)truth) <= (double)found.interval_ns;
    }
    stop();
    CHECK(hits >= 80);
}

TEST(a_rhythm_of_the_program_does_not_fall_in_with_the_sampling)
{
    uint64_t truth = 0;
    start();
    for (int i = 0; i < 320000; i++) {
        uint64_t ns = i % 64 == 7 ? 6400 : 10;
        truth += ns;
        call(sampled("rhythm"), ns);
    }
    stop();
    prof_function found = row("rhythm");
    CHECK(fabs((double)found.cumulative_ns / (double)truth - 1) < 0.3);
}

TEST(children_of_a_call_that_is_not_timed_stand_below_it)
{
    start();
    prof_scope outer = prof_begin(site("caller"));
    for (int i = 0; i < 1000; i++) {
        prof_scope scope = prof_begin(sampled("between"));
        call(site("child"), 3);
        prof_end(scope);
    }
    prof_end(outer);
    stop();
    prof_function child = row("child"), caller = PROF_FUNCTION_INIT;
    CHECK_U64(child.calls, 1000);
    CHECK_U64(child.cumulative_ns, 3000);
    CHECK_U64(prof_snapshot_caller_count(snapshot, child.id), 1);
    CHECK_I64(prof_snapshot_caller(snapshot, child.id, 0, &caller, NULL), PROF_OK);
    CHECK_STR(caller.name, "between");
    CHECK_U64(row("between").calls, 1000);
    CHECK_U64(row("caller").cumulative_ns, 3000);
}

TEST(a_missing_end_inside_a_call_that_is_not_timed_is_repaired)
{
    prof_stats before = PROF_STATS_INIT, after = PROF_STATS_INIT;
    start();
    prof_stats_get(&before, NULL);
    for (int i = 0; i < 500; i++) {
        prof_scope outer = prof_begin(site("around"));
        prof_begin(sampled("left open"));
        pass(1);
        prof_end(outer);
    }
    stop();
    prof_stats_get(&after, NULL);
    CHECK_U64(after.repaired_count, before.repaired_count + 500);
    CHECK_U64(row("left open").calls, 500);
    CHECK_U64(row("around").calls, 500);
    CHECK_U64(row("around").cumulative_ns, 500);
}

TEST(a_call_that_is_open_and_not_timed_adds_no_time)
{
    start();
    for (int i = 0; i < 32; i++)
        call(sampled("stays open"), 10);
    for (int i = 0; i < 40; i++) {
        prof_scope scope = prof_begin(sampled("stays open"));
        pass(10);
        prof_function so_far = row("stays open");
        CHECK(so_far.cumulative_ns >= 320 && so_far.cumulative_ns <= 320 + 10 * (uint64_t)(i + 1));
        CHECK_U64(so_far.calls, 32 + (uint64_t)i + so_far.open_calls); /* one that is not timed counts from its end on */
        prof_end(scope);
    }
    stop();
}

TEST(the_time_so_far_of_an_open_call_stands_for_no_other_call)
{
    static prof_site seldom = PROF_SITE_INIT("long one", NULL, 0, PROF_SITE_SAMPLED);
    prof_function found = PROF_FUNCTION_INIT;
    seldom.sample_every = 1000; /* with a simulated clock the same numbers are drawn in each run */
    start();
    for (int i = 0; i < 32; i++)
        call(&seldom, 10);
    for (int i = 0; i < 2000 && found.open_calls == 0; i++) {
        prof_scope scope = prof_begin(&seldom);
        found = row("long one");
        if (found.open_calls != 0) {
            pass(1000000);
            found = row("long one");
        }
        prof_end(scope);
    }
    stop();
    CHECK_U64(found.open_calls, 1);
    CHECK(found.calls > 33); /* calls before it that were not timed */
    CHECK_U64(found.cumulative_ns, (found.calls - 1) * 10 + 1000000);
}

static void *thread_body(void *unused)
{
    (void)unused;
    for (int i = 0; i < 10000; i++)
        call(sampled("on threads"), 50);
    return NULL;
}

TEST(estimates_of_threads_are_added)
{
    start();
    for (int i = 0; i < 4; i++) {
        pthread_t thread;
        REQUIRE(pthread_create(&thread, NULL, thread_body, NULL) == 0);
        pthread_join(thread, NULL);
    }
    stop();
    prof_function found = row("on threads");
    CHECK_U64(found.calls, 40000);
    CHECK(llabs((long long)found.cumulative_ns - 2000000) <= 4);
}

typedef struct caller {
    pthread_t thread;
    pthread_barrier_t barrier;
    prof_site *site;
} caller;

static void *ten_thousand(void *argument)
{
    caller *c = argument;
    call(c->site, 50); /* makes the node: with a sample before the site has a rule, without one after that */
    pthread_barrier_wait(&c->barrier);
    pthread_barrier_wait(&c->barrier);
    for (int i = 1; i < 10000; i++)
        call(c->site, 50);
    return NULL;
}

static void begin_thread(caller *c, prof_site *site)
{
    c->site = site;
    pthread_barrier_init(&c->barrier, NULL, 2);
    REQUIRE(pthread_create(&c->thread, NULL, ten_thousand, c) == 0);
    pthread_barrier_wait(&c->barrier);
}

static void let_thread_end(caller *c)
{
    pthread_barrier_wait(&c->barrier);
    pthread_join(c->thread, NULL);
}

/* The calls of one thread are sampled, those of the other are all timed, since a rule may keep them. */
static void add_up_threads(const char *name, int sampled_ends_first)
{
    caller one, other;
    start();
    begin_thread(&one, sampled(name));
    if (sampled_ends_first)
        let_thread_end(&one);
    CHECK_I64(prof_site_save_if(sampled(name), 0, 1000000, NULL), PROF_OK);
    begin_thread(&other, sampled(name));
    let_thread_end(&other);
    if (!sampled_ends_first)
        let_thread_end(&one);
    stop();
    prof_function found = row(name);
    CHECK_U64(found.calls, 20000);
    CHECK(found.timed_calls > 10032 && found.timed_calls < 11000);
    CHECK(llabs((long long)found.cumulative_ns - 1000000) <= 4);
}

TEST(calls_that_were_sampled_and_others_that_were_all_timed_add_up)
{
    add_up_threads("sampled, then timed", 1);
    add_up_threads("timed, then sampled", 0);
}

TEST(a_site_says_how_many)
{
    static prof_site often = PROF_SITE_INIT("one in four", NULL, 0, PROF_SITE_SAMPLED);
    often.sample_every = 4;
    start();
    for (int i = 0; i < 40032; i++)
        call(&often, 1);
    stop();
    uint64_t timed = row("one in four").timed_calls;
    CHECK(timed > 9500 && timed < 10600);
}

int main(int argc, char **argv)
{
    profi_clock_simulate(now_ns);
    return test_main(argc, argv);
}
