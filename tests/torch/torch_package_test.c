/* SPDX-License-Identifier: Apache-2.0 */
/* Packages that AOTInductor compiled, behind the same handle as TorchScript models. */
#include "torch_test.h"

#include <profcore/snapshot.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static float ones[4 * 65];
static float ten_twenty_thirty[] = { 10, 20, 30, 40 };
static double doubles[8];
static int64_t two_by_four[] = { 2, 4 }, three[] = { 3 };

static prof_torch_tensor x_of(int64_t *shape)
{
    for (size_t i = 0; i < COUNT(ones); i++)
        ones[i] = 1;
    return (prof_torch_tensor)PROF_TORCH_TENSOR_OF(PROF_TORCH_FLOAT32, 2, shape, ones);
}

/* Runs it on ones and checks what comes out. */
static void check_runs(prof_torch_model *model)
{
    const prof_torch_tensor inputs[] = { x_of(two_by_four), FLOATS(three, ten_twenty_thirty) };
    prof_torch_value *value = run_on(model, NULL, 2, inputs);
    REQUIRE(prof_torch_value_kind(value) == PROF_TORCH_TUPLE && prof_torch_value_count(value) == 2);
    const prof_torch_tensor sum = tensor_in(element(value, 0));
    REQUIRE(sum.rank == 2 && sum.shape[0] == 2 && sum.shape[1] == 3);
    CHECK(float_at(element(value, 0), 0) == 12.25f && float_at(element(value, 0), 5) == 32.25f);
    CHECK(float_at(element(value, 1), 7) == 2.0f);
    prof_torch_value_close(value);
}

TEST(a_package_runs_as_a_script_does)
{
    OPEN_PACKAGE(model);
    check_runs(model);
    const prof_torch_tensor x = x_of(two_by_four), y = FLOATS(three, ten_twenty_thirty);
    const prof_torch_input inputs[] = { PROF_TORCH_INPUT_TENSOR(&x), PROF_TORCH_INPUT_TENSOR(&y) };
    CHECK_OK(prof_torch_warm_up(model, "forward", inputs, 2, 2, &err));
    prof_torch_model_close(model);
}

TEST(a_package_takes_every_batch_that_it_was_compiled_for)
{
    OPEN_PACKAGE(model);
    static const int64_t batches[] = { 2, 3, 64 };
    for (size_t i = 0; i < COUNT(batches); i++) {
        int64_t shape[] = { batches[i], 4 };
        const prof_torch_tensor inputs[] = { x_of(shape), FLOATS(three, ten_twenty_thirty) };
        prof_torch_value *value = run_on(model, NULL, 2, inputs);
        CHECK(value != NULL && tensor_in(element(value, 0)).shape[0] == batches[i]);
        prof_torch_value_close(value);
    }
    prof_torch_model_close(model);
}

/* A process that a signal ends closes nothing: all weights would stay there, once for each start of a service. */
TEST(what_a_package_was_unpacked_to_is_removed_once_it_is_open)
{
    OPEN_PACKAGE(model);
    char line[4400], folder[4200];
    unsigned found = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    REQUIRE(maps != NULL);
    while (fgets(line, sizeof(line), maps) != NULL) {
        const char *path = strstr(line, "/tmp/aotinductor_");
        if (path == NULL)
            continue;
        found++;
        snprintf(folder, sizeof(folder), "%.*s", (int)(strchr(path + 5, '/') - path), path);
        CHECK_I64(access(folder, F_OK), -1);
    }
    fclose(maps);
    CHECK(found != 0);
    check_runs(model);
    prof_torch_model_close(model);
}

static void refused(prof_torch_model *model, const prof_torch_tensor *inputs, size_t count, const char *part)
{
    prof_torch_input given[3];
    prof_torch_value *value = (prof_torch_value *)&err;
    for (size_t i = 0; i < count; i++)
        given[i] = (prof_torch_input)PROF_TORCH_INPUT_TENSOR(&inputs[i]);
    CHECK_FAILS(prof_torch_run(model, NULL, given, count, &value, &err), PROF_E_INVALID, part);
    CHECK_HAS(err.message, "compiled.pt2'");
    CHECK(value == (prof_torch_value *)&err);
    check_runs(model);
}

