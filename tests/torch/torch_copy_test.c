/* SPDX-License-Identifier: Apache-2.0 */
/* Clones, moves and warm-up: what handles of one model share, and what each has of its own. */
#include "torch_test.h"

#include <pthread.h>
#include <stdatomic.h>

static float three = 3;
static int64_t scalar_shape[] = { 1 };
static const prof_torch_tensor x = FLOATS(scalar_shape, &three);

/* What Stateful.parts() gives, as plain addresses and numbers; the addresses are compared only. */
typedef struct parts {
    const void *weight, *again, *total, *table;
    int32_t weight_dtype, total_dtype, table_dtype;
    int64_t steps;
    prof_torch_value *value;
} parts;

static parts parts_of(prof_torch_model *model)
{
    parts found = { 0 };
    found.value = run_on(model, "parts", 0, NULL);
    if (found.value == NULL)
        return found;
    found.weight = tensor_in(element(found.value, 0)).data;
    found.weight_dtype = tensor_in(element(found.value, 0)).dtype;
    found.again = tensor_in(element(found.value, 1)).data;
    found.total = tensor_in(element(found.value, 2)).data;
    found.total_dtype = tensor_in(element(found.value, 2)).dtype;
    found.table = tensor_in(element(found.value, 3)).data;
    found.table_dtype = tensor_in(element(found.value, 3)).dtype;
    CHECK_OK(prof_torch_value_int(element(found.value, 4), &found.steps, &err));
    return found;
}

static float forward(prof_torch_model *model)
{
    prof_torch_value *value = run_on(model, NULL, 1, &x);
    const float result = value != NULL ? float_at(value, 0) : -1.0f;
    prof_torch_value_close(value);
    return result;
}

static prof_torch_model *clone_of(prof_torch_model *model)
{
    prof_torch_model *clone = NULL;
    CHECK_OK(prof_torch_model_clone(model, &clone, &err));
    return clone;
}

TEST(a_clone_shares_weights_and_has_buffers_of_its_own)
{
    OPEN(model, "stateful.pt");
    prof_torch_model *clone = clone_of(model);
    const parts first = parts_of(model), second = parts_of(clone);
    CHECK(first.weight != NULL && first.weight == second.weight);
    CHECK(first.total != second.total && first.table != second.table);
    prof_torch_value_close(first.value);
    prof_torch_value_close(second.value);
    prof_torch_model_close(clone);
    prof_torch_model_close(model);
}

TEST(what_a_run_stores_in_one_clone_shows_in_no_other)
{
    OPEN(model, "stateful.pt");
    CHECK(forward(model) == 6.0f);
    prof_torch_model *clone = clone_of(model);
    CHECK(forward(clone) == 12.0f); /* it begins where the model stood */
    CHECK(forward(clone) == 18.0f);
    CHECK(forward(model) == 12.0f);
    const parts first = parts_of(model), second = parts_of(clone);
    CHECK_I64(first.steps, 2);
    CHECK_I64(second.steps, 3);
    prof_torch_value_close(first.value);
    prof_torch_value_close(second.value);
    prof_torch_model_close(clone);
    prof_torch_model_close(model);
}

TEST(a_submodule_with_two_names_is_one_in_a_clone_too)
{
    OPEN(model, "stateful.pt");
    prof_torch_model *clone = clone_of(model);
    CHECK_OK(prof_torch_model_to(clone, NULL, PROF_TORCH_FLOAT64, &err));
    const parts seen = parts_of(clone);
    CHECK(seen.weight != NULL && seen.weight == seen.again);
    prof_torch_value_close(seen.value);
    prof_torch_model_close(clone);
    prof_torch_model_close(model);
}

TEST(a_clone_outlives_its_model_and_a_value_outlives_both)
{
    OPEN(model, "stateful.pt");
    prof_torch_model *clone = clone_of(model), *third = clone_of(clone);
    prof_torch_model_close(model);
    CHECK(forward(clone) == 6.0f);
    prof_torch_model_close(clone);
    const parts seen = parts_of(third);
    prof_torch_model_close(third);
    CHECK(float_at(element(seen.value, 0), 65535) == 2.0f);
    prof_torch_value_close(seen.value);
}

TEST(frozen_and_plain_models_are_cloned_with_equal_results)
{
    static const char *const names[] = { "frozen.pt", "encoder.pt" };
    static float data[32];
    int64_t shape[] = { 1, 32 };
    for (size_t i = 0; i < COUNT(data); i++)
        data[i] = (float)i / 16;
    const prof_torch_tensor in = FLOATS(shape, data);
    for (size_t i = 0; i < COUNT(names); i++) {
        OPEN(model, names[i]);
        prof_torch_model *clone = clone_of(model);
        prof_torch_value *one = run_on(model, NULL, 1, &in), *two = run_on(clone, NULL, 1, &in);
        CHECK(memcmp(tensor_in(one).data, tensor_in(two).data, 16 * sizeof(float)) == 0);
        prof_torch_value_close(one);
        prof_torch_value_close(two);
        prof_torch_model_close(clone);
        prof_torch_model_close(model);
    }
}

