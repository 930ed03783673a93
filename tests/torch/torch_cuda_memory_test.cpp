/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the memory of GPUs begins to be told: libtorch's CUDA here is this
 * program's own, an allocator under the name that libtorch's has and the hooks
 * that libtorch asks, which note what is asked of them.  No GPU is needed.
 */
#include "../unit/harness.h"

#include <profcore/memory.h>
#include <profcore/snapshot.h>
#include <profcore/torch.h>

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/cuda/CUDACachingAllocator.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace c10::cuda::CUDACachingAllocator;
using c10::DeviceIndex;
using c10::MempoolId_t;

namespace {

std::atomic<int> questions; /* each of them would initialise the driver */
std::atomic<bool> is_whole{ false };

struct pretended_allocator final : CUDAAllocator {
    std::atomic<bool> has_devices{ false };
    std::atomic<int> trackers{ 0 };
    std::atomic<bool> was_whole{ false }; /* when the tracker was attached */
    int64_t held = 0, risen = 0;
    AllocatorTraceTracker tracker;

    void reserve(int64_t bytes)
    {
        held += bytes;
        risen += bytes;
        if (tracker)
            tracker(TraceEntry(TraceEntry::SEGMENT_ALLOC, 0, 4096, size_t(bytes), nullptr, {}, 0));
    }

    bool initialized() override { return has_devices; }
    void init(int) override { has_devices = true; }
    std::string name() override { return "native"; }
    c10::CachingDeviceAllocator::DeviceStats getDeviceStats(DeviceIndex) override
    {
        c10::CachingDeviceAllocator::DeviceStats stats;
        for (auto *one : { &stats.allocated_bytes[0], &stats.reserved_bytes[0] }) {
            one->current = held;
            one->allocated = risen;
        }
        return stats;
    }
    void attachAllocatorTraceTracker(AllocatorTraceTracker given) override
    {
        was_whole = is_whole.load();
        tracker = given;
        trackers++;
    }

    /* What nobody asks for here. */
    c10::DataPtr allocate(size_t) override { return {}; }
    void copy_data(void *, const void *, std::size_t) const override { }
    void emptyCache(MempoolId_t) override { }
    void resetAccumulatedStats(DeviceIndex) override { }
    void resetPeakStats(DeviceIndex) override { }
    void *raw_alloc(size_t) override { return nullptr; }
    void *raw_alloc_with_stream(size_t, cudaStream_t) override { return nullptr; }
    void raw_delete(void *) override { }
    double getMemoryFraction(DeviceIndex) override { return 1; }
    void setMemoryFraction(double, DeviceIndex) override { }
    std::vector<StreamSegmentSize> getExpandableSegmentSizes(DeviceIndex) override { return {}; }
    void enable(bool) override { }
    bool isEnabled() const override { return true; }
    void cacheInfo(DeviceIndex, size_t *) override { }
    void *getBaseAllocation(void *, size_t *) override { return nullptr; }
    void recordStream(const c10::DataPtr &, c10::cuda::CUDAStream) override { }
    SnapshotInfo snapshot(MempoolId_t, bool) override { return {}; }
    void beginAllocateToPool(DeviceIndex, MempoolId_t, std::function<bool(cudaStream_t)>) override { }
    void endAllocateToPool(DeviceIndex, MempoolId_t) override { }
    void releasePool(DeviceIndex, MempoolId_t) override { }
    ShareableHandle shareIpcHandle(void *) override { return {}; }
    std::shared_ptr<void> getIpcDevPtr(std::string) override { return {}; }
    void recordHistory(bool, CreateContextFn, size_t, RecordContext, bool, const std::vector<std::string> &) override { }
    void attachOutOfMemoryObserver(OutOfMemoryObserver) override { }
    void attachOomRejectionObserver(OomRejectionObserver) override { }
    void enablePeerAccess(DeviceIndex, DeviceIndex) override { }
    cudaError_t memcpyAsync(void *, int, const void *, int, size_t, cudaStream_t, bool) override { return cudaSuccess; }
    std::shared_ptr<AllocatorState> getCheckpointState(DeviceIndex, MempoolId_t) override { return {}; }
    CheckpointDelta setCheckpointPoolState(DeviceIndex, std::shared_ptr<AllocatorState>) override { return {}; }
} pretended;

/* The allocator is there long before the rest of CUDA, as if loading its libraries took a while. */
struct pretended_hooks final : at::CUDAHooksInterface {
    explicit pretended_hooks(at::CUDAHooksArgs) { }
    void init() const override
    {
        pretended.init(2);
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
        is_whole = true;
    }
    bool hasCUDA() const override { return note(true); }
    DeviceIndex deviceCount() const override { return note(DeviceIndex(2)); }

