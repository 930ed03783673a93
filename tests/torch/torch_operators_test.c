/* SPDX-License-Identifier: Apache-2.0 */
/* libtorch's operators as scopes. */
#include "torch_test.h"

#include <profcore/snapshot.h>

#include <pthread.h>
#include <sys/wait.h>

static void start(void)
{
    prof_options options = PROF_OPTIONS_INIT;
    options.flags = PROF_NO_FILES;
    CHECK_I64(prof_start(&options, NULL), PROF_OK);
}

static prof_snapshot *taken(void)
{
    prof_snapshot *snapshot = NULL;
    CHECK_I64(prof_snapshot_take(&snapshot, NULL), PROF_OK);
    return snapshot;
}

/* The calls of an operator in all. */
static uint64_t calls_of(const prof_snapshot *snapshot, const char *name)
{
    prof_function row = PROF_FUNCTION_INIT;
    uint64_t calls = 0;
    for (uint32_t i = 0; i < prof_snapshot_function_count(snapshot); i++) {
        CHECK_I64(prof_snapshot_function(snapshot, i, &row, NULL), PROF_OK);
        if (row.file != NULL && strcmp(row.file, "torch") == 0 && strcmp(row.name, name) == 0)
            calls += row.calls;
    }
    return calls;
}

static float ones[3 * 32];

static prof_torch_value *encode(prof_torch_model *model)
{
    static const int64_t shape[] = { 3, 32 };
    const prof_torch_tensor x = FLOATS(shape, ones);
    return run_on(model, NULL, 1, &x);
}

static void warm_up(prof_torch_model *model)
{
    for (size_t i = 0; i < COUNT(ones); i++)
        ones[i] = 1;
    for (int i = 0; i < 3; i++)
        prof_torch_value_close(encode(model));
}

/*
 * Each line of the file: a name, and how often torch's own profiler saw it in
 * the same forward.  The model's method is not compared: called from C++ it is
 * recorded by libtorch both as a method and as a function.
 */
TEST(operators_and_their_counts_are_those_of_torchs_own_profiler)
{
    char line[256], name[256];
    unsigned long long count;
    unsigned compared = 0;
    OPEN(model, "encoder.pt");
    warm_up(model);
    start();
    CHECK_OK(prof_torch_operators_start(0, &err));
    PROF_SCOPE("counted forward")
        prof_torch_value_close(encode(model));
    prof_torch_operators_stop();
    prof_torch_value_close(encode(model)); /* no more */
    prof_snapshot *snapshot = taken();
    FILE *file = fopen(model_path("encoder.operators"), "r");
    REQUIRE(file != NULL);
    while (fgets(line, sizeof(line), file) != NULL) {
        REQUIRE(sscanf(line, "%255s %llu", name, &count) == 2);
        if (strncmp(name, "aten::", 6) != 0)
            continue;
        if (calls_of(snapshot, name) != count)
            printf("# %s: %llu, not %llu\n", name, (unsigned long long)calls_of(snapshot, name), count);
        CHECK(calls_of(snapshot, name) == count);
        compared++;
    }
    fclose(file);
    CHECK(compared >= 5 && calls_of(snapshot, "aten::linear") == 2);
    prof_snapshot_close(snapshot);
    CHECK_I64(prof_stop(NULL), PROF_OK);
    prof_torch_model_close(model);
}

/* The operators below a scope and its own time are the scope, to the nanosecond. */
TEST(operators_lie_in_the_scope_that_ran_them_and_what_is_left_is_its_own)
{
    prof_function row = PROF_FUNCTION_INIT;
    uint64_t below = 0;
    uint32_t id = 0;
    OPEN(model, "encoder.pt");
    warm_up(model);
    start();
    CHECK_OK(prof_torch_operators_start(0, &err));
    for (int i = 0; i < 10; i++)
        PROF_SCOPE("whole forward")
            prof_torch_value_close(encode(model));
    prof_torch_operators_stop();
    prof_snapshot *snapshot = taken();
    CHECK_I64(prof_snapshot_find(snapshot, "whole forward", &id, NULL), PROF_OK);
    for (uint32_t i = 0; i < prof_snapshot_callee_count(snapshot, id); i++) {
        prof_function callee = PROF_FUNCTION_INIT;
        CHECK_I64(prof_snapshot_callee(snapshot, id, i, &callee, NULL), PROF_OK);
        below += callee.cumulative_ns;
    }
    CHECK_I64(prof_snapshot_function(snapshot, id, &row, NULL), PROF_OK);
    CHECK(below != 0 && row.self_ns != 0);
    CHECK_U64(below + row.self_ns, row.cumulative_ns);
    prof_snapshot_close(snapshot);
    CHECK_I64(prof_stop(NULL), PROF_OK);
    prof_torch_model_close(model);
}

