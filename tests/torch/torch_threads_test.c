/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Eight threads on one model, its clones and its values, as a service has
 * them, while operators and memory are recorded and somebody looks on.
 *
 * PROFCORE_SOAK_S says for how many seconds each case shall run:
 * tests/long/torch_threads, also under ThreadSanitizer.
 */
#include "torch_test.h"

#include <profcore/memory.h>
#include <profcore/snapshot.h>

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { WORKERS = 8, LOOK_EVERY_MS = 50 };

static atomic_int wrong, is_over;
static atomic_long runs, turns;

static void wrong_if(int condition)
{
    if (condition)
        atomic_fetch_add(&wrong, 1);
}

static prof_snapshot *taken(void)
{
    prof_snapshot *snapshot = NULL;
    CHECK_I64(prof_snapshot_take(&snapshot, NULL), PROF_OK);
    return snapshot;
}

static uint64_t calls_of(const char *name)
{
    prof_snapshot *snapshot = taken();
    prof_function row = PROF_FUNCTION_INIT;
    uint32_t id = 0;
    if (prof_snapshot_find(snapshot, name, &id, NULL) == PROF_OK)
        CHECK_I64(prof_snapshot_function(snapshot, id, &row, NULL), PROF_OK);
    prof_snapshot_close(snapshot);
    return row.calls;
}

static prof_memory_info memory_now(void)
{
    prof_snapshot *snapshot = taken();
    prof_memory_info info = PROF_MEMORY_INFO_INIT;
    CHECK_I64(prof_snapshot_memory(snapshot, 0, &info, NULL), PROF_OK);
    prof_snapshot_close(snapshot);
    return info;
}

/* Memory and operators of all models from here on, as memory.h wants it: before the first of them. */
static void begin(void)
{
    prof_options options = PROF_OPTIONS_INIT;
    options.flags = PROF_NO_FILES;
    CHECK_OK(prof_torch_memory_start(&err));
    CHECK_I64(prof_start(&options, NULL), PROF_OK);
    CHECK_OK(prof_torch_operators_start(0, &err));
    atomic_store(&wrong, 0);
    atomic_store(&is_over, 0);
    atomic_store(&runs, 0);
    atomic_store(&turns, 0);
}

static void end(void)
{
    prof_torch_operators_stop();
    CHECK_I64(prof_stop(NULL), PROF_OK);
    printf("# %ld runs, looked at %ld times\n", atomic_load(&runs), atomic_load(&turns));
    CHECK(atomic_load(&runs) > 0);
    CHECK_I64(atomic_load(&wrong), 0);
}

/* Starts the threads, calls `look` meanwhile, and ends them. */
static void run_workers(void *(*work)(void *), void *const arguments[WORKERS], void (*look)(long turn))
{
    const char *wanted = getenv("PROFCORE_SOAK_S");
    const long looks = (wanted != NULL ? atol(wanted) : 2) * (1000 / LOOK_EVERY_MS);
    const struct timespec pause = { 0, LOOK_EVERY_MS * 1000000 };
    pthread_t threads[WORKERS];
    for (size_t i = 0; i < WORKERS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, work, arguments[i]) == 0);
    for (long i = 0; i < looks; i++) {
        nanosleep(&pause, NULL);
        look(i);
        atomic_fetch_add(&turns, 1);
    }
    atomic_store(&is_over, 1);
    for (size_t i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
}

/* ---- clones that keep state ---- */

static float three = 3;
static int64_t one[] = { 1 };

/* Runs a clone that keeps state, now and then a clone of it, and makes an exception now and then. */
static void *run_clone(void *clone)
{
    const prof_torch_tensor x = FLOATS(one, &three);
    const prof_torch_input input = PROF_TORCH_INPUT_TENSOR(&x);
    for (int i = 1; !atomic_load(&is_over) && i < 1 << 20; i++) { /* beyond, floats do not add up exactly */
        prof_torch_value *value = NULL;
        prof_torch_tensor out = PROF_TORCH_TENSOR_INIT;
        prof_error error = PROF_ERROR_INIT;
        PROF_SCOPE("run of a clone")
            wrong_if(prof_torch_run(clone, NULL, &input, 1, &value, NULL) != PROF_OK ||
                     prof_torch_value_tensor(value, 0, &out, NULL) != PROF_OK || *(const float *)out.data != 6.0f * (float)i);
        prof_torch_value_close(value);
        if (i % 16 == 0)
            wrong_if(prof_torch_run(clone, NULL, NULL, 0, &value, &error) != PROF_E_INVALID || error.message[0] == '\0');
        if (i % 64 == 0) {
            prof_torch_model *next = NULL;
            wrong_if(prof_torch_model_clone(clone, &next, NULL) != PROF_OK);
            prof_torch_model_close(next != NULL ? clone : NULL);
            clone = next != NULL ? next : clone;
        }
        atomic_fetch_add(&runs, 1);
    }
    prof_torch_model_close(clone);
    return NULL;
}

