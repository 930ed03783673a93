/* SPDX-License-Identifier: Apache-2.0 */
/* Operators by the address of their name. */
#define CLOCK_BEGINS 1000000

#include "harness.h"
#include "recording.h"
#include "simulated.h"

#include <profcore/operators.h>
#include <profcore/snapshot.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static prof_operators *source_of(const char *runtime)
{
    prof_operators *source = NULL;
    CHECK_I64(prof_operators_open(runtime, &source, NULL), PROF_OK);
    return source;
}

static void run(prof_operators *source, const char *name, uint64_t ns)
{
    prof_scope scope = prof_operator_begin(source, name);
    pass(ns);
    prof_end(scope);
}

/* The row of an operator; all zero where there is none. */
static prof_function row_of(const prof_snapshot *snapshot, const char *name, const char *runtime)
{
    prof_function row = PROF_FUNCTION_INIT;
    for (uint32_t i = 0; i < prof_snapshot_function_count(snapshot); i++)
        if (prof_snapshot_function(snapshot, i, &row, NULL) == PROF_OK && strcmp(row.name, name) == 0 && row.file != NULL &&
            strcmp(row.file, runtime) == 0)
            return row;
    return (prof_function)PROF_FUNCTION_INIT;
}

static prof_snapshot *taken(void)
{
    prof_snapshot *snapshot = NULL;
    CHECK_I64(prof_snapshot_take(&snapshot, NULL), PROF_OK);
    return snapshot;
}

TEST(operators_are_scopes_under_their_runtime_and_what_is_left_is_the_scopes_own)
{
    start();
    prof_operators *one = source_of("one"), *other = source_of("other");
    CHECK(one != other && one == source_of("one"));
    prof_scope outer = prof_begin(site("a forward"));
    for (int i = 0; i < 3; i++) {
        run(one, "add", 100);
        run(other, "add", 7);
        pass(5);
    }
    prof_end(outer);
    prof_snapshot *snapshot = taken();
    prof_function add = row_of(snapshot, "add", "one"), forward = PROF_FUNCTION_INIT;
    uint32_t id = 0;
    CHECK(add.calls == 3 && add.cumulative_ns == 300 && add.line == 0);
    CHECK(row_of(snapshot, "add", "other").calls == 3);
    CHECK(prof_snapshot_find(snapshot, "a forward", &id, NULL) == PROF_OK &&
          prof_snapshot_function(snapshot, id, &forward, NULL) == PROF_OK);
    CHECK_U64(forward.cumulative_ns, 336);
    CHECK_U64(forward.self_ns, 15);
    prof_snapshot_close(snapshot);
    stop();
}

TEST(a_name_whose_memory_holds_another_by_now_is_another_operator)
{
    char name[16];
    start();
    prof_operators *source = source_of("reuse");
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "op %d", i % 20);
        run(source, name, 1);
    }
    prof_snapshot *snapshot = taken();
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "op %d", i);
        CHECK_U64(row_of(snapshot, name, "reuse").calls, 5);
    }
    prof_snapshot_close(snapshot);
    stop();
}

TEST(more_names_than_are_remembered_are_all_told_apart)
{
    enum { MANY = 20000, BYTES = 16 };
    char *names = malloc((size_t)MANY * BYTES);
    REQUIRE(names != NULL);
    start();
    prof_operators *source = source_of("many");
    for (int turn = 0; turn < 2; turn++)
        for (int i = 0; i < MANY; i++) {
            snprintf(names + (size_t)i * BYTES, BYTES, "many %d", i / 4); /* four addresses of one name */
            run(source, names + (size_t)i * BYTES, 1);
        }
    prof_snapshot *snapshot = taken();
    uint32_t found = 0;
    prof_function row = PROF_FUNCTION_INIT;
    for (uint32_t i = 0; i < prof_snapshot_function_count(snapshot); i++)
        if (prof_snapshot_function(snapshot, i, &row, NULL) == PROF_OK && row.file != NULL && strcmp(row.file, "many") == 0) {
            CHECK_U64(row.calls, 8);
            found++;
        }
    CHECK_U64(found, MANY / 4);
    prof_snapshot_close(snapshot);
    stop();
    free(names);
}

static prof_scope begin_shaped(prof_operators *source, const char *name, const prof_operator_input *inputs, uint32_t count)
{
    prof_scope scope = prof_operator_begin_shaped(source, name, inputs, count);
    pass(10);
    return scope;
}

