/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What libtorch allocates in main memory, as a kind of memory of
 * libprofcore's: an allocator in front of the one that is there, which says
 * what that hands out and takes back.
 *
 * Blocks come from that one as they are, so that alignment, sizes and what
 * torch's own profiler counts are as without us, and a block of before
 * is freed as it would have been.  It stays once it is there: blocks carry
 * its deleter.
 */
#include "shim_cuda.hpp"
#include "shim_error.hpp"

#include <profcore/memory.h>
#include <profcore/torch.h>

#include <c10/core/CPUAllocator.h>

#include <cstring>
#include <mutex>

using profi_torch::fail;
using profi_torch::guarded;
using profi_torch::task;

namespace {

prof_memory *memory; /* these three are set before the first block, for good */
c10::Allocator *behind;
c10::DeleterFnPtr behind_free;

void counted_free(void *block)
{
    prof_memory_freed(memory, block); /* first: then another thread may be given it */
    behind_free(block);
}

c10::DataPtr counted(c10::DataPtr data, size_t bytes)
{
    if (data.get() != nullptr && data.compare_exchange_deleter(behind_free, counted_free))
        prof_memory_allocated(memory, data.get(), bytes);
    return data;
}

/* Up to libtorch 2.1 allocate() is const, and there is no copy_data(): what does not override stands beside, so none is said to. */
struct counted_allocator : c10::Allocator {
    c10::DataPtr allocate(size_t bytes) const { return counted(behind->allocate(bytes), bytes); }
    c10::DataPtr allocate(size_t bytes) { return counted(behind->allocate(bytes), bytes); }
    c10::DeleterFnPtr raw_deleter() const { return counted_free; }
    void copy_data(void *into, const void *from, std::size_t bytes) const { std::memcpy(into, from, bytes); }
};

std::mutex lock;
c10::Allocator *installed; /* under the lock */

prof_status install(const task &doing, prof_error *err)
{
    const std::lock_guard<std::mutex> locked(lock);
    c10::Allocator *present = c10::GetCPUAllocator();
    if (installed != nullptr && present == installed)
        return PROF_OK;
    if (installed != nullptr)
        return fail(err, PROF_E_UNSUPPORTED, doing, "another allocator has been put in its place");
    if (present->raw_deleter() == nullptr)
        return fail(err, PROF_E_UNSUPPORTED, doing, "the allocator of this program frees blocks by more than their address");
    if (prof_status status = prof_memory_open("torch.cpu", &memory, err))
        return status;
    behind = present;
    behind_free = present->raw_deleter();
    auto *made = new counted_allocator;
    c10::SetCPUAllocator(made);
    if (c10::GetCPUAllocator() != made) {
        delete made;
        return fail(err, PROF_E_UNSUPPORTED, doing, "the allocator of this program lets no other take its place");
    }
    installed = made;
    return PROF_OK;
}

} // namespace

prof_status prof_torch_memory_start(prof_error *err)
{
    const task doing{ "count memory" };
    prof_status status = guarded(err, PROF_E_UNAVAILABLE, doing, [&] { return profi_torch::check_version(doing, err); });
    if (status != PROF_OK) /* nor is its allocator of GPUs to be looked at */
        return status;
    status = guarded(err, PROF_E_UNAVAILABLE, doing, [&] { return install(doing, err); });
    const prof_status later = profi_torch::await_cuda_memory(status == PROF_OK ? err : nullptr);
    return status != PROF_OK ? status : later;
}
