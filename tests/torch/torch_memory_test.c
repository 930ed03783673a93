/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libtorch's memory by scope and operator.  The figures of a forward depend on
 * shapes only: those of all-MiniLM-L6-v2's were counted once by an allocator
 * of their own, on libtorch 1.13.1 and 2.13.
 */
#include "torch_test.h"

#include <profcore/memory.h>
#include <profcore/snapshot.h>

#include <pthread.h>

static void start(void)
{
    prof_options options = PROF_OPTIONS_INIT;
    options.flags = PROF_NO_FILES;
    CHECK_OK(prof_torch_memory_start(&err));
    CHECK_I64(prof_start(&options, NULL), PROF_OK);
    CHECK_OK(prof_torch_operators_start(0, &err));
}

static void stop(void)
{
    prof_torch_operators_stop();
    CHECK_I64(prof_stop(NULL), PROF_OK);
}

static prof_snapshot *taken(void)
{
    prof_snapshot *snapshot = NULL;
    CHECK_I64(prof_snapshot_take(&snapshot, NULL), PROF_OK);
    return snapshot;
}

/* What a probe measured in a function; all zero where it measured nothing. */
static prof_measure measured(const prof_snapshot *snapshot, const char *function, const char *probe)
{
    prof_measure found = PROF_MEASURE_INIT;
    uint32_t id = 0;
    char name[64];
    snprintf(name, sizeof(name), "memory.torch.cpu.%s", probe);
    if (prof_snapshot_find(snapshot, function, &id, NULL) != PROF_OK)
        return found;
    for (uint32_t i = 0; i < prof_snapshot_probe_count(snapshot); i++) {
        prof_probe_info info = PROF_PROBE_INFO_INIT;
        if (prof_snapshot_probe(snapshot, i, &info, NULL) == PROF_OK && strcmp(info.name, name) == 0)
            prof_snapshot_measure(snapshot, id, i, &found, NULL);
    }
    return found;
}

static prof_memory_info totals(void)
{
    prof_snapshot *snapshot = taken();
    prof_memory_info info = PROF_MEMORY_INFO_INIT;
    CHECK_I64(prof_snapshot_memory(snapshot, 0, &info, NULL), PROF_OK);
    CHECK_STR(info.name, "torch.cpu");
    prof_snapshot_close(snapshot);
    return info;
}

static prof_torch_value *encode_tokens(prof_torch_model *model, int64_t count)
{
    static int64_t ids[128], mask[128];
    const int64_t shape[] = { 1, count };
    const prof_torch_tensor tokens[] = { PROF_TORCH_TENSOR_OF(PROF_TORCH_INT64, 2, shape, ids),
                                         PROF_TORCH_TENSOR_OF(PROF_TORCH_INT64, 2, shape, mask) };
    for (int64_t i = 0; i < count; i++)
        mask[i] = 1;
    return run_on(model, NULL, 2, tokens);
}

static void check_forward(const prof_snapshot *snapshot, const char *scope, int64_t bytes, uint64_t peak)
{
    CHECK_I64(measured(snapshot, scope, "blocks").sum, 161);
    CHECK_I64(measured(snapshot, scope, "freed_blocks").sum, 161);
    CHECK_I64(measured(snapshot, scope, "allocated").sum, bytes);
    CHECK_I64(measured(snapshot, scope, "freed").sum, bytes);
    CHECK_U64(measured(snapshot, scope, "peak").largest, peak);
}

TEST(a_forward_of_minilms_shape_allocates_what_it_is_known_to)
{
    start(); /* before the model is there */
    OPEN(model, "bert.pt");
    for (int i = 0; i < 3; i++) {
        prof_torch_value_close(encode_tokens(model, 9));
        prof_torch_value_close(encode_tokens(model, 128));
    }
    PROF_SCOPE("9 tokens")
        prof_torch_value_close(encode_tokens(model, 9));
    PROF_SCOPE("128 tokens")
        prof_torch_value_close(encode_tokens(model, 128));
    stop();
    prof_snapshot *snapshot = taken();
    check_forward(snapshot, "9 tokens", 1758028, 124488);
    check_forward(snapshot, "128 tokens", 42487920, 1967116);
    CHECK_U64(measured(snapshot, "128 tokens", "largest").largest, 128 * 1536 * 4);
    CHECK(measured(snapshot, "aten::linear", "allocated").sum > 0);
    CHECK_U64(measured(snapshot, "aten::gelu", "peak").largest, 128 * 1536 * 4);
    prof_snapshot_close(snapshot);
    prof_torch_model_close(model);
}

static const int64_t hundred[] = { 100 };
static float numbers[100];

static prof_torch_value *call(prof_torch_model *model, const char *method)
{
    const prof_torch_tensor x = FLOATS(hundred, numbers);
    return run_on(model, method, 1, &x);
}

TEST(a_leak_of_a_tensor_a_call_is_named_by_operator_and_scope)
{
    start();
    OPEN(model, "leaks.pt");
    for (int i = 0; i < 5; i++) {
        prof_torch_value_close(call(model, NULL));
        prof_torch_value_close(call(model, "leak"));
    }
    prof_memory_mark();
    for (int i = 0; i < 50; i++)
        PROF_SCOPE("get_response")
            prof_torch_value_close(call(model, NULL));
    CHECK_OK(prof_memory_check(1, &err));
    for (int i = 0; i < 50; i++)
        PROF_SCOPE("get_response")
            prof_torch_value_close(call(model, "leak"));
    CHECK_FAILS(prof_memory_check(50, &err), PROF_E_LIMIT,
                "50 iterations left 50 blocks (19.5 KiB) of torch.cpu by aten::clone under get_response: get_response > ");
    prof_torch_model_close(model); /* and what it kept */
    CHECK_OK(prof_memory_check(1, &err));
    stop();
}

