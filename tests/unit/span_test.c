/* SPDX-License-Identifier: Apache-2.0 */
/* Spans in snapshots, on the simulated clock, through the public functions: every figure is exact. */
#include "child.h"
#include "recording.h"
#include "simulated.h"

#include "base/region.h"
#include <profcore/events.h>
#include <profcore/snapshot.h>

#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static prof_snapshot *take(void)
{
    prof_snapshot *snapshot = NULL;
    CHECK_I64(prof_snapshot_take(&snapshot, NULL), PROF_OK);
    return snapshot;
}

/* The number of a span; UINT32_MAX where there is none. */
static uint32_t find(const prof_snapshot *snapshot, const char *name)
{
    for (uint32_t i = 0; i < prof_snapshot_span_count(snapshot); i++) {
        prof_function row = PROF_FUNCTION_INIT;
        CHECK_I64(prof_snapshot_span(snapshot, i, &row, NULL), PROF_OK);
        if (strcmp(row.name, name) == 0)
            return i;
    }
    return UINT32_MAX;
}

/* The row of a span now; calls 0 where there is none. */
static prof_function row_in(const prof_snapshot *snapshot, const char *name)
{
    prof_function row = PROF_FUNCTION_INIT;
    uint32_t number = find(snapshot, name);
    if (number != UINT32_MAX)
        CHECK_I64(prof_snapshot_span(snapshot, number, &row, NULL), PROF_OK);
    return row;
}

static prof_function row_of(const char *name)
{
    prof_snapshot *snapshot = take();
    prof_function row = row_in(snapshot, name);
    prof_snapshot_close(snapshot);
    row.name = row.file = NULL; /* freed with the snapshot */
    return row;
}

static void last(const char *name, uint64_t ns)
{
    prof_span span = prof_span_begin(site(name));
    pass(ns);
    prof_span_end(span, NULL, 0);
}

TEST(a_span_has_its_count_total_and_extremes)
{
    start();
    last("wait", 30);
    last("wait", 10);
    last("wait", 50);
    prof_span open = prof_span_begin(site("wait")); /* nothing is kept of it */
    prof_function row = row_of("wait");
    CHECK_U64(row.calls, 3);
    CHECK_U64(row.timed_calls, 3);
    CHECK_U64(row.open_calls, 0);
    CHECK_U64(row.cumulative_ns, 90);
    CHECK_U64(row.min_ns, 10);
    CHECK_U64(row.max_ns, 50);
    CHECK_U64(row.has, PROF_FUNCTION_HAS_EXTREMES | PROF_FUNCTION_HAS_HISTOGRAM);
    stop();
    prof_span_end(open, NULL, 0); /* while stopped: not recorded */
    CHECK_U64(row_of("wait").calls, 3);
}

static uint64_t unmatched(void)
{
    prof_stats stats = PROF_STATS_INIT;
    CHECK_I64(prof_stats_get(&stats, NULL), PROF_OK);
    return stats.unmatched_count;
}

TEST(a_span_that_a_macro_has_ended_is_unmatched_when_it_is_ended_again)
{
    start();
    uint64_t before = unmatched();
    prof_span span = PROF_SPAN_BEGIN("ended twice"), none = PROF_SPAN_NONE, *at = &span;
    pass(10);
    PROF_SPAN_END(*at++); /* its argument is evaluated once */
    CHECK(at == &span + 1);
    pass(10);
    PROF_SPAN_END(span);
    PROF_SPAN_END_ARGS(span, PROF_INT("n", 1));
    PROF_SPAN_END(none); /* that is no mistake: a stopped recorder begins such */
    prof_function row = row_of("ended twice");
    CHECK_U64(row.calls, 1);
    CHECK_U64(row.cumulative_ns, 10);
    CHECK_U64(unmatched() - before, 2);
    PROF_SPAN_PHASE(span, "after it"); /* what follows begins all the same */
    pass(5);
    PROF_SPAN_END(span);
    CHECK_U64(row_of("ended twice").calls, 1);
    CHECK_U64(row_of("after it").cumulative_ns, 5);
    CHECK_U64(unmatched() - before, 3);
    stop();
    PROF_SPAN_END(span); /* while stopped nothing is counted */
    CHECK_U64(unmatched() - before, 3);
}

