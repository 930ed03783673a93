/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A libtorch of another version than the library was built with is left alone:
 * this one says that it is, by this program's word for it, and its allocator of
 * GPUs is one on which no call of ours would come back.
 */
#include <c10/core/CPUAllocator.h>
#undef CHECK /* glog's, where libtorch is built with that */
#include "../unit/harness.h"

#include <profcore/snapshot.h>
#include <profcore/torch.h>

#include <atomic>
#include <cstdio>
#include <map>
#include <string>
#include <unistd.h>

namespace caffe2 {
__attribute__((visibility("default"))) const std::map<std::string, std::string> &GetBuildOptions()
{
    static const std::map<std::string, std::string> options{ { "TORCH_VERSION", "0.4.1" } };
    return options;
}
} // namespace caffe2

namespace {
void *no_functions[16];
}

namespace c10::cuda::CUDACachingAllocator {
__attribute__((visibility("default"))) std::atomic<void *> allocator{ no_functions };
}

namespace {

prof_error err = PROF_ERROR_INIT;

/* How it is said; one text at a time. */
const char *refusal(const char *before, const char *what, const char *after)
{
    static char text[512];
    std::snprintf(text, sizeof(text), "%scannot %s: libprofcore_torch was built with libtorch %s, and the program has loaded 0.4.1%s", before,
                  what, prof_torch_version(), after);
    return text;
}

} // namespace

TEST(nothing_is_recorded)
{
    CHECK_I64(prof_torch_operators_start(0, &err), PROF_E_UNSUPPORTED);
    CHECK_STR(err.message, refusal("", "record operators", ""));
}

TEST(its_allocator_stays_and_that_of_gpus_is_not_looked_at)
{
    prof_options options = PROF_OPTIONS_INIT;
    options.flags = PROF_NO_FILES;
    c10::Allocator *before = c10::GetCPUAllocator();
    CHECK_I64(prof_torch_memory_start(&err), PROF_E_UNSUPPORTED);
    CHECK_STR(err.message, refusal("", "count memory", ""));
    CHECK(c10::GetCPUAllocator() == before);
    CHECK_I64(prof_torch_memory_start(nullptr), PROF_E_UNSUPPORTED);
    CHECK_I64(prof_start(&options, nullptr), PROF_OK);
    usleep(200000); /* in which somebody would look */
    prof_snapshot *snapshot = nullptr;
    REQUIRE(prof_snapshot_take(&snapshot, nullptr) == PROF_OK);
    CHECK_U64(prof_snapshot_memory_count(snapshot), 0);
    CHECK_U64(prof_snapshot_pool_count(snapshot), 0);
    prof_snapshot_close(snapshot);
    CHECK_I64(prof_stop(nullptr), PROF_OK);
}

TEST(the_trace_of_gpus_is_not_asked_for)
{
    CHECK_I64(prof_torch_cuda_memory_start(&err), PROF_E_UNSUPPORTED);
    CHECK_STR(err.message, refusal("", "count memory of GPUs", ""));
}

/* What this program does for the case below: whether the library left the allocator as it was. */
static int is_left_alone() { return c10::GetCPUAllocator() == c10::GetDefaultCPUAllocator() ? 0 : 1; }

TEST(the_environment_is_answered_alike)
{
    char self[4096] = "", said[8192] = "";
    REQUIRE(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
    const std::string command = std::string("PROFCORE_TORCH=1,memory '") + self + "' look 2>&1";
    FILE *output = popen(command.c_str(), "r");
    REQUIRE(output != nullptr);
    CHECK(fread(said, 1, sizeof(said) - 1, output) > 0);
    CHECK_I64(pclose(output), 0);
    CHECK_HAS(said, refusal("profcore: ", "count memory", "\n"));
    CHECK_HAS(said, refusal("profcore: ", "record operators", "\n"));
}

int main(int argc, char **argv)
{
    return argc == 2 && std::string(argv[1]) == "look" ? is_left_alone() : test_main(argc, argv);
}
