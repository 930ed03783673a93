/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What libtorch has one of in a process: thread counts, version, devices.
 */
#include "shim_value.hpp"

#include <ATen/Parallel.h>
#include <torch/cuda.h>
#include <torch/version.h>

#include <map>
#include <string>

using profi_torch::fail;
using profi_torch::guarded;
using profi_torch::task;

/* What libtorch was built with, by name.  Debian's package does not have the header that says this. */
namespace caffe2 {
const std::map<std::string, std::string> &GetBuildOptions();
}

namespace {

const int32_t thread_count_most = 4096;

template <class Set>
prof_status threads_set(int32_t count, prof_status status, const task &doing, prof_error *err, Set &&set)
{
    if (count < 1 || count > thread_count_most)
        return fail(err, PROF_E_INVALID, doing, "%d is not in 1 to %d", (int)count, (int)thread_count_most);
    return guarded(err, status, doing, [&] {
        set(static_cast<int>(count));
        return PROF_OK;
    });
}

template <class Get>
prof_status threads_get(int32_t *count, const task &doing, prof_error *err, Get &&get)
{
    if (count == nullptr)
        return fail(err, PROF_E_INVALID, doing, "count is NULL");
    return guarded(err, PROF_E_INVALID, doing, [&] {
        *count = static_cast<int32_t>(get());
        return PROF_OK;
    });
}

} // namespace

namespace profi_torch {

bool has_cuda(int index)
{
    return torch::cuda::is_available() && (index < 0 || index < static_cast<int>(torch::cuda::device_count()));
}

/* Not by at::show_config(), which asks for GPUs: that would initialise the driver, in a server that forks its workers later. */
prof_status check_version(const task &doing, prof_error *err)
{
    const auto &options = caffe2::GetBuildOptions();
    const auto loaded = options.find("TORCH_VERSION");
    if (loaded == options.end() || loaded->second == TORCH_VERSION)
        return PROF_OK;
    return fail(err, PROF_E_UNSUPPORTED, doing, "libprofcore_torch was built with libtorch %s, and the program has loaded %s", TORCH_VERSION,
                loaded->second.c_str());
}

} // namespace profi_torch

prof_status prof_torch_intra_threads_set(int32_t count, prof_error *err)
{
    return threads_set(count, PROF_E_INVALID, task{ "set the intra-op thread count" }, err,
                       [](int n) { at::set_num_threads(n); });
}

prof_status prof_torch_inter_threads_set(int32_t count, prof_error *err)
{
    return threads_set(count, PROF_E_BUSY, task{ "set the inter-op thread count" }, err,
                       [](int n) { at::set_num_interop_threads(n); });
}

prof_status prof_torch_intra_threads_get(int32_t *count, prof_error *err)
{
    return threads_get(count, task{ "read the intra-op thread count" }, err, [] { return at::get_num_threads(); });
}

prof_status prof_torch_inter_threads_get(int32_t *count, prof_error *err)
{
    return threads_get(count, task{ "read the inter-op thread count" }, err,
                       [] { return at::get_num_interop_threads(); });
}

const char *prof_torch_version(void)
{
    return TORCH_VERSION;
}

int32_t prof_torch_has_cuda(void)
{
    try {
        return profi_torch::has_cuda(-1) ? 1 : 0;
    } catch (...) {
        return 0;
    }
}
