/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a build that checks lifetimes says of handles that were closed.  In
 * all others they are the caller's to keep apart, and the cases skip.
 */
#include "torch_test.h"

#ifndef PROFI_CHECK_LIFETIMES
#define NEED_CHECKS() SKIP("only debug and sanitized builds check lifetimes")
#else
#define NEED_CHECKS() NEED_MODELS()
#endif

static float ones[3 * 32];

static prof_torch_value *encode(prof_torch_model *model)
{
    static const int64_t shape[] = { 3, 32 };
    const prof_torch_tensor x = FLOATS(shape, ones);
    return run_on(model, NULL, 1, &x);
}

TEST(a_model_that_was_closed_is_refused_by_every_call)
{
    prof_torch_value *value = NULL;
    prof_torch_model *clone = NULL;
    prof_torch_method method = PROF_TORCH_METHOD_INIT;
    prof_torch_argument argument = PROF_TORCH_ARGUMENT_INIT;
    NEED_CHECKS();
    OPEN(model, "encoder.pt");
    prof_torch_model_close(model);
    CHECK_FAILS(prof_torch_run(model, NULL, NULL, 0, &value, &err), PROF_E_INVALID, "the model has been closed");
    CHECK_FAILS(prof_torch_warm_up(model, NULL, NULL, 0, 1, &err), PROF_E_INVALID, "the model has been closed");
    CHECK_FAILS(prof_torch_model_clone(model, &clone, &err), PROF_E_INVALID, "the model has been closed");
    CHECK_FAILS(prof_torch_model_to(model, "cpu", 0, &err), PROF_E_INVALID, "the model has been closed");
    CHECK_FAILS(prof_torch_model_method(model, 0, &method, &err), PROF_E_INVALID, "the model has been closed");
    CHECK_FAILS(prof_torch_model_argument(model, NULL, 0, &argument, &err), PROF_E_INVALID, "the model has been closed");
    CHECK_FAILS(prof_torch_model_extra_files(model, &value, &err), PROF_E_INVALID, "the model has been closed");
    CHECK_U64(prof_torch_model_method_count(model), 0);
    prof_torch_model_close(model); /* says so, and does nothing */
    CHECK(value == NULL && clone == NULL);
}

TEST(a_clone_outlives_its_model_and_no_other_clone)
{
    prof_torch_model *clone = NULL, *other = NULL;
    NEED_CHECKS();
    OPEN(model, "encoder.pt");
    CHECK_OK(prof_torch_model_clone(model, &clone, &err));
    prof_torch_model_close(model);
    CHECK_OK(prof_torch_model_clone(clone, &other, &err));
    prof_torch_model_close(clone);
    prof_torch_value_close(encode(other));
    CHECK_FAILS(prof_torch_model_clone(clone, &model, &err), PROF_E_INVALID, "the model has been closed");
    prof_torch_model_close(other);
}

TEST(a_value_that_was_closed_is_refused_by_every_call)
{
    prof_torch_tensor tensor = PROF_TORCH_TENSOR_INIT;
    prof_torch_value *out = NULL;
    struct DLManagedTensor *managed = NULL;
    int64_t number = 0;
    NEED_CHECKS();
    OPEN(model, "encoder.pt");
    prof_torch_value *value = encode(model);
    const prof_torch_input input = PROF_TORCH_INPUT_VALUE(value);
    prof_torch_value_close(value);
    CHECK_FAILS(prof_torch_value_tensor(value, 0, &tensor, &err), PROF_E_INVALID, "the value has been closed");
    CHECK_FAILS(prof_torch_value_int(value, &number, &err), PROF_E_INVALID, "the value has been closed");
    CHECK_FAILS(prof_torch_value_at(value, 0, &out, &err), PROF_E_INVALID, "the value has been closed");
    CHECK_FAILS(prof_torch_value_find(value, "a", &out, &err), PROF_E_INVALID, "the value has been closed");
    CHECK_FAILS(prof_torch_value_to_dlpack(value, &managed, &err), PROF_E_INVALID, "the value has been closed");
    CHECK_FAILS(prof_torch_run(model, NULL, &input, 1, &out, &err), PROF_E_INVALID, "input 0 is a value that has been closed");
    CHECK_I64(prof_torch_value_kind(value), PROF_TORCH_NONE);
    CHECK_U64(prof_torch_value_count(value), 0);
    CHECK(prof_torch_value_retain(value) == NULL);
    prof_torch_value_close(value);
    value = encode(model); /* another handle than the one that was closed */
    CHECK(value != input.value && prof_torch_value_kind(value) == PROF_TORCH_TENSOR);
    prof_torch_value_close(value);
    prof_torch_model_close(model);
}

TEST(what_is_no_handle_at_all_is_refused)
{
    static int64_t no_handle[64];
    prof_torch_value *out = NULL;
    NEED_CHECKS();
    CHECK_FAILS(prof_torch_run((prof_torch_model *)(void *)no_handle, NULL, NULL, 0, &out, &err), PROF_E_INVALID,
                "is none that this library has given out");
}

TEST(closed_handles_are_forgotten_in_the_end_and_open_ones_never)
{
    NEED_CHECKS();
    OPEN(model, "encoder.pt");
    prof_torch_value *kept = encode(model);
    for (int i = 0; i < 10000 && !test_failed; i++) /* more than are remembered */
        prof_torch_value_close(encode(model));
    CHECK_I64(prof_torch_value_kind(kept), PROF_TORCH_TENSOR);
    prof_torch_value_close(kept);
    prof_torch_model_close(model);
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
