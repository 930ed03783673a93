/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between prof_torch_tensor and at::Tensor, both ways, without copying.
 *
 * What a caller describes is checked here, in full: libtorch itself believes
 * every shape and pointer.
 */
#include "shim_value.hpp"

#include <ATen/ops/from_blob.h>

namespace profi_torch {

namespace {

struct dtype_row {
    int32_t dtype;
    at::ScalarType scalar;
};

const dtype_row dtype_rows[] = {
    { PROF_TORCH_BOOL, at::kBool },         { PROF_TORCH_UINT8, at::kByte },    { PROF_TORCH_INT8, at::kChar },
    { PROF_TORCH_INT16, at::kShort },       { PROF_TORCH_INT32, at::kInt },     { PROF_TORCH_INT64, at::kLong },
    { PROF_TORCH_HALF, at::kHalf },         { PROF_TORCH_BFLOAT16, at::kBFloat16 },
    { PROF_TORCH_FLOAT32, at::kFloat },     { PROF_TORCH_FLOAT64, at::kDouble },
};

const dtype_row *row_of_dtype(int32_t dtype)
{
    for (const dtype_row &row : dtype_rows)
        if (row.dtype == dtype)
            return &row;
    return nullptr;
}

const dtype_row *row_of_scalar(at::ScalarType scalar)
{
    for (const dtype_row &row : dtype_rows)
        if (row.scalar == scalar)
            return &row;
    return nullptr;
}

/* The steps of a row-major array; false when it has more elements than 63 bits count. */
bool row_major(const int64_t *shape, size_t rank, int64_t *strides)
{
    int64_t step = 1;
    for (size_t i = rank; i-- > 0;) {
        strides[i] = step;
        if (__builtin_mul_overflow(step, shape[i] > 0 ? shape[i] : 1, &step))
            return false;
    }
    return true;
}

prof_status device_check(const prof_torch_tensor &given, const char *name, const task &doing, prof_error *err)
{
    if (given.device == PROF_TORCH_CPU && given.device_index == 0)
        return PROF_OK;
    if (given.device != PROF_TORCH_CUDA || given.device_index < 0 || given.device_index > 127)
        return fail(err, PROF_E_INVALID, doing, "%s is on device %d, index %d, which is none", name, (int)given.device,
                    (int)given.device_index);
    if (!has_cuda(given.device_index))
        return fail(err, PROF_E_UNSUPPORTED, doing, "%s is on GPU %d, which libtorch cannot use here", name,
                    (int)given.device_index);
    return PROF_OK;
}

} // namespace

bool tensor_extent(const int64_t *shape, const int64_t *strides, size_t rank, int64_t item_bytes, int64_t *bytes)
{
    int64_t last = 0, step;
    for (size_t i = 0; i < rank; i++) {
        if (shape[i] == 0) {
            *bytes = 0;
            return true;
        }
        if (__builtin_mul_overflow(shape[i] - 1, strides[i], &step) || __builtin_add_overflow(last, step, &last))
            return false;
    }
    return !__builtin_add_overflow(last, 1, &last) && !__builtin_mul_overflow(last, item_bytes, bytes);
}

prof_status tensor_borrow(const prof_torch_tensor *given_by_caller, const char *name, at::Tensor *tensor,
                          const task &doing, prof_error *err)
{
    prof_torch_tensor given;
    if (prof_status status = struct_read(&given, given_by_caller, sizeof(given), name, doing, err))
        return status;
    return tensor_wrap(given, name, context(nullptr, nullptr), tensor, doing, err);
}

prof_status tensor_wrap(const prof_torch_tensor &given, const char *name, context keeper, at::Tensor *tensor,
                        const task &doing, prof_error *err)
{
    const size_t rank_most = 64;
    const dtype_row *row = row_of_dtype(given.dtype);
    if (row == nullptr)
        return fail(err, PROF_E_INVALID, doing, "%s has dtype %d, which is none", name, (int)given.dtype);
    if (given.flags != 0)
        return fail(err, PROF_E_INVALID, doing, "%s has flags 0x%x, which an input has not", name,
                    (unsigned)given.flags);
    if (given.rank > rank_most)
        return fail(err, PROF_E_INVALID, doing, "%s has rank %u, above %zu", name, (unsigned)given.rank, rank_most);
    if (given.rank > 0 && given.shape == nullptr)
        return fail(err, PROF_E_INVALID, doing, "%s has rank %u and no shape", name, (unsigned)given.rank);
    if (prof_status status = device_check(given, name, doing, err))
        return status;

    for (size_t i = 0; i < given.rank; i++) {
        if (given.shape[i] < 0)
            return fail(err, PROF_E_INVALID, doing, "%s has length %lld in dimension %zu", name,
                        (long long)given.shape[i], i);
        if (given.strides != nullptr && given.strides[i] < 0)
            return fail(err, PROF_E_INVALID, doing, "%s has stride %lld in dimension %zu", name,
                        (long long)given.strides[i], i);
    }
    const int64_t item_bytes = static_cast<int64_t>(c10::elementSize(row->scalar));
    int64_t packed[rank_most], bytes, packed_bytes;
    const bool has_count = row_major(given.shape, given.rank, packed);
    const int64_t *strides = given.strides != nullptr ? given.strides : packed;
    if (!has_count || !tensor_extent(given.shape, packed, given.rank, item_bytes, &packed_bytes) ||
        !tensor_extent(given.shape, strides, given.rank, item_bytes, &bytes))
        return fail(err, PROF_E_INVALID, doing, "%s has a shape larger than any memory", name);
    if (bytes > 0 && given.data == nullptr)
        return fail(err, PROF_E_INVALID, doing, "%s has elements and no data", name);
    if (given.data_bytes != 0 && given.data_bytes < static_cast<uint64_t>(bytes))
        return fail(err, PROF_E_INVALID, doing, "%s needs %lld bytes for its shape, and has %llu", name,
                    (long long)bytes, (unsigned long long)given.data_bytes);
    if (reinterpret_cast<uintptr_t>(given.data) % static_cast<uintptr_t>(item_bytes) != 0)
        return fail(err, PROF_E_INVALID, doing, "%s has data that is not aligned to %lld bytes", name,
                    (long long)item_bytes);

    const c10::Device device = given.device == PROF_TORCH_CPU
                                   ? c10::Device(c10::kCPU)
                                   : c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(given.device_index));
    at::TensorMaker maker = at::for_blob(given.data, c10::IntArrayRef(given.shape, given.rank));
    if (keeper != nullptr) {
        const auto deleter = keeper.get_deleter();
        maker.context(keeper.release(), deleter);
    }
    *tensor = maker.strides(c10::IntArrayRef(strides, given.rank))
                  .options(at::TensorOptions().dtype(row->scalar).device(device))
                  .make_tensor();
    return PROF_OK;
}

