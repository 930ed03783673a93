/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the shim's files share: the two opaque structs, and the way between a
 * prof_torch_tensor and libtorch's own.
 *
 * The caller's buffers are borrowed for one call, and no value may keep one:
 * shim_run.cpp sees to that.
 */
#ifndef SHIM_VALUE_HPP
#define SHIM_VALUE_HPP

#include "shim_error.hpp"
#include "shim_lifetime.hpp"

#include <profcore/torch.h>

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

/*
 * A tree of handles that grows where it is walked:
 *
 *     value ── elements[0] ── its own elements …     each handle owns one
 *           └─ elements[1]                           reference to its elements
 *
 * so a retained element is a handle like any other, without a way back.
 */
struct prof_torch_value {
    struct element {
        c10::IValue key; /* None in a list or a plain tuple */
        prof_torch_value *value;
    };

    explicit prof_torch_value(c10::IValue given);
    ~prof_torch_value();
    PROFI_HANDLE_MEMORY
    prof_torch_value(const prof_torch_value &) = delete;
    prof_torch_value &operator=(const prof_torch_value &) = delete;

    const c10::IValue ivalue;
    const int32_t kind;
    std::atomic<size_t> reference_count{ 1 };

    std::mutex lock; /* guards what follows, which is made when first asked for and then stays */
    bool is_expanded = false;
    std::vector<element> elements;
    at::Tensor readable; /* row-major in main memory */
};

namespace profi_torch {

/* The name of a kind, for messages. */
const char *kind_name(int32_t kind);

/* Whether libtorch can use GPU number `index`, or any when it is negative. */
bool has_cuda(int index);

/* Wraps a caller's buffer, checked, without copying; `name` is how messages call it. */
prof_status tensor_borrow(const prof_torch_tensor *given, const char *name, at::Tensor *tensor, const task &doing,
                          prof_error *err);

/* What keeps a tensor's memory, and how it is given back. */
using context = std::unique_ptr<void, void (*)(void *)>;

/* The same for a buffer that `keeper` keeps: the tensor's afterwards, or given back when this fails. */
prof_status tensor_wrap(const prof_torch_tensor &given, const char *name, context keeper, at::Tensor *tensor,
                        const task &doing, prof_error *err);

/* Describes a tensor of libtorch; the result points into it. */
prof_status tensor_describe(const at::Tensor &tensor, uint32_t flags, prof_torch_tensor *described, const task &doing,
                            prof_error *err);

/* Bytes from a tensor's first to its last element; false when they do not fit into 63 bits. */
bool tensor_extent(const int64_t *shape, const int64_t *strides, size_t rank, int64_t item_bytes, int64_t *bytes);

} // namespace profi_torch

#endif