TEST(a_copy_of_an_ended_span_makes_one_more_and_a_made_up_one_is_unmatched)
{
    start();
    uint64_t before = unmatched();
    prof_span span = prof_span_begin(site("copied")), copy = span;
    pass(10);
    prof_span_end(span, NULL, 0);
    pass(20);
    prof_span_end(copy, NULL, 0);
    prof_function row = row_of("copied");
    CHECK_U64(row.calls, 2);
    CHECK_U64(row.cumulative_ns, 40);
    CHECK_U64(unmatched() - before, 0);
    const prof_span made_up[] = { { UINT64_MAX, 1 }, { (uint64_t)UINT32_MAX + 1, 1 }, { (uint64_t)1 << 40, UINT64_MAX }, { 1u << 30, 0 } };
    for (size_t i = 0; i < sizeof(made_up) / sizeof(made_up[0]); i++) {
        prof_span_end(made_up[i], NULL, 0);
        CHECK_U64(prof_span_phase(made_up[i], NULL).what, 0);
        CHECK_U64(unmatched() - before, 2 * (i + 1));
    }
    CHECK_U64(row_of("copied").calls, 2);
    stop();
}

TEST(a_span_that_ends_before_it_began_takes_no_time)
{
    start();
    prof_span span = prof_span_begin(site("to a core that lags"));
    span.start += 5;
    prof_span_end(span, NULL, 0);
    stop();
    CHECK_U64(row_of("to a core that lags").calls, 1);
    CHECK_U64(row_of("to a core that lags").max_ns, 0);
}

TEST(a_span_is_no_function_and_counts_in_no_total)
{
    uint32_t id;
    start();
    last("only a span", 1000000);
    prof_scope scope = prof_begin(site("both"));
    last("both", 500);
    prof_end(scope);
    stop();
    prof_snapshot *snapshot = take();
    CHECK_I64(prof_snapshot_find(snapshot, "only a span", &id, NULL), PROF_E_NOT_FOUND);
    CHECK_U64(prof_snapshot_function_count(snapshot), 1);
    prof_function function = PROF_FUNCTION_INIT;
    uint64_t counts[PROF_BUCKET_COUNT], sum = 0;
    CHECK_I64(prof_snapshot_function(snapshot, 0, &function, NULL), PROF_OK);
    CHECK_U64(function.calls, 1);
    CHECK_I64(prof_snapshot_histogram(snapshot, 0, counts, NULL), PROF_OK);
    for (int i = 0; i < PROF_BUCKET_COUNT; i++)
        sum += counts[i];
    CHECK_U64(sum, 1);
    CHECK_U64(row_in(snapshot, "both").calls, 1);
    CHECK_I64(prof_snapshot_span_histogram(snapshot, find(snapshot, "both"), counts, NULL), PROF_OK);
    for (int i = 0; i < PROF_BUCKET_COUNT; i++)
        sum += counts[i];
    CHECK_U64(sum, 2);
    prof_snapshot *subtree = NULL;
    CHECK_I64(prof_snapshot_subtree(snapshot, 0, &subtree, NULL), PROF_OK);
    CHECK_U64(prof_snapshot_span_count(subtree), 0);
    prof_snapshot_close(subtree);
    prof_snapshot_close(snapshot);
}

TEST(phases_follow_each_other_on_one_clock_read)
{
    start();
    prof_span phase = prof_span_phase(PROF_SPAN_NONE, site("first"));
    pass(7);
    phase = prof_span_phase(phase, site("second"));
    pass(11);
    CHECK_U64(prof_span_phase(phase, NULL).what, 0);
    CHECK_U64(row_of("first").cumulative_ns, 7);
    CHECK_U64(row_of("second").cumulative_ns, 11);
    phase = prof_span_begin(site("before a stop"));
    stop();
    CHECK_U64(prof_span_phase(phase, site("after it")).what, 0);
    CHECK_U64(row_of("before a stop").calls, 0);
}

TEST(the_time_between_tokens_is_a_span_that_follows_itself)
{
    start();
    prof_span token = PROF_SPAN_BEGIN("time to first token");
    for (int i = 0; i < 4; i++) {
        pass(i == 0 ? 100 : 10 + (uint64_t)i);
        PROF_SPAN_PHASE(token, "time between tokens");
    }
    stop();
    CHECK_U64(row_of("time to first token").cumulative_ns, 100);
    prof_function row = row_of("time between tokens");
    CHECK_U64(row.calls, 3);
    CHECK_U64(row.cumulative_ns, 36);
    CHECK_U64(row.min_ns, 11);
    CHECK_U64(row.max_ns, 13);
}