TEST(a_moved_model_has_another_type_and_its_clones_keep_theirs)
{
    OPEN(model, "stateful.pt");
    prof_torch_model *clone = clone_of(model);
    CHECK_OK(prof_torch_model_to(model, "cpu", PROF_TORCH_FLOAT64, &err));
    const parts moved = parts_of(model), kept = parts_of(clone);
    CHECK_I64(moved.weight_dtype, PROF_TORCH_FLOAT64);
    CHECK_I64(moved.total_dtype, PROF_TORCH_FLOAT64);
    CHECK_I64(moved.table_dtype, PROF_TORCH_INT64);
    CHECK_I64(kept.weight_dtype, PROF_TORCH_FLOAT32);
    CHECK(moved.weight != kept.weight);
    prof_torch_value_close(moved.value);
    prof_torch_value_close(kept.value);
    CHECK(forward(clone) == 6.0f);
    prof_torch_value *value = run_on(model, NULL, 1, &x);
    const prof_torch_tensor out = tensor_in(value);
    CHECK_I64(out.dtype, PROF_TORCH_FLOAT64);
    CHECK(out.dtype == PROF_TORCH_FLOAT64 && *(const double *)out.data == 6.0);
    prof_torch_value_close(value);
    prof_torch_model_close(clone);
    prof_torch_model_close(model);
}

TEST(every_floating_point_type_can_be_moved_to_and_back)
{
    static const int32_t types[] = { PROF_TORCH_HALF, PROF_TORCH_BFLOAT16, PROF_TORCH_FLOAT64, PROF_TORCH_FLOAT32 };
    OPEN(model, "stateful.pt");
    for (size_t i = 0; i < COUNT(types); i++) {
        CHECK_OK(prof_torch_model_to(model, NULL, types[i], &err));
        const parts moved = parts_of(model);
        CHECK_I64(moved.weight_dtype, types[i]);
        prof_torch_value_close(moved.value);
    }
    CHECK_OK(prof_torch_model_to(model, NULL, 0, &err));
    CHECK(forward(model) == 6.0f);
    prof_torch_model_close(model);
}

TEST(a_move_that_cannot_be_is_refused_and_leaves_the_model_as_it_was)
{
    static const int32_t no_types[] = { -1, PROF_TORCH_BOOL, PROF_TORCH_INT8, PROF_TORCH_INT64, 11, INT32_MAX };
    OPEN(model, "stateful.pt");
    for (size_t i = 0; i < COUNT(no_types); i++)
        CHECK_FAILS(prof_torch_model_to(model, NULL, no_types[i], &err), PROF_E_INVALID, "no floating-point type");
    CHECK_FAILS(prof_torch_model_to(model, "gpu", PROF_TORCH_FLOAT64, &err), PROF_E_INVALID, "not one of cpu, cuda");
    CHECK_FAILS(prof_torch_model_to(model, "cuda:127", 0, &err), PROF_E_UNSUPPORTED, "cannot move model");
    CHECK(forward(model) == 6.0f);
    prof_torch_model_close(model);
}

/* Whether Views.forward() gives `total` in all that lies in the same memory, and both names of its list `count` tensors. */
static void check_views(prof_torch_model *model, float total, int64_t count)
{
    int64_t counts = 0;
    prof_torch_value *value = run_on(model, NULL, 1, &x);
    REQUIRE(value != NULL);
    for (size_t i = 0; i < 6; i++) {
        const prof_torch_tensor one = tensor_in(element(value, i));
        if (one.dtype == PROF_TORCH_FLOAT64)
            CHECK(*(const double *)one.data == (double)total);
        else
            CHECK(float_at(element(value, i), 0) == total);
    }
    CHECK_OK(prof_torch_value_int(element(value, 6), &counts, &err));
    CHECK_I64(counts, 11 * count);
    prof_torch_value_close(value);
}

TEST(tensors_and_lists_that_share_memory_share_it_in_a_clone_too_and_with_no_other)
{
    OPEN(model, "views.pt");
    prof_torch_value_close(run_on(model, "tie", 0, NULL));
    check_views(model, 3.0f, 3);
    prof_torch_model *clone = clone_of(model);
    check_views(clone, 6.0f, 4);
    check_views(clone, 9.0f, 5);
    check_views(model, 6.0f, 4);
    prof_torch_value *first = run_on(model, "weights", 0, NULL), *second = run_on(clone, "weights", 0, NULL);
    REQUIRE(first != NULL && second != NULL);
    CHECK(tensor_in(element(first, 0)).data == tensor_in(element(second, 0)).data);
    CHECK(tensor_in(element(first, 1)).data != tensor_in(element(second, 1)).data);
    prof_torch_value_close(first);
    prof_torch_value_close(second);
    prof_torch_model_close(clone);
    prof_torch_model_close(model);
}

TEST(tensors_that_share_memory_share_it_after_a_move_too)
{
    OPEN(model, "views.pt");
    prof_torch_value_close(run_on(model, "tie", 0, NULL));
    check_views(model, 3.0f, 3);
    CHECK_OK(prof_torch_model_to(model, NULL, PROF_TORCH_FLOAT64, &err));
    check_views(model, 6.0f, 4);
    CHECK_OK(prof_torch_model_to(model, NULL, PROF_TORCH_FLOAT32, &err));
    check_views(model, 9.0f, 5);
    prof_torch_model_close(model);
}

