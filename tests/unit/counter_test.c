/* SPDX-License-Identifier: Apache-2.0 */
/* Counters on the simulated clock, through the public functions: every figure is exact. */
#include "recording.h"
#include "simulated.h"

#include <profcore/snapshot.h>

#include <jansson.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* The row of a counter; count 0 where there is none. */
static prof_counter_row row(const char *name)
{
    prof_snapshot *snapshot = NULL;
    prof_counter_row found = PROF_COUNTER_ROW_INIT, none = PROF_COUNTER_ROW_INIT;
    CHECK_I64(prof_snapshot_take(&snapshot, NULL), PROF_OK);
    for (uint32_t i = 0; i < prof_snapshot_counter_count(snapshot); i++) {
        CHECK_I64(prof_snapshot_counter(snapshot, i, &found, NULL), PROF_OK);
        if (strcmp(found.name, name) == 0) {
            prof_snapshot_close(snapshot);
            found.name = NULL; /* freed with the snapshot */
            return found;
        }
    }
    prof_snapshot_close(snapshot);
    return none;
}

#define CHECK_DOUBLE(actual, expected) CHECK((actual) <= (expected) && (actual) >= (expected))

TEST(a_counter_has_its_count_last_sum_and_extremes)
{
    static const double values[] = { 3.5, -2.0, 7.25, 1.0 };
    start();
    for (size_t i = 0; i < 4; i++) {
        prof_counter(site("depth"), values[i]);
        pass(10);
    }
    stop();
    prof_counter(site("depth"), 1000.0); /* while stopped: not recorded */
    prof_counter_row depth = row("depth");
    CHECK_U64(depth.count, 4);
    CHECK_DOUBLE(depth.last, 1.0);
    CHECK_DOUBLE(depth.sum, 9.75);
    CHECK_DOUBLE(depth.min, -2.0);
    CHECK_DOUBLE(depth.max, 7.25);
    CHECK_U64(depth.not_finite_count, 0);
}

TEST(what_is_not_a_number_is_counted_apart)
{
    start();
    prof_counter(site("odd"), NAN);
    CHECK_U64(row("odd").count, 0);
    CHECK_DOUBLE(row("odd").min, 0.0);
    prof_counter(site("odd"), 2.0);
    prof_counter(site("odd"), INFINITY);
    prof_counter(site("odd"), -INFINITY);
    stop();
    CHECK_U64(row("odd").count, 1);
    CHECK_U64(row("odd").not_finite_count, 3);
    CHECK_DOUBLE(row("odd").sum, 2.0);
    CHECK_DOUBLE(row("odd").max, 2.0);
}

TEST(a_counter_is_no_function_and_a_function_no_counter)
{
    prof_snapshot *snapshot = NULL;
    uint32_t id;
    start();
    prof_counter(site("only counted"), 1.0);
    prof_end(prof_begin(site("only timed")));
    stop();
    CHECK_I64(prof_snapshot_take(&snapshot, NULL), PROF_OK);
    CHECK_I64(prof_snapshot_find(snapshot, "only counted", &id, NULL), PROF_E_NOT_FOUND);
    prof_snapshot_close(snapshot);
    CHECK_U64(row("only timed").count, 0);
}

static void *count_on_thread(void *value)
{
    prof_counter(site("on threads"), *(double *)value);
    return NULL;
}

TEST(threads_are_merged_and_what_exited_threads_gave_is_kept)
{
    double values[] = { 5.0, 9.0, 2.0 };
    uint64_t used = 0;
    start();
    prof_counter(site("on threads"), 4.0);
    for (int i = 0; i < 30; i++) {
        pthread_t thread;
        prof_stats stats = PROF_STATS_INIT;
        pass(10);
        CHECK_I64(pthread_create(&thread, NULL, count_on_thread, &values[i % 3]), 0);
        pthread_join(thread, NULL);
        prof_stats_get(&stats, NULL);
        used = i == 1 ? stats.memory_used_bytes : used;
        if (i > 1)
            CHECK_U64(stats.memory_used_bytes, used);
    }
    stop();
    prof_counter_row merged = row("on threads");
    CHECK_U64(merged.count, 31);
    CHECK_DOUBLE(merged.sum, 164.0);
    CHECK_DOUBLE(merged.min, 2.0);
    CHECK_DOUBLE(merged.max, 9.0);
    CHECK_DOUBLE(merged.last, 2.0); /* in time, not in the order of threads */
}