TEST(percentiles_need_samples_and_are_those_of_the_histogram)
{
    uint64_t ns = 0, counts[PROF_BUCKET_COUNT];
    prof_error err = PROF_ERROR_INIT;
    start();
    for (uint64_t i = 1; i <= 19; i++)
        last("measured", i * 100);
    prof_snapshot *few = take();
    CHECK_I64(prof_snapshot_span_percentile(few, find(few, "measured"), 0.5, &ns, &err), PROF_E_UNAVAILABLE);
    CHECK_HAS(err.message, "p50 of \"measured\" needs 20 calls; 19 have ended");
    prof_snapshot_close(few);
    for (uint64_t i = 20; i <= 100; i++)
        last("measured", i * 100);
    stop();
    prof_snapshot *snapshot = take();
    uint32_t span = find(snapshot, "measured");
    CHECK_I64(prof_snapshot_span_percentile(snapshot, span, 0.5, &ns, NULL), PROF_OK);
    CHECK(ns >= 5000 && ns <= 5625);
    CHECK_I64(prof_snapshot_span_percentile(snapshot, span, 0.9, &ns, NULL), PROF_OK);
    CHECK(ns >= 9000 && ns <= 10000);
    CHECK_I64(prof_snapshot_span_percentile(snapshot, span, 0.99, &ns, NULL), PROF_E_UNAVAILABLE);
    CHECK_I64(prof_snapshot_span_histogram(snapshot, span, counts, NULL), PROF_OK);
    uint64_t sum = 0;
    for (int i = 0; i < PROF_BUCKET_COUNT; i++)
        sum += counts[i];
    CHECK_U64(sum, 100);
    prof_snapshot_close(snapshot);
}

static void *end_on_thread(void *span)
{
    prof_span_end(*(prof_span *)span, NULL, 0);
    return NULL;
}

TEST(threads_are_merged_and_what_exited_threads_ended_is_kept)
{
    uint64_t used = 0, ns = 0;
    start();
    last("on threads", 50);
    for (uint64_t i = 0; i < 30; i++) { /* 40 down to 11 ns, and one of 90 */
        pthread_t thread;
        prof_stats stats = PROF_STATS_INIT;
        prof_span span = prof_span_begin(site("on threads"));
        pass(i == 15 ? 90 : 40 - i);
        CHECK_I64(pthread_create(&thread, NULL, end_on_thread, &span), 0);
        pthread_join(thread, NULL);
        prof_stats_get(&stats, NULL);
        used = i == 1 ? stats.memory_used_bytes : used;
        if (i > 1)
            CHECK_U64(stats.memory_used_bytes, used);
    }
    stop();
    prof_snapshot *snapshot = take();
    prof_function row = row_in(snapshot, "on threads");
    CHECK_U64(row.calls, 31);
    CHECK_U64(row.cumulative_ns, 50 + 30 * 40 - 29 * 30 / 2 + 65);
    CHECK_U64(row.min_ns, 11);
    CHECK_U64(row.max_ns, 90);
    CHECK_I64(prof_snapshot_span_percentile(snapshot, find(snapshot, "on threads"), 0.5, &ns, NULL), PROF_OK);
    CHECK(ns >= 26 && ns <= 29);
    prof_snapshot_close(snapshot);
}

