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
#include <map>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

using profi_torch::fail;
using profi_torch::guarded;
using profi_torch::task;
using profi_torch::use;

namespace {

/* Whether a tensor is its storage, sizes and strides, and nothing else that a copy would have to have. */
bool is_plain(const at::Tensor &tensor)
{
    return tensor.layout() == at::kStrided && tensor.has_storage() && !tensor.is_quantized() && !tensor.is_meta() &&
           !tensor.is_conj() && !tensor.is_neg();
}

at::Tensor laid_over(const at::Storage &storage, const at::TensorOptions &options, int64_t offset, at::IntArrayRef sizes,
                     at::IntArrayRef strides)
{
    return at::empty({ 0 }, options).set_(storage, offset, sizes, strides);
}

/* Copies tensors such that those which shared memory, views of a buffer for instance, share the copy's. */
class storage_copy {
public:
    using tensor_copy = std::function<at::Tensor(const at::Tensor &)>;

    explicit storage_copy(tensor_copy made) : made_(std::move(made)) {}

    at::Tensor of(const at::Tensor &old)
    {
        if (!is_plain(old))
            return made_(old);
        at::Tensor &whole = wholes_[{ old.storage().unsafeGetStorageImpl(), old.scalar_type() }];
        if (!whole.defined()) {
            const int64_t count = static_cast<int64_t>(old.storage().nbytes() / old.itemsize());
            whole = made_(laid_over(old.storage(), old.options(), 0, { count }, { 1 }));
        }
        return laid_over(whole.storage(), whole.options(), old.storage_offset(), old.sizes(), old.strides());
    }

private:
    const tensor_copy made_;
    std::map<std::pair<const c10::StorageImpl *, at::ScalarType>, at::Tensor> wholes_;
};

using tensor_map = std::function<at::Tensor(const at::Tensor &, bool is_parameter)>;

/*
 * A copy of a module's objects: its tensors become what `made` makes of them.
 * What two attributes share, the copies share too.
 */
class object_copy {
public:
    explicit object_copy(tensor_map made) : made_(std::move(made)) {}

    torch::jit::Module of(const torch::jit::Module &module)
    {
        const c10::IValue root = value(c10::IValue(module._ivalue()), false);
        while (!left_.empty()) { /* a loop: how deep modules lie in each other is the file's to say */
            const auto one = left_.back();
            left_.pop_back();
            fill(one.first, one.second);
        }
        return torch::jit::Module(root.toObject());
    }

private:
    /* The new value in place of an old one; objects, lists and dictionaries are filled later. */
    c10::IValue value(const c10::IValue &old, bool is_parameter)
    {
        if (old.isTensor())
            return old.toTensor().defined() ? c10::IValue(tensor(old.toTensor(), is_parameter)) : old;
        if (old.isCustomClass()) /* which hold packed weights, and do not change */
            return old;
        if (!old.isObject() && !old.isList() && !old.isGenericDict() && !old.isTuple())
            return old.deepcopy();
        const auto known = known_.find(old.internalToPointer());
        if (known != known_.end())
            return known->second;
        const c10::IValue fresh = old.isTuple() ? tuple(old.toTupleRef()) : empty_like(old);
        if (!old.isTuple())
            left_.emplace_back(old, fresh);
        known_.emplace(old.internalToPointer(), fresh);
        return fresh;
    }

    static c10::IValue empty_like(const c10::IValue &old)
    {
        if (old.isObject())
            return old.toObject()->copy();
        if (old.isList())
            return c10::impl::GenericList(old.toList().elementType());
        const auto dictionary = old.toGenericDict();
        return c10::impl::GenericDict(dictionary.keyType(), dictionary.valueType());
    }

    c10::IValue tuple(const c10::ivalue::Tuple &old)
    {
        std::vector<c10::IValue> elements;
        for (const c10::IValue &one : old.elements())
            elements.push_back(value(one, false));
        const auto type = old.type();
        return type->schema() != nullptr ? c10::ivalue::Tuple::createNamed(std::move(elements), type)
                                         : c10::ivalue::Tuple::create(std::move(elements));
    }

