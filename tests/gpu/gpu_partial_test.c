/* SPDX-License-Identifier: Apache-2.0 */
/* A CUPTI that lacks a function, as an old or broken installation may. */
#include "recording.h"

#include <profcore/gpu.h>

#include <dlfcn.h>

TEST(a_cupti_that_lacks_a_function_is_not_used_and_the_reason_names_it)
{
    prof_gpu_info info = PROF_GPU_INFO_INIT;
    prof_error why = PROF_ERROR_INIT;
    CHECK(dlopen("libcuda.so.1", RTLD_NOW) != NULL);
    start();
    CHECK_I64(prof_gpu_start(&why), PROF_E_UNAVAILABLE);
    CHECK_HAS(why.message, "this CUPTI has no cuptiActivityGetNumDroppedRecords");
    CHECK_I64(prof_gpu_status(&info, NULL), PROF_OK);
    CHECK_I64(info.state, PROF_GPU_UNAVAILABLE);
    CHECK_HAS(info.reason, "cuptiActivityGetNumDroppedRecords");
    uint64_t before = stats().event_count;
    prof_end(prof_begin(site("goes on")));
    CHECK_U64(stats().event_count, before + 1);
    stop();
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}
