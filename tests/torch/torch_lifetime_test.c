/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a build that checks lifetimes says of handles that were closed.  In
 * all others they are the caller's to keep apart, and the cases skip.
 */
#include "torch_test.h"

#include <pthread.h>
#include <time.h>

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

/* ---- calls that run ---- */

/* A run that waits for its input to become 1. */
typedef struct waiting_run {
    prof_torch_model *model;
    int64_t flag, found;
    prof_status status;
    pthread_t thread;
} waiting_run;

static void *wait_in_run(void *argument)
{
    waiting_run *run = argument;
    static const int64_t shape[] = { 1 };
    const prof_torch_tensor flag = PROF_TORCH_TENSOR_OF(PROF_TORCH_INT64, 1, shape, &run->flag);
    const prof_torch_input input = PROF_TORCH_INPUT_TENSOR(&flag);
    prof_torch_tensor result = PROF_TORCH_TENSOR_INIT;
    prof_torch_value *value = NULL;
    do {
        run->status = prof_torch_run(run->model, NULL, &input, 1, &value, NULL);
    } while (run->status == PROF_E_BUSY); /* it was looked at in this moment */
    if (run->status == PROF_OK && prof_torch_value_tensor(value, 0, &result, NULL) == PROF_OK)
        run->found = *(const int64_t *)result.data;
    prof_torch_value_close(value);
    return NULL;
}

static int begin_waiting(waiting_run *run, prof_torch_model *model)
{
    const struct timespec pause = { 0, 1000000 };
    run->model = model;
    if (pthread_create(&run->thread, NULL, wait_in_run, run) != 0)
        return 0;
    for (int i = 0; i < 30000; i++) {
        if (prof_torch_model_to(model, NULL, 0, NULL) == PROF_E_BUSY)
            return 1; /* the run has it */
        nanosleep(&pause, NULL);
    }
    return 0;
}

static void end_waiting(waiting_run *run)
{
    __atomic_store_n(&run->flag, 1, __ATOMIC_RELEASE);
    pthread_join(run->thread, NULL);
    CHECK_I64(run->status, PROF_OK);
    CHECK_I64(run->found, 2);
}

/* Closes a model; `said` receives what that says on stderr. */
static void close_aloud(prof_torch_model *model, char *said, size_t room)
{
    FILE *file = tmpfile();
    const int kept = dup(STDERR_FILENO);
    REQUIRE(file != NULL && kept >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    prof_torch_model_close(model);
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    rewind(file);
    said[fread(said, 1, room - 1, file)] = '\0';
    fclose(file);
}

TEST(a_model_is_closed_while_a_call_on_its_clone_runs)
{
    OPEN(model, "waits.pt");
    prof_torch_model *clone = NULL;
    waiting_run run = { 0 };
    CHECK_OK(prof_torch_model_clone(model, &clone, &err));
    REQUIRE(begin_waiting(&run, clone));
    prof_torch_model_close(model);
    end_waiting(&run);
    prof_torch_model_close(clone);
}

TEST(a_model_is_not_closed_while_a_call_on_it_runs)
{
    prof_torch_value *value = NULL;
    char said[300] = "";
    NEED_CHECKS();
    OPEN(model, "waits.pt");
    waiting_run run = { 0 };
    REQUIRE(begin_waiting(&run, model));
    close_aloud(model, said, sizeof(said));
    CHECK_HAS(said, "prof_torch_model_close: a call on the model is running; it stays open");
    CHECK_U64(prof_torch_model_method_count(model), 1);
    end_waiting(&run);
    close_aloud(model, said, sizeof(said));
    CHECK_STR(said, "");
    CHECK_FAILS(prof_torch_run(model, NULL, NULL, 0, &value, &err), PROF_E_INVALID, "the model has been closed");
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