TEST(warm_up_runs_as_often_as_asked_and_stops_at_the_first_error)
{
    OPEN(model, "stateful.pt");
    const prof_torch_input input = PROF_TORCH_INPUT_TENSOR(&x);
    CHECK_OK(prof_torch_warm_up(model, NULL, &input, 1, 0, &err));
    CHECK_OK(prof_torch_warm_up(model, NULL, &input, 1, 4, &err));
    CHECK(forward(model) == 30.0f);
    CHECK_FAILS(prof_torch_warm_up(model, "forward", &input, 0, 3, &err), PROF_E_INVALID,
                "stateful.pt', method 'forward': ");
    CHECK_HAS(err.message, "cannot warm up model '");
    CHECK_FAILS(prof_torch_warm_up(model, "backward", &input, 1, 3, &err), PROF_E_NOT_FOUND, "it has: ");
    prof_torch_model_close(model);
}

enum { WORKERS = 8, ROUNDS = 60 };

static atomic_int wrong;

/* Each thread adds up its own numbers on its own clone. */
static void *work(void *clone)
{
    const prof_torch_input input = PROF_TORCH_INPUT_TENSOR(&x);
    for (int i = 1; i <= ROUNDS; i++) {
        prof_torch_value *value = NULL;
        prof_torch_tensor out = PROF_TORCH_TENSOR_INIT;
        if (prof_torch_run(clone, NULL, &input, 1, &value, NULL) != PROF_OK ||
            prof_torch_value_tensor(value, 0, &out, NULL) != PROF_OK || *(const float *)out.data != 6.0f * (float)i)
            atomic_fetch_add(&wrong, 1);
        prof_torch_value_close(value);
    }
    prof_torch_model_close(clone);
    return NULL;
}

TEST(eight_threads_on_clones_keep_to_their_own_state)
{
    OPEN(model, "stateful.pt");
    pthread_t threads[WORKERS];
    const prof_torch_input input = PROF_TORCH_INPUT_TENSOR(&x);
    prof_torch_model *warm = clone_of(model);
    CHECK_OK(prof_torch_warm_up(warm, NULL, &input, 1, 3, &err));
    for (size_t i = 0; i < WORKERS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, work, clone_of(model)) == 0);
    prof_torch_model_close(model);
    for (size_t i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    CHECK_I64(atomic_load(&wrong), 0);
    prof_torch_model_close(warm);
}

static atomic_int is_over;

/* Runs until told to stop; every run works or says that the model is being moved. */
static void *run_meanwhile(void *model)
{
    while (!atomic_load(&is_over)) {
        prof_torch_value *value = NULL;
        const prof_status status = prof_torch_run(model, "parts", NULL, 0, &value, NULL);
        if (status != PROF_OK && status != PROF_E_BUSY)
            atomic_fetch_add(&wrong, 1);
        prof_torch_value_close(value);
    }
    return NULL;
}

TEST(a_model_that_is_moved_under_running_threads_is_busy_and_never_torn)
{
    OPEN(model, "stateful.pt");
    pthread_t threads[2];
    int moved = 0;
    atomic_store(&wrong, 0);
    atomic_store(&is_over, 0);
    for (size_t i = 0; i < COUNT(threads); i++)
        REQUIRE(pthread_create(&threads[i], NULL, run_meanwhile, model) == 0);
    for (int i = 0; i < 200; i++) {
        const prof_status status = prof_torch_model_to(model, NULL, i % 2 ? PROF_TORCH_FLOAT32 : PROF_TORCH_FLOAT64, &err);
        CHECK(status == PROF_OK || status == PROF_E_BUSY);
        moved += status == PROF_OK;
    }
    atomic_store(&is_over, 1);
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    printf("# %d of 200 moves found it unused\n", moved);
    CHECK_I64(atomic_load(&wrong), 0);
    CHECK_OK(prof_torch_model_to(model, NULL, PROF_TORCH_FLOAT32, &err));
    CHECK(forward(model) == 6.0f);
    prof_torch_model_close(model);
}

TEST(null_arguments_are_refused)
{
    OPEN(model, "stateful.pt");
    prof_torch_model *clone = NULL;
    CHECK_FAILS(prof_torch_model_clone(NULL, &clone, &err), PROF_E_INVALID, "model is NULL");
    CHECK_FAILS(prof_torch_model_clone(model, NULL, &err), PROF_E_INVALID, "clone is NULL");
    CHECK_FAILS(prof_torch_model_to(NULL, NULL, 0, &err), PROF_E_INVALID, "model is NULL");
    CHECK_FAILS(prof_torch_warm_up(NULL, NULL, NULL, 0, 1, &err), PROF_E_INVALID, "model is NULL");
    CHECK_FAILS(prof_torch_warm_up(model, NULL, NULL, 1, 1, &err), PROF_E_INVALID, "inputs is NULL");
    CHECK(clone == NULL);
    prof_torch_model_close(model);
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