TEST(a_run_of_nothing_but_spans_of_an_exited_thread_has_them)
{
    pthread_t thread;
    pid_t child;
    start();
    child = fork(); /* where nothing has been recorded */
    if (child == 0) {
        prof_span span = prof_span_begin(site("alone"));
        pass(8);
        CHECK_I64(pthread_create(&thread, NULL, end_on_thread, &span), 0);
        pthread_join(thread, NULL);
        CHECK_U64(row_of("alone").cumulative_ns, 8);
        _exit(test_failed);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK_I64(status, 0);
    stop();
}

TEST(a_forked_child_counts_from_nothing_and_ends_what_its_parent_began)
{
    start();
    last("in both", 3);
    prof_span begun = prof_span_begin(site("begun in the parent"));
    pass(20);
    pid_t child = fork();
    if (child == 0) {
        CHECK_U64(row_of("in both").calls, 0);
        last("in both", 9);
        prof_span_end(begun, NULL, 0);
        CHECK_U64(row_of("in both").calls, 1);
        CHECK_U64(row_of("in both").min_ns, 9);
        CHECK_U64(row_of("begun in the parent").cumulative_ns, 29);
        _exit(test_failed);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK_I64(status, 0);
    CHECK_U64(row_of("in both").calls, 1);
    CHECK_U64(row_of("begun in the parent").calls, 0);
    stop();
}

TEST(a_forked_child_gives_back_what_its_parent_recorded)
{
    start();
    (void)site("given back");
    uint64_t before = used_in_child();
    last("given back", 1);
    CHECK_U64(used_in_child(), before);
    stop();
}

/* ---- written and read back ---- */

typedef struct text {
    char data[200000];
    size_t used;
} text;

static int keep(void *user, const void *data, size_t bytes)
{
    text *t = user;
    memcpy(t->data + t->used, data, bytes);
    t->used += bytes;
    t->data[t->used] = '\0';
    return 0;
}

static const char *written(const prof_snapshot *snapshot, const char *format)
{
    static text files[2];
    static unsigned turn;
    text *file = &files[turn++ % 2];
    file->used = 0;
    CHECK_I64(prof_snapshot_write(snapshot, format, NULL, keep, file, NULL), PROF_OK);
    return file->data;
}

TEST(spans_are_read_back_and_merged_and_stand_in_no_other_format)
{
    static const char *const others[] = { "prof", "pprof", "collapsed", "callgrind" };
    prof_snapshot *snapshot, *again = NULL, *both = NULL;
    start();
    prof_end(prof_begin(site("a function")));
    for (uint64_t i = 0; i < 100; i++)
        last("read back", 1000 + i);
    stop();
    snapshot = take();
    const char *json = written(snapshot, "json");
    CHECK_I64(prof_snapshot_read(json, strlen(json), NULL, &again, NULL), PROF_OK);
    REQUIRE(again != NULL);
    CHECK_STR(written(again, "json"), json);
    CHECK_U64(prof_snapshot_span_count(again), prof_snapshot_span_count(snapshot));
    const prof_snapshot *parts[] = { snapshot, again };
    CHECK_I64(prof_snapshot_merge(parts, 2, &both, NULL), PROF_OK);
    prof_function row = row_in(both, "read back");
    CHECK_U64(row.calls, 200);
    CHECK_U64(row.cumulative_ns, 2 * (100 * 1000 + 99 * 100 / 2));
    CHECK_U64(row.min_ns, 1000);
    CHECK_U64(row.max_ns, 1099);
    uint64_t ns = 0;
    CHECK_I64(prof_snapshot_span_percentile(both, find(both, "read back"), 0.9, &ns, NULL), PROF_OK);
    CHECK(ns >= 1089 && ns <= 1099);
    CHECK_U64(prof_snapshot_span_count(both), prof_snapshot_span_count(snapshot));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        CHECK(strstr(written(snapshot, others[i]), "read back") == NULL);
    prof_snapshot_close(both);
    prof_snapshot_close(again);
    prof_snapshot_close(snapshot);
}

TEST(the_table_shows_spans_with_the_percentiles_that_there_are)
{
    start();
    for (uint64_t i = 0; i < 20; i++)
        last("in the table", 1000);
    stop();
    prof_snapshot *snapshot = take();
    CHECK_HAS(written(snapshot, "txt"),
              "\n         20   20.00 us    1.00 us    1.00 us    1.00 us          -          -          -    1.00 us in the table\n");
    prof_snapshot_close(snapshot);
}

/* ---- memory that is spent: last, as it stays so ---- */

static void *end_one(void *unused)
{
    last("without a histogram", 4);
    return unused;
}

static void on_thread(void *(*run)(void *))
{
    pthread_t thread;
    CHECK_I64(pthread_create(&thread, NULL, run, NULL), 0);
    pthread_join(thread, NULL);
}

static void *end_many(void *unused)
{
    char name[32];
    prof_site *spans[40];
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof(name), "filler %d", i);
        spans[i] = site(name);
        prof_span_end(prof_span_begin(spans[i]), NULL, 0);
    }
    last("without a histogram", 6);
    prof_snapshot *snapshot = take();
    uint64_t ns;
    prof_error err = PROF_ERROR_INIT;
    prof_function row = row_in(snapshot, "without a histogram");
    CHECK_U64(row.calls, 2); /* one of a thread that had a histogram */
    CHECK_U64(row.max_ns, 6);
    CHECK_U64(row.has, PROF_FUNCTION_HAS_EXTREMES);
    CHECK_I64(prof_snapshot_span_percentile(snapshot, find(snapshot, "without a histogram"), 0.5, &ns, &err),
              PROF_E_UNAVAILABLE);
    CHECK_HAS(err.message, "memory for histograms is spent");
    CHECK_HAS(written(snapshot, "txt"), "no percentiles of without a histogram: the memory for histograms is spent");
    CHECK_HAS(written(snapshot, "json"), "\"histogram\":null,\"unavailable\":{\"histogram\":\"the memory for histograms is spent\"}");
    prof_snapshot_close(snapshot);
    return unused;
}