TEST(wrong_shapes_types_and_counts_are_refused_and_the_package_runs_on)
{
    OPEN_PACKAGE(model);
    int64_t two_by_five[] = { 2, 5 }, too_many[] = { 65, 4 }, eight[] = { 8 }, four[] = { 4 };
    const prof_torch_tensor x = x_of(two_by_four), y = FLOATS(three, ten_twenty_thirty);
    const prof_torch_tensor wide[] = { x_of(two_by_five), y }, many[] = { x_of(too_many), y };
    const prof_torch_tensor flat[] = { FLOATS(eight, ones), y }, long_y[] = { x, FLOATS(four, ten_twenty_thirty) };
    const prof_torch_tensor typed[] = { PROF_TORCH_TENSOR_OF(PROF_TORCH_FLOAT64, 2, two_by_four, doubles), y };
    const prof_torch_tensor three_inputs[] = { x, y, y };
    refused(model, wide, 2, "expected: 4, but got: 5");
    refused(model, many, 2, "<= 64, but got: 65");
    refused(model, flat, 2, "input_handles[0]");
    refused(model, long_y, 2, "expected: 3, but got: 4");
    refused(model, typed, 2, "unmatched dtype");
    refused(model, three_inputs, 3, "got 3");
    refused(model, three_inputs, 1, "got 1");
    refused(model, NULL, 0, "got 0");
    prof_torch_model_close(model);
}

TEST(what_a_package_cannot_do_is_said)
{
    OPEN_PACKAGE(model);
    const prof_torch_tensor x = x_of(two_by_four);
    prof_torch_input named = PROF_TORCH_INPUT_TENSOR(&x);
    prof_torch_value *value = NULL, *files = NULL;
    prof_torch_method method = PROF_TORCH_METHOD_INIT;
    named.name = "x";
    CHECK_FAILS(prof_torch_run(model, NULL, &named, 1, &value, &err), PROF_E_INVALID, "by position, without names");
    CHECK_FAILS(prof_torch_run(model, "embed", NULL, 0, &value, &err), PROF_E_NOT_FOUND, "it has: 'forward'");
    CHECK_FAILS(prof_torch_model_to(model, NULL, PROF_TORCH_HALF, &err), PROF_E_UNSUPPORTED, "was compiled for");
    CHECK_OK(prof_torch_model_extra_files(model, &files, &err));
    CHECK_U64(prof_torch_value_count(files), 0);
    prof_torch_value_close(files);
    CHECK_U64(prof_torch_model_method_count(model), 1);
    CHECK_OK(prof_torch_model_method(model, 0, &method, &err));
    CHECK_STR(method.name, "forward");
    CHECK_U64(method.flags, PROF_TORCH_UNDECLARED);
    CHECK(value == NULL);
    prof_torch_model_close(model);
}

TEST(an_input_that_is_no_tensor_is_refused)
{
    OPEN_PACKAGE(model);
    OPEN(outputs, "outputs.pt");
    prof_torch_value *numbers = run_on(outputs, "numbers", 0, NULL), *value = NULL;
    const prof_torch_tensor x = x_of(two_by_four);
    const prof_torch_input inputs[] = { PROF_TORCH_INPUT_TENSOR(&x), PROF_TORCH_INPUT_VALUE(element(numbers, 4)) };
    CHECK_FAILS(prof_torch_run(model, NULL, inputs, 2, &value, &err), PROF_E_INVALID, "input 1 is no tensor");
    CHECK(value == NULL);
    prof_torch_value_close(numbers);
    prof_torch_model_close(outputs);
    prof_torch_model_close(model);
}

static atomic_int wrong;