TEST(shapes_tell_operators_apart_where_asked)
{
    OPEN(model, "encoder.pt");
    warm_up(model);
    start();
    CHECK_OK(prof_torch_operators_start(PROF_TORCH_SHAPES, &err));
    PROF_SCOPE("shaped forward")
        prof_torch_value_close(encode(model));
    prof_torch_operators_stop();
    prof_snapshot *snapshot = taken();
    CHECK_U64(calls_of(snapshot, "aten::linear([3, 32], [64, 32], [64])"), 1);
    CHECK_U64(calls_of(snapshot, "aten::linear([3, 64], [16, 64], [16])"), 1);
    CHECK_U64(calls_of(snapshot, "aten::tanh([3, 64])"), 1);
    prof_snapshot_close(snapshot);
    CHECK_I64(prof_stop(NULL), PROF_OK);
    prof_torch_model_close(model);
}

TEST(shapes_are_those_of_an_operators_own_inputs_not_of_what_else_a_script_has_at_hand)
{
    OPEN(model, "inputs.pt");
    static float one[] = { 7 }, data[] = { 1, 2, 3 };
    static const int64_t of_one[] = { 1 }, of_three[] = { 3 };
    const prof_torch_tensor a = FLOATS(of_one, one), b = FLOATS(of_three, data);
    const prof_torch_input inputs[] = { PROF_TORCH_INPUT_TENSOR(&a), PROF_TORCH_INPUT_TENSOR(&b) };
    start();
    CHECK_OK(prof_torch_operators_start(PROF_TORCH_SHAPES, &err));
    for (int i = 0; i < 3; i++) {
        prof_torch_value *value = NULL;
        CHECK_OK(prof_torch_run(model, "mix", inputs, 2, &value, &err)); /* a * 10 waits while b * scale is made */
        prof_torch_value_close(value);
    }
    prof_torch_operators_stop();
    prof_snapshot *snapshot = taken();
    CHECK_U64(calls_of(snapshot, "aten::mul([1])"), 3);
    CHECK_U64(calls_of(snapshot, "aten::mul([3])"), 3);
    CHECK_U64(calls_of(snapshot, "aten::add([1], [3])"), 3);
    prof_snapshot_close(snapshot);
    CHECK_I64(prof_stop(NULL), PROF_OK);
    prof_torch_model_close(model);
}

TEST(an_operator_that_throws_ends_as_a_scope_and_the_text_reaches_c)
{
    static const int64_t shape[] = { 3, 7 };
    float data[21] = { 0 };
    const prof_torch_tensor x = FLOATS(shape, data);
    const prof_torch_input input = PROF_TORCH_INPUT_TENSOR(&x);
    prof_torch_value *value = NULL;
    prof_stats before = PROF_STATS_INIT, after = PROF_STATS_INIT;
    OPEN(model, "picky.pt");
    start();
    prof_snapshot *snapshot = taken();
    uint64_t addmm_before = calls_of(snapshot, "aten::addmm");
    prof_snapshot_close(snapshot);
    CHECK_I64(prof_stats_get(&before, NULL), PROF_OK);
    CHECK_OK(prof_torch_operators_start(0, &err));
    PROF_SCOPE("that fails")
        CHECK_FAILS(prof_torch_run(model, NULL, &input, 1, &value, &err), PROF_E_INVALID, "shapes cannot be multiplied");
    PROF_SCOPE("that follows") {
    }
    prof_torch_operators_stop();
    CHECK_I64(prof_stats_get(&after, NULL), PROF_OK);
    CHECK_U64(after.repaired_count - before.repaired_count, 0);
    CHECK_U64(after.unmatched_count - before.unmatched_count, 0);
    snapshot = taken();
    prof_function row = PROF_FUNCTION_INIT;
    uint32_t id = 0;
    CHECK(prof_snapshot_find(snapshot, "that follows", &id, NULL) == PROF_OK && prof_snapshot_caller_count(snapshot, id) == 0);
    CHECK(prof_snapshot_find(snapshot, "that fails", &id, NULL) == PROF_OK &&
          prof_snapshot_function(snapshot, id, &row, NULL) == PROF_OK && row.calls == 1 && row.open_calls == 0);
    CHECK_U64(calls_of(snapshot, "aten::addmm") - addmm_before, 1);
    prof_snapshot_close(snapshot);
    CHECK_I64(prof_stop(NULL), PROF_OK);
    prof_torch_model_close(model);
}