    void fill(const c10::IValue &old, const c10::IValue &fresh)
    {
        if (old.isObject()) {
            auto &object = fresh.toObjectRef();
            const auto type = object.type();
            for (size_t i = 0; i < type->numAttributes(); i++)
                object.setSlot(i, value(object.getSlot(i), type->is_parameter(i)));
        } else if (old.isList()) {
            const auto from = old.toList();
            auto to = fresh.toList();
            for (size_t i = 0; i < from.size(); i++)
                to.push_back(value(from.get(i), false));
        } else {
            auto to = fresh.toGenericDict();
            for (const auto &entry : old.toGenericDict())
                to.insert(value(entry.key(), false), value(entry.value(), false));
        }
    }

    at::Tensor tensor(const at::Tensor &old, bool is_parameter)
    {
        at::Tensor &fresh = tensors_[{ old.unsafeGetTensorImpl(), is_parameter }];
        if (!fresh.defined())
            fresh = made_(old, is_parameter);
        return fresh;
    }

    const tensor_map made_;
    std::vector<std::pair<c10::IValue, c10::IValue>> left_; /* old and new, to be filled */
    std::unordered_map<const void *, c10::IValue> known_;
    std::map<std::pair<const c10::TensorImpl *, bool>, at::Tensor> tensors_;
};

/* A parameter is shared unless something that a run may change lies in the same memory. */
torch::jit::Module clone_of(const torch::jit::Module &module)
{
    std::set<const c10::StorageImpl *> own;
    object_copy([&](const at::Tensor &old, bool is_parameter) {
        if (!is_parameter && is_plain(old))
            own.insert(old.storage().unsafeGetStorageImpl());
        return old;
    }).of(module);
    storage_copy copies([](const at::Tensor &old) { return old.clone(); });
    return object_copy([&](const at::Tensor &old, bool is_parameter) {
        const bool is_shared =
            is_parameter && !(is_plain(old) && own.count(old.storage().unsafeGetStorageImpl()) != 0);
        return is_shared ? old : copies.of(old);
    }).of(module);
}

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
    const task doing{ "clone model", profi_torch::name_of(model) };
    if (model == nullptr || clone == nullptr)
        return fail(err, PROF_E_INVALID, doing, "%s is NULL", model == nullptr ? "model" : "clone");
    if (prof_status status = profi_torch::handle_check(model, doing, err))
        return status;
    return guarded(err, PROF_E_INVALID, doing, [&]() -> prof_status {
        const use used(model, false);
        if (!used.held)
            return fail(err, PROF_E_BUSY, doing, "it is being moved by another thread");
        const c10::NoGradGuard no_gradients;
        auto made = std::make_unique<prof_torch_model>(model->path, model->device,
                                                       model->package ? model->module : clone_of(model->module));
        made->package = model->package;
        made->extra_files = model->extra_files;
        *clone = made.release();
        return PROF_OK;
    });
}

prof_status prof_torch_model_to(prof_torch_model *model, const char *device, int32_t dtype, prof_error *err)
{
    const task doing{ "move model", profi_torch::name_of(model) };
    at::ScalarType scalar = at::kFloat;
    if (model == nullptr)
        return fail(err, PROF_E_INVALID, doing, "model is NULL");
    if (prof_status status = profi_torch::handle_check(model, doing, err))
        return status;
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
        storage_copy copies([&](const at::Tensor &old) {
            const bool is_cast = dtype != 0 && old.is_floating_point();
            return old.detach().to(to, is_cast ? scalar : old.scalar_type());
        });
        object_copy copy([&](const at::Tensor &old, bool) { return copies.of(old); });
        model->module = copy.of(model->module);
        model->device = to;
        return PROF_OK;
    });
}