TEST(shapes_tell_operators_apart_and_long_ones_are_cut)
{
    const int64_t wide[2] = { 9, 384 }, flat[1] = { -1 }, none[1] = { 0 };
    int64_t deep[400];
    for (int i = 0; i < 400; i++)
        deep[i] = 1000000 + i;
    const prof_operator_input inputs[] = {
        { sizeof(prof_operator_input), 2, wide }, { sizeof(prof_operator_input), 0, NULL }, { sizeof(prof_operator_input), 0, none },
        { sizeof(prof_operator_input), 1, flat } }, long_one = { sizeof(prof_operator_input), 400, deep };
    start();
    prof_operators *source = source_of("shaped");
    prof_end(begin_shaped(source, "mm", inputs, 4));
    prof_end(begin_shaped(source, "mm", inputs, 1));
    prof_end(begin_shaped(source, "mm", inputs, 1));
    prof_end(begin_shaped(source, "mm", NULL, 0));
    prof_end(begin_shaped(source, "mm", inputs + 1, 1));
    prof_end(begin_shaped(source, "cut", &long_one, 1));
    prof_snapshot *snapshot = taken();
    CHECK_U64(row_of(snapshot, "mm([9, 384], [], [-1])", "shaped").calls, 1);
    CHECK_U64(row_of(snapshot, "mm([9, 384])", "shaped").calls, 2);
    CHECK_U64(row_of(snapshot, "mm", "shaped").calls, 2);
    prof_function row = PROF_FUNCTION_INIT;
    int found = 0;
    for (uint32_t i = 0; i < prof_snapshot_function_count(snapshot); i++)
        if (prof_snapshot_function(snapshot, i, &row, NULL) == PROF_OK && strncmp(row.name, "cut([1000000, 1000001, ", 23) == 0) {
            size_t bytes = strlen(row.name);
            CHECK(bytes < 1000 && strcmp(row.name + bytes - 4, "...)") == 0);
            found++;
        }
    CHECK_I64(found, 1);
    prof_snapshot_close(snapshot);
    stop();
}

TEST(nothing_is_recorded_while_stopped_and_what_is_no_source_is_refused)
{
    prof_error err = PROF_ERROR_INIT;
    prof_operators *source = source_of("stopped"), *none = NULL;
    char name[65];
    CHECK_U64(prof_operator_begin(source, "add").place, 0);
    CHECK_U64(prof_operator_begin_shaped(source, "add", NULL, 0).place, 0);
    start();
    CHECK_U64(prof_operator_begin(NULL, "add").place, 0);
    CHECK_U64(prof_operator_begin(source, NULL).place, 0);
    CHECK_U64(prof_operator_begin_shaped(NULL, NULL, NULL, 7).place, 0);
    stop();
    memset(name, 'x', 64);
    name[64] = '\0';
    CHECK(prof_operators_open(name, &none, &err) == PROF_E_INVALID && strstr(err.message, "63 bytes") != NULL);
    CHECK(prof_operators_open("", &none, &err) == PROF_E_INVALID && prof_operators_open(NULL, &none, NULL) == PROF_E_INVALID);
    CHECK(prof_operators_open("x", NULL, NULL) == PROF_E_INVALID && none == NULL);
}

enum { THREADS = 4, NAMES = 600, TURNS = 50 };
static char shared_names[NAMES][12];

static void *run_all(void *source)
{
    for (int turn = 0; turn < TURNS; turn++)
        for (int i = 0; i < NAMES; i++)
            prof_end(prof_operator_begin(source, shared_names[i]));
    return NULL;
}

TEST(threads_that_meet_the_same_names_first_agree_on_them)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < NAMES; i++)
        snprintf(shared_names[i], sizeof(shared_names[i]), "met %d", i);
    start();
    prof_operators *source = source_of("met");
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, run_all, source) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    prof_snapshot *snapshot = taken();
    for (int i = 0; i < NAMES; i++)
        CHECK_U64(row_of(snapshot, shared_names[i], "met").calls, THREADS * TURNS);
    prof_snapshot_close(snapshot);
    stop();
}

int main(int argc, char **argv)
{
    profi_clock_simulate(now_ns);
    return test_main(argc, argv);
}
