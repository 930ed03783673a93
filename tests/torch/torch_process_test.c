/* SPDX-License-Identifier: Apache-2.0 */
/* What a process sets once; the cases run in this order in one process. */
#include "torch_test.h"

TEST(counts_out_of_range_are_refused)
{
    static const int32_t counts[] = { 0, -1, 4097, INT32_MIN, INT32_MAX };
    for (size_t i = 0; i < COUNT(counts); i++) {
        CHECK_FAILS(prof_torch_intra_threads_set(counts[i], &err), PROF_E_INVALID, "is not in 1 to 4096");
        CHECK_FAILS(prof_torch_inter_threads_set(counts[i], &err), PROF_E_INVALID, "is not in 1 to 4096");
    }
    CHECK_FAILS(prof_torch_intra_threads_get(NULL, &err), PROF_E_INVALID, "count is NULL");
    CHECK_FAILS(prof_torch_inter_threads_get(NULL, &err), PROF_E_INVALID, "count is NULL");
    CHECK_I64(prof_torch_intra_threads_set(0, NULL), PROF_E_INVALID);
}

TEST(the_intra_op_count_is_set_and_read)
{
    int32_t count = 0;
    CHECK_OK(prof_torch_intra_threads_set(2, &err));
    CHECK_OK(prof_torch_intra_threads_get(&count, &err));
    CHECK_I64(count, 2);
    CHECK_OK(prof_torch_intra_threads_set(1, &err));
    CHECK_OK(prof_torch_intra_threads_get(&count, &err));
    CHECK_I64(count, 1);
}

TEST(the_inter_op_count_is_set_once_and_then_busy)
{
    int32_t count = 0;
    CHECK_OK(prof_torch_inter_threads_set(3, &err));
    CHECK_OK(prof_torch_inter_threads_get(&count, &err));
    CHECK_I64(count, 3);
    CHECK_FAILS(prof_torch_inter_threads_set(2, &err), PROF_E_BUSY, "cannot set the inter-op thread count: ");
    CHECK_OK(prof_torch_inter_threads_get(&count, &err));
    CHECK_I64(count, 3);
}

TEST(a_model_that_forks_runs_on_inter_op_threads)
{
    OPEN(model, "forks.pt");
    float data[] = { 1, 2 };
    int64_t shape[] = { 2 };
    const prof_torch_tensor x = FLOATS(shape, data);
    for (int i = 0; i < 10; i++) {
        prof_torch_value *value = run_on(model, NULL, 1, &x);
        CHECK(float_at(value, 0) == 2.0f && float_at(value, 1) == 4.0f);
        prof_torch_value_close(value);
    }
    prof_torch_model_close(model);
}

TEST(the_version_and_the_presence_of_a_gpu_are_told)
{
    const char *version = prof_torch_version();
    printf("# libtorch %s, CUDA: %s\n", version, prof_torch_has_cuda() ? "yes" : "no");
    CHECK(version[0] >= '1' && version[0] <= '9' && version[1] == '.');
    CHECK(prof_torch_has_cuda() == 0 || prof_torch_has_cuda() == 1);
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