TEST(without_memory_for_a_histogram_spans_are_counted_all_the_same)
{
    start();
    on_thread(end_one);
    on_thread(end_many);
    prof_function row = row_of("without a histogram"); /* when both threads are gone */
    CHECK_U64(row.calls, 2);
    CHECK_U64(row.cumulative_ns, 10);
    CHECK_U64(row.has, PROF_FUNCTION_HAS_EXTREMES);
    stop();
}

static void spend_memory(void)
{
    for (size_t bytes = 16; bytes <= 256; bytes += 16) /* what was freed is kept by size */
        while (profi_region_alloc(bytes, PROFI_REGION_TREE) != NULL)
            ;
}

static void *lose_spans(void *site)
{
    prof_instant(site, NULL, 0); /* the thread is attached, and has recorded nothing */
    spend_memory();
    for (int i = 0; i < 3; i++)
        prof_span_end(prof_span_begin(site), NULL, 0);
    return NULL;
}

CASE(what_a_thread_lost_is_counted_also_if_no_thread_that_exited_left_anything_else)
{
    pthread_t thread;
    start();
    CHECK_I64(pthread_create(&thread, NULL, lose_spans, site("lost by a thread")), 0);
    pthread_join(thread, NULL);
    prof_snapshot *snapshot = take();
    CHECK_U64(find(snapshot, "lost by a thread"), UINT32_MAX);
    CHECK_HAS(written(snapshot, "json"), "\"counter_values\":3");
    prof_snapshot_close(snapshot);
}

TEST(a_span_without_room_is_lost_and_counted)
{
    start();
    prof_site *late = site("late");
    prof_span span = prof_span_begin(late);
    prof_end(prof_begin(late)); /* the thread is attached */
    spend_memory();
    for (int i = 0; i < 5; i++)
        prof_span_end(span, NULL, 0);
    prof_snapshot *snapshot = take();
    CHECK_U64(find(snapshot, "late"), UINT32_MAX);
    CHECK_HAS(written(snapshot, "json"), "\"counter_values\":5");
    CHECK_HAS(written(snapshot, "txt"), "and 5 values and events beside scopes");
    prof_snapshot_close(snapshot);
    stop();
}

TEST(bad_arguments_are_refused)
{
    prof_function row = PROF_FUNCTION_INIT;
    prof_error err = PROF_ERROR_INIT;
    CHECK_U64(prof_snapshot_span_count(NULL), 0);
    CHECK_I64(prof_snapshot_span(NULL, 0, &row, &err), PROF_E_INVALID);
    prof_snapshot *snapshot = take();
    CHECK_I64(prof_snapshot_span(snapshot, 1u << 30, &row, &err), PROF_E_INVALID);
    CHECK_HAS(err.message, "there is no span");
    CHECK_I64(prof_snapshot_span(snapshot, 0, NULL, &err), PROF_E_INVALID);
    prof_snapshot_close(snapshot);
}

int main(int argc, char **argv)
{
    profi_clock_simulate(now_ns);
    setenv("PROFCORE_MEMORY", "1MiB", 1);
    setenv("PROFCORE_MODE", "tree", 1); /* where there are no events, spans count all the same */
    return test_main(argc, argv);
}