static void *close_value(void *value)
{
    PROF_SCOPE("closes elsewhere")
        prof_torch_value_close(value);
    return NULL;
}

TEST(a_result_that_another_thread_closes_is_in_what_that_one_freed)
{
    pthread_t thread;
    start();
    OPEN(model, "leaks.pt");
    for (int i = 0; i < 3; i++)
        prof_torch_value_close(call(model, NULL));
    prof_memory_info before = totals();
    prof_torch_value *value = NULL;
    PROF_SCOPE("runs here")
        value = call(model, NULL);
    REQUIRE(pthread_create(&thread, NULL, close_value, value) == 0);
    pthread_join(thread, NULL);
    prof_memory_info after = totals();
    stop();
    prof_snapshot *snapshot = taken();
    CHECK_I64(measured(snapshot, "runs here", "blocks").sum - measured(snapshot, "runs here", "freed_blocks").sum, 1);
    CHECK_I64(measured(snapshot, "closes elsewhere", "freed_blocks").sum, 1);
    CHECK_I64(measured(snapshot, "closes elsewhere", "freed").sum, 400);
    CHECK_U64(after.live_bytes, before.live_bytes);
    CHECK_U64(after.live_count, before.live_count);
    prof_snapshot_close(snapshot);
    prof_torch_model_close(model);
}

enum { THREADS = 4, TURNS = 25 };

static void *encode_often(void *model)
{
    for (int i = 0; i < 3; i++)
        prof_torch_value_close(encode_tokens(model, 9));
    for (int i = 0; i < TURNS; i++)
        PROF_SCOPE("of many threads")
            prof_torch_value_close(encode_tokens(model, 9));
    return NULL;
}

TEST(each_thread_has_its_own_figures)
{
    pthread_t threads[THREADS];
    start();
    CHECK_OK(prof_torch_intra_threads_set(1, &err));
    OPEN(model, "bert.pt");
    prof_torch_value_close(encode_tokens(model, 9));
    prof_memory_info before = totals();
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, encode_often, model) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    prof_memory_info after = totals();
    stop();
    prof_snapshot *snapshot = taken();
    CHECK_I64(measured(snapshot, "of many threads", "blocks").sum, 161 * THREADS * TURNS);
    CHECK_I64(measured(snapshot, "of many threads", "allocated").sum, (int64_t)1758028 * THREADS * TURNS);
    CHECK_I64(measured(snapshot, "of many threads", "freed").sum, (int64_t)1758028 * THREADS * TURNS);
    CHECK_U64(measured(snapshot, "of many threads", "peak").largest, 124488);
    CHECK_U64(after.live_bytes, before.live_bytes);
    CHECK_U64(after.lost_count, 0);
    prof_snapshot_close(snapshot);
    prof_torch_model_close(model);
}

/* What this program does for the case below. */
static int count_from_late_on(void)
{
    prof_torch_model *model = NULL;
    prof_options options = PROF_OPTIONS_INIT;
    options.flags = PROF_NO_FILES;
    if (prof_torch_model_open(model_path("bert.pt"), NULL, &model, &err) != PROF_OK ||
        prof_torch_memory_start(&err) != PROF_OK || prof_torch_memory_start(&err) != PROF_OK || prof_start(&options, &err) != PROF_OK)
        return 99;
    for (int i = 0; i < 3; i++)
        prof_torch_value_close(encode_tokens(model, 9));
    PROF_SCOPE("after a late start")
        prof_torch_value_close(encode_tokens(model, 9));
    prof_torch_model_close(model); /* all of it was allocated before */
    prof_snapshot *snapshot = taken();
    check_forward(snapshot, "after a late start", 1758028, 124488);
    prof_snapshot_close(snapshot);
    prof_memory_info info = totals();
    CHECK_U64(info.live_bytes, 0);
    return test_failed;
}

/* Likewise: the environment alone decides; the blocks of a forward, and whether its operators are there. */
static int count_by_environment(void)
{
    prof_torch_model *model = NULL;
    prof_options options = PROF_OPTIONS_INIT;
    options.flags = PROF_NO_FILES;
    if (prof_start(&options, &err) != PROF_OK || prof_torch_model_open(model_path("bert.pt"), NULL, &model, &err) != PROF_OK)
        return 99;
    prof_torch_value_close(encode_tokens(model, 9));
    PROF_SCOPE("by environment")
        prof_torch_value_close(encode_tokens(model, 9));
    prof_snapshot *snapshot = taken();
    uint32_t id = 0;
    int counted = measured(snapshot, "by environment", "blocks").sum == 161;
    int operators = prof_snapshot_find(snapshot, "aten::gelu", &id, NULL) == PROF_OK;
    prof_snapshot_close(snapshot);
    prof_torch_model_close(model);
    return counted + 2 * operators;
}

static int run_self(const char *argument, const char *wish)
{
    char self[4096] = "", command[4608];
    if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
        return 97;
    snprintf(command, sizeof(command), "PROFCORE_TORCH=%s '%s' %s", wish, self, argument);
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 96;
}

TEST(what_was_allocated_before_is_freed_as_before_and_in_no_figure)
{
    NEED_MODELS();
    CHECK_I64(run_self("late", "0"), 0);
}

TEST(the_environment_may_ask_for_memory_with_operators_or_without)
{
    NEED_MODELS();
    CHECK_I64(run_self("count", "memory"), 1);
    CHECK_I64(run_self("count", "1,memory"), 3);
    CHECK_I64(run_self("count", "memory,1"), 3);
    CHECK_I64(run_self("count", "1"), 2);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "late") == 0)
        return count_from_late_on();
    return argc == 2 && strcmp(argv[1], "count") == 0 ? count_by_environment() : test_main(argc, argv);
}
