/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What libtorch allocates on GPUs, as a pool for each: "torch.cuda:0", fed by
 * the trace of its caching allocator (libtorch 2.2 and later).
 *
 * With prof_torch_memory_start() it begins by itself, once the program has
 * initialised the allocator.  To ask how many GPUs there are would initialise
 * the driver, which a child that is forked later could not use any more.  So a
 * thread of libprofcore's looks whether the allocator has been initialised,
 * which costs two loads, until it has.
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
#include "shim_cuda.hpp"
#include "shim_error.hpp"

#include <profcore/memory.h>
#include <profcore/torch.h>

#include <cstdio>
#include <dlfcn.h>
#include <pthread.h>

using profi_torch::fail;
using profi_torch::guarded;
using profi_torch::task;

namespace {

/* The variable of libc10_cuda that names its allocator, where there is one: nothing of ours names it when it is linked. */
void *find_allocator_variable() { return dlsym(RTLD_DEFAULT, "_ZN3c104cuda20CUDACachingAllocator9allocatorE"); }

const char without_cuda[] = "this libtorch is built without CUDA";

/* For reports, which say themselves what cannot be had. */
prof_status not_there(prof_error *err, prof_status status, const char *reason)
{
    err->status = status;
    std::snprintf(err->message, sizeof(err->message), "%s", reason);
    return status;
}

} // namespace

#ifdef PROFI_TORCH_CUDA_TRACE

#include "cuda_tracker.hpp"

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/cuda/CUDACachingAllocator.h>

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

CUDAAllocator *find_allocator()
{
    auto *at = static_cast<std::atomic<CUDAAllocator *> *>(find_allocator_variable());
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

void forget_in_child()
{
    for (cuda_tracker &tracker : trackers)
        tracker.forget();
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
        return fail(err, PROF_E_UNAVAILABLE, doing, "%s", without_cuda);
    const int count = at::hasCUDA() ? int(at::detail::getCUDAHooks().deviceCount()) : 0;
    if (count == 0)
        return fail(err, PROF_E_UNAVAILABLE, doing, "libtorch finds no GPU");
    if (found->name() != "native")
        return fail(err, PROF_E_UNSUPPORTED, doing, "its allocator is \"%s\", which has no trace", found->name().c_str());
    allocator_in_use = found;
    found->init(count); /* else what is attached before the first use is lost; it makes no context */
    prof_status status = PROF_OK;
    for (int device = 0; device < count && device < DEVICES && status == PROF_OK; device++)
        status = begin_device(device, err); /* of those before it is told all the same, or what they held now would stand for ever */
    found->attachAllocatorTraceTracker(track);
    pthread_atfork(nullptr, nullptr, forget_in_child); /* behind libprofcore's own, which gives its locks free */
    is_installed = true;
    return status;
}

/* Until 2.5 CUDA has a function of its own for it. */
template <class context_type> auto wait_until_initialised(context_type &context, int) -> decltype(context.lazyInitDevice(at::kCUDA))
{
    context.lazyInitDevice(at::kCUDA);
}
template <class context_type> void wait_until_initialised(context_type &context, long)
{
    context.lazyInitCUDA();
}

/* The allocator is whole when all of CUDA is, of which another thread may be in the middle. */
prof_status look_for_cuda(void *, prof_error *err)
{
    const task doing{ "count memory of GPUs" };
    return guarded(err, PROF_E_UNAVAILABLE, doing, [&] {
        CUDAAllocator *found = find_allocator();
        if (found == nullptr)
            return not_there(err, PROF_E_UNAVAILABLE, without_cuda);
        if (!found->initialized())
            return not_there(err, PROF_E_BUSY, "the program has not initialised libtorch's CUDA");
        wait_until_initialised(at::globalContext(), 0);
        return install(doing, err);
    });
}

} // namespace

#else

static const char without_trace[] = "built without CUDA's headers, or with a libtorch before 2.2";

static prof_status install(const task &doing, prof_error *err)
{
    return fail(err, PROF_E_UNSUPPORTED, doing, "%s", without_trace);
}

static prof_status look_for_cuda(void *, prof_error *err)
{
    return not_there(err, PROF_E_UNSUPPORTED, find_allocator_variable() != nullptr ? without_trace : without_cuda);
}

#endif

prof_status profi_torch::await_cuda_memory(prof_error *err)
{
    return prof_pool_await("torch.cuda", look_for_cuda, nullptr, err);
}

prof_status prof_torch_cuda_memory_start(prof_error *err)
{
    const task doing{ "count memory of GPUs" };
    return guarded(err, PROF_E_UNAVAILABLE, doing, [&] {
        const prof_status status = profi_torch::check_version(doing, err);
        return status != PROF_OK ? status : install(doing, err);
    });
}
