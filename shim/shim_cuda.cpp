/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What libtorch allocates on GPUs, as a pool for each: "torch.cuda:0", fed by
 * the trace of its caching allocator (libtorch 2.2 and later).
 *
 * Built against any libtorch whose headers are whole, with CUDA's headers: the
 * allocator is found at run time, so a library built with a libtorch for CPUs
 * serves one for GPUs of the same version.  Without the headers, or with an
 * older libtorch, the reason says so.
 *
 * The tracker is called under the allocator's lock of that device, which is
 * recursive: so it may read the statistics, and calls nothing else of torch.
 * It stays once it is there.
 */
#include "shim_error.hpp"

#include <profcore/memory.h>
#include <profcore/torch.h>

using profi_torch::fail;
using profi_torch::guarded;
using profi_torch::task;

#ifdef PROFI_TORCH_CUDA_TRACE

#include "cuda_tracker.hpp"

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/cuda/CUDACachingAllocator.h>

#include <cstdio>
#include <dlfcn.h>

namespace {

using profi_torch::cuda_stats;
using profi_torch::cuda_step;
using profi_torch::cuda_tracker;
using namespace c10::cuda::CUDACachingAllocator;

enum { DEVICES = 16 };
cuda_tracker trackers[DEVICES];
std::mutex lock;
bool is_installed; /* under the lock */
CUDAAllocator *allocator_in_use; /* set before the first step, for good */

/* Of libc10_cuda, where there is one: nothing of ours names it when it is linked. */
CUDAAllocator *find_allocator()
{
    auto *at = static_cast<std::atomic<CUDAAllocator *> *>(dlsym(RTLD_DEFAULT, "_ZN3c104cuda20CUDACachingAllocator9allocatorE"));
    return at != nullptr ? at->load() : nullptr;
}

cuda_stats stats_of(c10::DeviceIndex device)
{
    const auto from = allocator_in_use->getDeviceStats(device);
    const auto &allocated = from.allocated_bytes[0], &reserved = from.reserved_bytes[0];
    return { { allocated.current, allocated.allocated, allocated.freed },
             { reserved.current, reserved.allocated, reserved.freed },
             from.num_alloc_retries };
}

cuda_step step_of(TraceEntry::Action action)
{
    switch (action) {
    case TraceEntry::ALLOC: return cuda_step::allocate;
    case TraceEntry::FREE_REQUESTED: return cuda_step::free;
    case TraceEntry::SEGMENT_ALLOC:
    case TraceEntry::SEGMENT_MAP: return cuda_step::segment_allocate;
    case TraceEntry::SEGMENT_FREE:
    case TraceEntry::SEGMENT_UNMAP: return cuda_step::segment_free;
    case TraceEntry::OOM: return cuda_step::out_of_memory;
    default: return cuda_step::other;
    }
}

void track(const TraceEntry &entry)
{
    const cuda_step step = step_of(entry.action_);
    if (step != cuda_step::other && entry.device_ >= 0 && entry.device_ < DEVICES)
        trackers[entry.device_].step(step, entry.size_, stats_of(entry.device_));
}

void settle(void *user)
{
    enum { TRIES = 16 };
    auto *tracker = static_cast<cuda_tracker *>(user);
    try {
        for (int tries = 0; tries < TRIES; tries++) {
            const uint64_t steps = tracker->step_count();
            if (tracker->settle(steps, stats_of(c10::DeviceIndex(tracker - trackers))))
                return;
        }
    } catch (...) { /* it stays open, until the next step */
    }
}

prof_status begin_device(int device, prof_error *err)
{
    char name[32];
    prof_pool *pool = nullptr;
    std::snprintf(name, sizeof(name), "torch.cuda:%d", device);
    if (prof_status status = prof_pool_open(name, &pool, err))
        return status;
    prof_pool_settle_by(pool, settle, &trackers[device]);
    trackers[device].begin(pool, stats_of(c10::DeviceIndex(device)));
    return PROF_OK;
}

prof_status install(const task &doing, prof_error *err)
{
    const std::lock_guard<std::mutex> locked(lock);
    if (is_installed)
        return PROF_OK;
    CUDAAllocator *found = find_allocator();
    if (found == nullptr)
        return fail(err, PROF_E_UNAVAILABLE, doing, "this libtorch is built without CUDA");
    const int count = at::hasCUDA() ? int(at::detail::getCUDAHooks().deviceCount()) : 0;
    if (count == 0)
        return fail(err, PROF_E_UNAVAILABLE, doing, "libtorch finds no GPU");
    if (found->name() != "native")
        return fail(err, PROF_E_UNSUPPORTED, doing, "its allocator is \"%s\", which has no trace", found->name().c_str());
    allocator_in_use = found;
    found->init(count); /* else what is attached before the first use is lost; it makes no context */
    for (int device = 0; device < count && device < DEVICES; device++)
        if (prof_status status = begin_device(device, err))
            return status;
    found->attachAllocatorTraceTracker(track);
    is_installed = true;
    return PROF_OK;
}

} // namespace

#else

static prof_status install(const task &doing, prof_error *err)
{
    return fail(err, PROF_E_UNSUPPORTED, doing, "built without CUDA's headers, or with a libtorch before 2.2");
}

#endif

prof_status prof_torch_cuda_memory_start(prof_error *err)
{
    const task doing{ "count memory of GPUs" };
    return guarded(err, PROF_E_UNAVAILABLE, doing, [&] { return install(doing, err); });
}