static void *work(void *clone)
{
    const prof_torch_tensor x = PROF_TORCH_TENSOR_OF(PROF_TORCH_FLOAT32, 2, two_by_four, ones);
    const prof_torch_tensor y = FLOATS(three, ten_twenty_thirty);
    const prof_torch_input inputs[] = { PROF_TORCH_INPUT_TENSOR(&x), PROF_TORCH_INPUT_TENSOR(&y) };
    for (int i = 0; i < 200; i++) {
        prof_torch_value *value = NULL, *first = NULL;
        prof_torch_tensor out = PROF_TORCH_TENSOR_INIT;
        if (prof_torch_run(clone, NULL, inputs, 2, &value, NULL) != PROF_OK ||
            prof_torch_value_at(value, 0, &first, NULL) != PROF_OK ||
            prof_torch_value_tensor(first, 0, &out, NULL) != PROF_OK || ((const float *)out.data)[4] != 22.25f)
            atomic_fetch_add(&wrong, 1);
        prof_torch_value_close(value);
    }
    prof_torch_model_close(clone);
    return NULL;
}

TEST(eight_threads_on_clones_of_a_package_get_right_results_after_it_is_closed)
{
    OPEN_PACKAGE(model);
    pthread_t threads[8];
    x_of(two_by_four);
    for (size_t i = 0; i < COUNT(threads); i++) {
        prof_torch_model *clone = NULL;
        CHECK_OK(prof_torch_model_clone(model, &clone, &err));
        REQUIRE(pthread_create(&threads[i], NULL, work, clone) == 0);
    }
    prof_torch_model_close(model);
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    CHECK_I64(atomic_load(&wrong), 0);
}

TEST(a_package_for_the_cpu_is_not_opened_for_a_gpu)
{
    OPEN_PACKAGE(model);
    prof_torch_options options = PROF_TORCH_OPTIONS_INIT;
    prof_torch_model *none = NULL;
    options.device = "cuda";
    CHECK_FAILS(prof_torch_model_open(model_path("compiled.pt2"), &options, &none, &err), PROF_E_UNSUPPORTED, "");
    options.device = "cpu";
    CHECK_OK(prof_torch_model_open(model_path("compiled.pt2"), &options, &none, &err));
    prof_torch_model_close(none);
    prof_torch_model_close(model);
}

/* The calls that were recorded of packages. */
static uint64_t calls_of_package(void)
{
    prof_snapshot *snapshot = NULL;
    prof_function row = PROF_FUNCTION_INIT;
    uint64_t calls = 0;
    CHECK_I64(prof_snapshot_take(&snapshot, NULL), PROF_OK);
    for (uint32_t i = 0; i < prof_snapshot_function_count(snapshot); i++) {
        CHECK_I64(prof_snapshot_function(snapshot, i, &row, NULL), PROF_OK);
        if (strcmp(row.name, "AOTInductor: model") == 0)
            calls += row.calls;
    }
    prof_snapshot_close(snapshot);
    return calls;
}

TEST(each_run_of_a_package_is_a_scope_while_operators_are_recorded_also_one_that_is_refused)
{
    prof_options options = PROF_OPTIONS_INIT;
    options.flags = PROF_NO_FILES;
#ifndef PROFI_TORCH_RUNNERS
    SKIP("this libtorch has no table of what runs packages");
#endif
    OPEN_PACKAGE(model);
    int64_t two_by_three[] = { 2, 3 };
    const prof_torch_tensor narrow[] = { x_of(two_by_three), FLOATS(three, ten_twenty_thirty) };
    CHECK_I64(prof_start(&options, NULL), PROF_OK);
    check_runs(model);
    CHECK_U64(calls_of_package(), 0);
    CHECK_OK(prof_torch_operators_start(0, &err));
    for (int i = 0; i < 3; i++)
        check_runs(model);
    refused(model, narrow, 2, "expected: 4, but got: 3"); /* two runs: afterwards it works */
    prof_stats stats = PROF_STATS_INIT;
    CHECK_I64(prof_stats_get(&stats, NULL), PROF_OK);
    CHECK_U64(stats.repaired_count, 0);
    prof_torch_operators_stop();
    check_runs(model);
    CHECK_U64(calls_of_package(), 3 + 2);
    prof_stop(NULL);
    prof_torch_model_close(model);
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