enum { THREADS = 4, TURNS = 50 };

static void *encode_often(void *model)
{
    for (int i = 0; i < TURNS; i++)
        PROF_SCOPE("threads forward")
            prof_torch_value_close(encode(model));
    return NULL;
}

TEST(each_threads_operators_are_its_own_and_starting_again_goes_on)
{
    pthread_t threads[THREADS];
    OPEN(model, "encoder.pt");
    warm_up(model);
    start();
    CHECK_OK(prof_torch_operators_start(0, &err));
    CHECK_OK(prof_torch_operators_start(0, &err)); /* once, though asked for twice */
    prof_snapshot *snapshot = taken();
    uint64_t before = calls_of(snapshot, "aten::linear");
    prof_snapshot_close(snapshot);
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, encode_often, model) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    prof_torch_operators_stop();
    snapshot = taken();
    CHECK_U64(calls_of(snapshot, "aten::linear") - before, 2 * THREADS * TURNS);
    prof_snapshot_close(snapshot);
    CHECK_I64(prof_stop(NULL), PROF_OK);
    prof_torch_model_close(model);
}

/* What is forked runs on a thread of libtorch's own. */
TEST(operators_of_inter_op_threads_are_recorded_too)
{
    static const int64_t shape[] = { 4 };
    float data[4] = { 1, 2, 3, 4 };
    const prof_torch_tensor x = FLOATS(shape, data);
    OPEN(model, "forks.pt");
    start();
    CHECK_OK(prof_torch_operators_start(0, &err));
    for (int i = 0; i < 5; i++)
        prof_torch_value_close(run_on(model, NULL, 1, &x));
    prof_torch_operators_stop();
    prof_snapshot *snapshot = taken();
    CHECK_U64(calls_of(snapshot, "aten::neg"), 5);
    prof_snapshot_close(snapshot);
    CHECK_I64(prof_stop(NULL), PROF_OK);
    prof_torch_model_close(model);
}

/* What this program does for the case below: the environment alone decides; the calls of aten::linear, or of those with shapes. */
static int count_by_environment(void)
{
    prof_torch_model *model = NULL;
    if (prof_torch_model_open(model_path("encoder.pt"), NULL, &model, &err) != PROF_OK)
        return 99;
    start();
    prof_torch_value_close(encode(model));
    prof_snapshot *snapshot = taken();
    int calls = (int)calls_of(snapshot, "aten::linear") + 10 * (int)calls_of(snapshot, "aten::linear([3, 32], [64, 32], [64])");
    prof_snapshot_close(snapshot);
    prof_torch_model_close(model);
    return calls;
}

static int run_with(const char *wish, const char *said)
{
    char self[4096] = "", command[4608];
    if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
        return 97;
    snprintf(command, sizeof(command), "unset PROFCORE_QUIET; said=$(PROFCORE_TORCH=%s '%s' count 2>&1); code=$?; case $said in *'%s'*) exit $code;; esac; exit 98",
             wish, self, said);
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 96;
}

TEST(the_environment_may_ask_for_operators)
{
    NEED_MODELS();
    CHECK_I64(run_with("1", ""), 2);
    CHECK_I64(run_with("shapes", ""), 10);
    CHECK_I64(run_with("0", ""), 0);
    CHECK_I64(run_with("yes", "PROFCORE_TORCH=\"yes\" is neither 0 nor a list of 1, shapes and memory"), 0);
}

int main(int argc, char **argv)
{
    return argc == 2 && strcmp(argv[1], "count") == 0 ? count_by_environment() : test_main(argc, argv);
}