/* A snapshot of what goes on, of which only that it is whole can be said. */
static void look_on(long turn)
{
    static uint64_t before;
    const uint64_t calls = calls_of("run of a clone");
    wrong_if(turn != 0 && calls < before);
    before = calls;
    wrong_if(turn % 8 == 0 && memory_now().live_bytes > 64 << 20);
}

TEST(eight_threads_on_clones_are_right_and_every_run_and_block_is_counted)
{
    void *clones[WORKERS] = { NULL };
    NEED_MODELS();
    begin();
    const uint64_t counted = calls_of("run of a clone");
    const prof_memory_info before = memory_now();
    OPEN(model, "stateful.pt");
    for (size_t i = 0; i < WORKERS; i++) {
        prof_torch_model *clone = NULL;
        CHECK_OK(prof_torch_model_clone(model, &clone, &err));
        clones[i] = clone;
    }
    prof_torch_model_close(model);
    run_workers(run_clone, clones, look_on);
    CHECK_U64(calls_of("run of a clone") - counted, atomic_load(&runs));
    const prof_memory_info after = memory_now();
    CHECK(after.allocated_count - before.allocated_count >= (uint64_t)atomic_load(&runs));
    CHECK_U64(after.live_count, before.live_count);
    CHECK_U64(after.live_bytes, before.live_bytes);
    CHECK_U64(after.lost_count, 0);
    end();
}

/* ---- one model for all, and values that go from thread to thread ---- */

static prof_torch_value *_Atomic mailbox[WORKERS / 2];
static float inputs[3 * 32];
static float expected;

static prof_torch_value *encode(prof_torch_model *model)
{
    static const int64_t shape[] = { 3, 32 };
    const prof_torch_tensor x = FLOATS(shape, inputs);
    const prof_torch_input input = PROF_TORCH_INPUT_TENSOR(&x);
    prof_torch_value *value = NULL;
    wrong_if(prof_torch_run(model, NULL, &input, 1, &value, NULL) != PROF_OK);
    return value;
}

static float first_of(prof_torch_value *value)
{
    prof_torch_tensor tensor = PROF_TORCH_TENSOR_INIT;
    return prof_torch_value_tensor(value, 0, &tensor, NULL) == PROF_OK ? *(const float *)tensor.data : -1.0f;
}

/* Leaves each result to whoever comes by, and closes what somebody else has left. */
static void *pass_values(void *model)
{
    for (unsigned i = 0; !atomic_load(&is_over); i++) {
        prof_torch_value *made;
        PROF_SCOPE("run of a shared model")
            made = encode(model);
        prof_torch_value *kept = prof_torch_value_retain(made);
        prof_torch_value *other = atomic_exchange(&mailbox[i % (WORKERS / 2)], made);
        wrong_if(first_of(kept) != expected || (other != NULL && first_of(other) != expected));
        prof_torch_value_close(other);
        prof_torch_value_close(kept);
        if (i % 32 == 0)
            wrong_if(prof_torch_model_method_count(model) == 0);
        atomic_fetch_add(&runs, 1);
    }
    return NULL;
}

/* Takes the operators' callbacks out and puts others in, while they are called. */
static void change_operators(long turn)
{
    if (turn % 4 == 3)
        prof_torch_operators_stop();
    else
        wrong_if(prof_torch_operators_start(turn % 2 != 0 ? PROF_TORCH_SHAPES : 0u, NULL) != PROF_OK);
    wrong_if(turn % 16 == 0 && calls_of("run of a shared model") == 0);
}

TEST(eight_threads_on_one_model_pass_its_values_on_while_recording_changes)
{
    void *models[WORKERS];
    prof_stats stats = PROF_STATS_INIT;
    NEED_MODELS();
    begin();
    const prof_memory_info before = memory_now();
    OPEN(model, "encoder.pt");
    for (size_t i = 0; i < COUNT(inputs); i++)
        inputs[i] = 1;
    for (size_t i = 0; i < WORKERS; i++)
        models[i] = model;
    prof_torch_value *value = encode(model);
    expected = first_of(value);
    prof_torch_value_close(value);
    run_workers(pass_values, models, change_operators);
    for (size_t i = 0; i < COUNT(mailbox); i++)
        prof_torch_value_close(atomic_exchange(&mailbox[i], NULL));
    prof_torch_model_close(model);
    CHECK_U64(memory_now().live_count, before.live_count);
    CHECK_I64(prof_stats_get(&stats, NULL), PROF_OK);
    CHECK_U64(stats.unmatched_count, 0);
    end();
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
