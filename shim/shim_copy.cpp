/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies of models: clones that share weights, and moves to another device
 * or element type.
 *
 * Both make new objects, and leave the model that they are made from as it
 * is: libtorch's own move changes tensors in place, and with them every clone.
 *
 *     model ──▶ root' ──▶ submodule'      code, compiled plans and, in a clone,
 *               │ weights (shared)        the tensors of parameters are those of
 *               └ buffers, state (own)    the model it is made from
 */
#include "shim_model.hpp"

#include <ATen/core/jit_type.h>
#include <ATen/ops/clone.h>
#include <ATen/ops/empty.h>

#include <functional>
#include <unordered_map>
#include <vector>

using profi_torch::fail;
using profi_torch::guarded;
using profi_torch::task;
using profi_torch::use;

namespace {

using tensor_map = std::function<at::Tensor(const at::Tensor &, bool is_parameter)>;

/* A copy of a module's objects: its tensors become what `made` makes of them. */
class object_copy {
public:
    explicit object_copy(tensor_map made) : made_(std::move(made)) {}

    torch::jit::Module of(const torch::jit::Module &module)
    {
        const c10::IValue root = object(c10::IValue(module._ivalue()));
        while (!left_.empty()) { /* a loop: how deep modules lie in each other is the file's to say */
            const c10::intrusive_ptr<c10::ivalue::Object> one = left_.back();
            left_.pop_back();
            fill(*one);
        }
        return torch::jit::Module(root.toObject());
    }

private:
    /* The new object in place of an old one, whose attributes are still the old ones when it is first met. */
    c10::IValue object(const c10::IValue &old)
    {
        const auto known = objects_.find(&old.toObjectRef());
        if (known != objects_.end())
            return known->second;
        left_.push_back(old.toObject()->copy());
        const c10::IValue fresh(left_.back());
        objects_.emplace(&old.toObjectRef(), fresh);
        return fresh;
    }

    c10::IValue tensor(const at::Tensor &old, bool is_parameter)
    {
        const auto known = tensors_.find(old.unsafeGetTensorImpl());
        if (known != tensors_.end())
            return known->second;
        at::Tensor fresh = made_(old, is_parameter);
        tensors_.emplace(old.unsafeGetTensorImpl(), fresh);
        return fresh;
    }

    void fill(c10::ivalue::Object &fresh)
    {
        const auto type = fresh.type();
        for (size_t i = 0; i < type->numAttributes(); i++) {
            const c10::IValue old = fresh.getSlot(i);
            if (old.isTensor() && old.toTensor().defined())
                fresh.setSlot(i, tensor(old.toTensor(), type->is_parameter(i)));
            else if (old.isObject() && old.toObjectRef().type()->is_module())
                fresh.setSlot(i, object(old));
            else if (!old.isCustomClass()) /* which hold packed weights, and do not change */
                fresh.setSlot(i, old.deepcopy());
        }
    }

    const tensor_map made_;
    std::vector<c10::intrusive_ptr<c10::ivalue::Object>> left_;
    std::unordered_map<const c10::ivalue::Object *, c10::IValue> objects_;
    std::unordered_map<const c10::TensorImpl *, at::Tensor> tensors_;
};

bool dtype_parse(int32_t dtype, at::ScalarType *scalar)
{
    switch (dtype) {
    case PROF_TORCH_HALF:
        *scalar = at::kHalf;
        return true;
    case PROF_TORCH_BFLOAT16:
        *scalar = at::kBFloat16;
        return true;
    case PROF_TORCH_FLOAT32:
        *scalar = at::kFloat;
        return true;
    case PROF_TORCH_FLOAT64:
        *scalar = at::kDouble;
        return true;
    default:
        return false;
    }
}

} // namespace

prof_status prof_torch_model_clone(prof_torch_model *model, prof_torch_model **clone, prof_error *err)
{
    const task doing{ "clone model", model != nullptr ? model->path.c_str() : nullptr };
    if (model == nullptr || clone == nullptr)
        return fail(err, PROF_E_INVALID, doing, "%s is NULL", model == nullptr ? "model" : "clone");
    return guarded(err, PROF_E_INVALID, doing, [&]() -> prof_status {
        const use used(model, false);
        if (!used.held)
            return fail(err, PROF_E_BUSY, doing, "it is being moved by another thread");
        const c10::NoGradGuard no_gradients;
        object_copy copy([](const at::Tensor &old, bool is_parameter) { return is_parameter ? old : old.clone(); });
        auto made = std::make_unique<prof_torch_model>(model->path, model->device,
                                                       model->package ? model->module : copy.of(model->module));
        made->package = model->package;
        made->extra_files = model->extra_files;
        *clone = made.release();
        return PROF_OK;
    });
}

prof_status prof_torch_model_to(prof_torch_model *model, const char *device, int32_t dtype, prof_error *err)
{
    const task doing{ "move model", model != nullptr ? model->path.c_str() : nullptr };
    at::ScalarType scalar = at::kFloat;
    if (model == nullptr)
        return fail(err, PROF_E_INVALID, doing, "model is NULL");
    if (dtype != 0 && !dtype_parse(dtype, &scalar))
        return fail(err, PROF_E_INVALID, doing, "dtype %d is no floating-point type", (int)dtype);
    return guarded(err, PROF_E_INVALID, doing, [&]() -> prof_status {
        if (model->package)
            return fail(err, PROF_E_UNSUPPORTED, doing, "a compiled package stays what it was compiled for");
        const use alone(model, true);
        if (!alone.held)
            return fail(err, PROF_E_BUSY, doing, "another call is using it");
        c10::Device to = model->device;
        if (device != nullptr)
            if (prof_status status = profi_torch::device_parse(device, &to, doing, err))
                return status;
        const c10::NoGradGuard no_gradients;
        object_copy copy([&](const at::Tensor &old, bool) {
            const bool is_cast = dtype != 0 && old.is_floating_point();
            return old.detach().to(to, is_cast ? scalar : old.scalar_type());
        });
        model->module = copy.of(model->module);
        model->device = to;
        return PROF_OK;
    });
}