  private:
    template <class type> static type note(type answer)
    {
        if (!pretended.has_devices)
            questions++;
        return answer;
    }
};

prof_snapshot *taken()
{
    prof_snapshot *snapshot = nullptr;
    CHECK_I64(prof_snapshot_take(&snapshot, nullptr), PROF_OK);
    return snapshot;
}

/* Its reason, "" where it is there, "missing" where there is none. */
std::string reason_of(const char *name)
{
    prof_snapshot *snapshot = taken();
    std::string found = "missing";
    for (uint32_t i = 0; i < prof_snapshot_pool_count(snapshot); i++) {
        prof_pool_info info = PROF_POOL_INFO_INIT;
        CHECK_I64(prof_snapshot_pool(snapshot, i, &info, nullptr), PROF_OK);
        if (std::strcmp(info.name, name) == 0)
            found = info.reason != nullptr ? info.reason : "";
    }
    prof_snapshot_close(snapshot);
    return found;
}

/* In a while; nothing is measured by it. */
bool comes(const char *name, const char *reason)
{
    for (int tries = 0; tries < 3000; tries++) {
        if (reason_of(name) == reason)
            return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    printf("# %s: \"%s\"\n", name, reason_of(name).c_str());
    return false;
}

const char not_yet[] = "the program has not initialised libtorch's CUDA";

} // namespace

namespace at {
C10_REGISTER_CLASS(CUDAHooksRegistry, CUDAHooks, pretended_hooks)
}

namespace c10::cuda::CUDACachingAllocator {
__attribute__((visibility("default"))) std::atomic<CUDAAllocator *> allocator{ &pretended };
}

TEST(nothing_is_asked_before_the_program_uses_cuda)
{
    prof_options options = PROF_OPTIONS_INIT;
    options.flags = PROF_NO_FILES;
    CHECK_I64(prof_torch_memory_start(nullptr), PROF_OK);
    CHECK_I64(prof_torch_operators_start(0, nullptr), PROF_OK);
    prof_torch_operators_stop();
    CHECK_I64(prof_start(&options, nullptr), PROF_OK);
    CHECK(comes("torch.cuda", not_yet));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    CHECK_I64(questions, 0);
    CHECK_I64(pretended.trackers, 0);
    CHECK(!pretended.has_devices);
}

/* A child of a server that does not use CUDA: it begins when the child does. */
TEST(a_forked_child_goes_on_waiting)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        CHECK(reason_of("torch.cuda") == not_yet);
        at::globalContext().lazyInitDevice(at::kCUDA);
        CHECK(comes("torch.cuda:1", ""));
        CHECK_I64(questions, 0);
        fflush(stdout);
        _exit(test_failed);
    }
    int status = -1;
    CHECK_I64(waitpid(child, &status, 0), child);
    CHECK_I64(status, 0);
    CHECK_I64(pretended.trackers, 0);
}

TEST(it_begins_once_the_program_has_initialised_cuda)
{
    pretended.held = pretended.risen = 1000; /* of before */
    PROF_SCOPE("load")
        at::globalContext().lazyInitDevice(at::kCUDA);
    CHECK(comes("torch.cuda", "missing"));
    CHECK(reason_of("torch.cuda:0").empty());
    CHECK(reason_of("torch.cuda:1").empty());
    CHECK_I64(pretended.trackers, 1);
    CHECK(pretended.was_whole);
    CHECK_I64(questions, 0);
}

/* The site is new, so it measures pools, of which it was known before that they would come. */
TEST(then_scopes_have_figures)
{
    PROF_SCOPE("decode")
        pretended.reserve(500);
    prof_snapshot *snapshot = taken();
    uint32_t function = 0;
    prof_measure measure = PROF_MEASURE_INIT;
    CHECK_I64(prof_snapshot_find(snapshot, "decode", &function, nullptr), PROF_OK);
    for (uint32_t i = 0; i < prof_snapshot_probe_count(snapshot); i++) {
        prof_probe_info info = PROF_PROBE_INFO_INIT;
        CHECK_I64(prof_snapshot_probe(snapshot, i, &info, nullptr), PROF_OK);
        if (std::strcmp(info.name, "torch.cuda:0.reserved") == 0)
            CHECK_I64(prof_snapshot_measure(snapshot, function, i, &measure, nullptr), PROF_OK);
    }
    prof_snapshot_close(snapshot);
    CHECK_U64(measure.peak, 1500);
    CHECK_U64(measure.peak_begin, 1000);
}

TEST(starting_it_by_hand_as_well_changes_nothing)
{
    CHECK_I64(prof_torch_cuda_memory_start(nullptr), PROF_OK);
    CHECK_I64(prof_torch_memory_start(nullptr), PROF_OK);
    CHECK_I64(pretended.trackers, 1);
    CHECK_I64(prof_stop(nullptr), PROF_OK);
}

int main(int argc, char **argv) { return test_main(argc, argv); }