prof_status tensor_describe(const at::Tensor &tensor, uint32_t flags, prof_torch_tensor *described, const task &doing,
                            prof_error *err)
{
    const dtype_row *row = row_of_scalar(tensor.scalar_type());
    if (row == nullptr)
        return fail(err, PROF_E_UNSUPPORTED, doing, "its elements are of type %s", c10::toString(tensor.scalar_type()));
    const c10::Device device = tensor.device();
    if (!device.is_cpu() && !device.is_cuda())
        return fail(err, PROF_E_UNSUPPORTED, doing, "it is on device %s", device.str().c_str());

    prof_torch_tensor out = PROF_TORCH_TENSOR_INIT;
    int64_t bytes = 0;
    tensor_extent(tensor.sizes().data(), tensor.strides().data(), tensor.sizes().size(),
                  static_cast<int64_t>(c10::elementSize(row->scalar)), &bytes);
    out.dtype = row->dtype;
    out.device = device.is_cpu() ? PROF_TORCH_CPU : PROF_TORCH_CUDA;
    out.device_index = device.has_index() && device.is_cuda() ? device.index() : 0;
    out.rank = static_cast<uint32_t>(tensor.dim());
    out.flags = flags;
    out.shape = tensor.sizes().data();
    out.strides = tensor.strides().data();
    out.data = tensor.data_ptr();
    out.data_bytes = static_cast<uint64_t>(bytes);
    *described = out;
    return PROF_OK;
}

} // namespace profi_torch