TEST(a_forked_child_counts_from_nothing)
{
    start();
    prof_site *both = site("in both");
    prof_counter(both, 1.0);
    pid_t child = fork();
    if (child == 0) {
        CHECK_U64(row("in both").count, 0);
        prof_counter(site("in both"), 8.0);
        CHECK_U64(row("in both").count, 1);
        CHECK_DOUBLE(row("in both").last, 8.0);
        _exit(test_failed);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK_I64(status, 0);
    CHECK_U64(row("in both").count, 1);
    stop();
}

TEST(a_forked_child_gives_back_what_its_parent_counted)
{
    start();
    prof_site *counted = site("given back");
    uint64_t before = used_in_child();
    prof_counter(counted, 1.0);
    CHECK_U64(used_in_child(), before);
    stop();
}

/* ---- the summary ---- */

typedef struct text {
    char data[200000];
    size_t used;
} text;

static int keep(void *user, const void *data, size_t bytes)
{
    text *t = user;
    memcpy(t->data + t->used, data, bytes);
    t->used += bytes;
    return 0;
}

static json_t *summary_counter(const char *name, json_t **root)
{
    static text written;
    prof_snapshot *snapshot = NULL;
    size_t i;
    json_t *counter;
    written.used = 0;
    CHECK_I64(prof_snapshot_take(&snapshot, NULL), PROF_OK);
    CHECK_I64(prof_snapshot_write(snapshot, "json", NULL, keep, &written, NULL), PROF_OK);
    prof_snapshot_close(snapshot);
    *root = json_loadb(written.data, written.used, 0, NULL);
    json_array_foreach(json_object_get(*root, "counters"), i, counter)
        if (strcmp(json_string_value(json_object_get(counter, "name")), name) == 0)
            return counter;
    return NULL;
}

TEST(the_summary_holds_values_to_the_last_bit)
{
    json_t *root;
    start();
    prof_counter(site("a tenth"), 0.1);
    prof_counter(site("a tenth"), 1e300);
    prof_counter(site("huge"), 1.7e308);
    prof_counter(site("huge"), 1.7e308);
    prof_counter(site("never finite"), NAN);
    stop();
    json_t *tenth = summary_counter("a tenth", &root);
    CHECK_DOUBLE(json_real_value(json_object_get(tenth, "min")), 0.1);
    CHECK_DOUBLE(json_real_value(json_object_get(tenth, "max")), 1e300);
    CHECK(json_is_null(json_object_get(tenth, "file")));
    json_decref(root);
    json_t *huge = summary_counter("huge", &root);
    CHECK(json_is_null(json_object_get(huge, "sum")));
    CHECK_HAS(json_string_value(json_object_get(json_object_get(huge, "unavailable"), "sum")), "beyond");
    CHECK_DOUBLE(json_real_value(json_object_get(huge, "last")), 1.7e308);
    json_decref(root);
    json_t *never = summary_counter("never finite", &root);
    CHECK(json_is_null(json_object_get(never, "last")));
    CHECK_I64(json_integer_value(json_object_get(never, "not_finite")), 1);
    json_decref(root);
}

TEST(a_value_without_room_is_lost_and_counted)
{
    json_t *root;
    char name[32];
    start();
    uint64_t refused = 0;
    for (int i = 0; refused == 0 && i < 1000000; i++) {
        prof_site *made = NULL;
        snprintf(name, sizeof(name), "filler %d", i);
        refused = prof_site_get(name, SIZE_MAX, NULL, 0, 0, &made, NULL) != PROF_OK;
    }
    /* No site was to be had, so a new counter is not either; each value is one loss. */
    for (int i = 0; i < 5; i++) {
        prof_site asked = PROF_SITE_INIT("a counter too many, with a name that takes some room", NULL, 0, 0);
        prof_counter(&asked, 1.0);
    }
    summary_counter("depth", &root);
    CHECK(json_integer_value(json_object_get(json_object_get(root, "losses"), "counter_values")) == 5);
    json_decref(root);
    stop();
}

TEST(bad_arguments_are_refused)
{
    prof_snapshot *snapshot = NULL;
    prof_counter_row found = PROF_COUNTER_ROW_INIT;
    prof_error err = PROF_ERROR_INIT;
    prof_counter(NULL, 1.0);
    CHECK_U64(prof_snapshot_counter_count(NULL), 0);
    CHECK_I64(prof_snapshot_counter(NULL, 0, &found, &err), PROF_E_INVALID);
    CHECK_I64(prof_snapshot_take(&snapshot, NULL), PROF_OK);
    CHECK_I64(prof_snapshot_counter(snapshot, 1u << 30, &found, &err), PROF_E_INVALID);
    CHECK_HAS(err.message, "there is no counter");
    CHECK_I64(prof_snapshot_counter(snapshot, 0, NULL, &err), PROF_E_INVALID);
    prof_snapshot_close(snapshot);
}

int main(int argc, char **argv)
{
    profi_clock_simulate(now_ns);
    setenv("PROFCORE_MEMORY", "1MiB", 1);
    return test_main(argc, argv);
}
