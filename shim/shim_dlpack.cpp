/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DLPack: arrays from and for other libraries, without copying.
 *
 * libtorch's own way in believes every shape and pointer, and what it leaves
 * of an array that it refuses is not said; so an array is described as a
 * caller's buffer is, and goes through the same checks.
 */
#include "shim_value.hpp"

#include <ATen/DLConvertor.h>
#include <ATen/dlpack.h>
#include <c10/core/InferenceMode.h>
#include <torch/cuda.h>

using profi_torch::context;
using profi_torch::fail;
using profi_torch::guarded;
using profi_torch::task;

namespace {

const uint8_t code_bool = 6; /* libtorch 1.13 has no name for it, and hands no such tensor on */

/* An array on its way in; it is ours to give back once the value is made. */
struct guest {
    DLManagedTensor *managed;
    bool is_ours;
};

void guest_end(void *given)
{
    guest *ended = static_cast<guest *>(given);
    if (ended->is_ours && ended->managed->deleter != nullptr)
        ended->managed->deleter(ended->managed);
    delete ended;
}

int32_t dtype_of(const DLDataType &type)
{
    static const struct {
        uint8_t code, bits;
        int32_t dtype;
    } rows[] = {
        { kDLInt, 8, PROF_TORCH_INT8 },      { kDLInt, 16, PROF_TORCH_INT16 },      { kDLInt, 32, PROF_TORCH_INT32 },
        { kDLInt, 64, PROF_TORCH_INT64 },    { kDLUInt, 8, PROF_TORCH_UINT8 },      { kDLFloat, 16, PROF_TORCH_HALF },
        { kDLFloat, 32, PROF_TORCH_FLOAT32 }, { kDLFloat, 64, PROF_TORCH_FLOAT64 }, { kDLBfloat, 16, PROF_TORCH_BFLOAT16 },
        { code_bool, 8, PROF_TORCH_BOOL },
    };
    for (const auto &row : rows)
        if (row.code == type.code && row.bits == type.bits && type.lanes == 1)
            return row.dtype;
    return 0;
}

prof_status describe(const DLTensor &given, prof_torch_tensor *described, const task &doing, prof_error *err)
{
    const DLDataType &type = given.dtype;
    prof_torch_tensor out = PROF_TORCH_TENSOR_INIT;
    out.dtype = dtype_of(type);
    if (out.dtype == 0)
        return fail(err, PROF_E_UNSUPPORTED, doing, "its elements are of code %d with %d bits, %d at a time",
                    (int)type.code, (int)type.bits, (int)type.lanes);
    const int device = static_cast<int>(given.device.device_type);
    if (device != kDLCPU && device != kDLCUDA && device != kDLCUDAHost)
        return fail(err, PROF_E_UNSUPPORTED, doing, "it is on a device of type %d", device);
    if (given.ndim < 0)
        return fail(err, PROF_E_INVALID, doing, "it has rank %d", (int)given.ndim);
    out.device = device == kDLCUDA ? PROF_TORCH_CUDA : PROF_TORCH_CPU;
    out.device_index = device == kDLCUDA ? given.device.device_id : 0;
    out.rank = static_cast<uint32_t>(given.ndim);
    out.shape = given.shape;
    out.strides = given.strides;
    if (given.data != nullptr)
        out.data = static_cast<char *>(given.data) + given.byte_offset;
    *described = out;
    return PROF_OK;
}

} // namespace

prof_status prof_torch_value_from_dlpack(struct DLManagedTensor *managed, prof_torch_value **value, prof_error *err)
{
    const task doing{ "take a DLPack array" };
    if (managed == nullptr || value == nullptr)
        return fail(err, PROF_E_INVALID, doing, "%s is NULL", managed == nullptr ? "managed" : "value");
    return guarded(err, PROF_E_INVALID, doing, [&]() -> prof_status {
        prof_torch_tensor described;
        if (prof_status status = describe(managed->dl_tensor, &described, doing, err))
            return status;
        guest *const entering = new guest{ managed, false };
        at::Tensor tensor;
        if (prof_status status = profi_torch::tensor_wrap(described, "it", context(entering, guest_end), &tensor, doing,
                                                          err))
            return status;
        *value = new prof_torch_value(tensor);
        entering->is_ours = true;
        return PROF_OK;
    });
}

prof_status prof_torch_value_to_dlpack(prof_torch_value *value, struct DLManagedTensor **managed, prof_error *err)
{
    const task doing{ "hand on a DLPack array" };
    if (value == nullptr || managed == nullptr)
        return fail(err, PROF_E_INVALID, doing, "%s is NULL", value == nullptr ? "value" : "managed");
    if (prof_status status = profi_torch::handle_check(value, doing, err))
        return status;
    if (value->kind != PROF_TORCH_TENSOR)
        return fail(err, PROF_E_INVALID, doing, "the value is %s, not a tensor", profi_torch::kind_name(value->kind));
    return guarded(err, PROF_E_UNSUPPORTED, doing, [&]() -> prof_status {
        const c10::InferenceMode inference;
        const at::Tensor &tensor = value->ivalue.toTensor();
        if (tensor.layout() != c10::kStrided)
            return fail(err, PROF_E_UNSUPPORTED, doing, "it is sparse, or of another special layout");
        if (tensor.is_neg() || tensor.is_conj())
            return fail(err, PROF_E_UNSUPPORTED, doing, "its %s lies in memory", tensor.is_neg() ? "negative" : "conjugate");
        if (tensor.is_cuda())
            torch::cuda::synchronize(tensor.device().index());
        const bool is_bool = tensor.scalar_type() == at::kBool;
        DLManagedTensor *made = at::toDLPack(is_bool ? tensor.view(at::kByte) : tensor);
        if (is_bool)
            made->dl_tensor.dtype.code = code_bool;
        *managed = made;
        return PROF_OK;
    });
}
