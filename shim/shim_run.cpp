/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs models on borrowed buffers.
 *
 * Its invariant: when prof_torch_run() returns, nothing in libtorch points
 * into a caller's buffer any more.
 */
#include "shim_model.hpp"

#include <ATen/ops/from_blob.h>
#include <c10/core/InferenceMode.h>
#include <torch/cuda.h>

#include <unordered_map>

using profi_torch::fail;
using profi_torch::guarded;
using profi_torch::task;
using profi_torch::use;

namespace {

/*
 * The caller's buffers during one call.  Afterwards, a storage that somebody
 * still refers to gets memory of its own in place of the caller's.
 */
class loans {
public:
    void add(const at::Tensor &borrowed) { storages_.push_back(borrowed.storage()); }

    void end()
    {
        for (const c10::Storage &storage : storages_) {
            if (storage.device().is_cuda())
                torch::cuda::synchronize(storage.device().index());
            if (storage.use_count() > 1)
                give_own_memory(storage);
        }
        storages_.clear();
    }

    /* Where memory is spent what was kept gets none at all: better than a pointer to nothing. */
    void end_anyhow() noexcept
    {
        try {
            end();
        } catch (...) {
            for (const c10::Storage &storage : storages_) {
                if (storage.use_count() > 1) {
                    storage.set_nbytes(0);
                    storage.set_data_ptr(at::DataPtr(nullptr, storage.device()));
                }
            }
        }
    }

private:
    static void give_own_memory(const c10::Storage &storage)
    {
        const auto bytes = static_cast<int64_t>(storage.nbytes());
        const at::Tensor seen = at::from_blob(const_cast<void *>(static_cast<const void *>(storage.data())), { bytes },
                                              at::TensorOptions().dtype(at::kByte).device(storage.device()));
        const at::Tensor copy = seen.clone();
        storage.set_data_ptr(copy.storage().set_data_ptr(at::DataPtr(nullptr, storage.device())));
    }

    std::vector<c10::Storage> storages_;
};

/* What one call passes to libtorch. */
struct arguments {
    std::vector<c10::IValue> positional;
    std::unordered_map<std::string, c10::IValue> named;
    loans borrowed;
};

prof_status argument_read(const prof_torch_input &input, const char *label, const c10::Device &device,
                          c10::IValue *argument, loans *borrowed, const task &doing, prof_error *err)
{
    if (input.flags != 0)
        return fail(err, PROF_E_INVALID, doing, "%s has flags 0x%x, which are not known", label, (unsigned)input.flags);
    if ((input.tensor == nullptr) == (input.value == nullptr))
        return fail(err, PROF_E_INVALID, doing, "%s has %s", label,
                    input.tensor == nullptr ? "neither a tensor nor a value" : "both a tensor and a value");
    if (!profi_torch::handle_is_open(input.value))
        return fail(err, PROF_E_INVALID, doing, "%s is a value that has been closed", label);
    at::Tensor tensor;
    if (input.value != nullptr) {
        *argument = input.value->ivalue;
        if (input.value->kind != PROF_TORCH_TENSOR)
            return PROF_OK;
        tensor = argument->toTensor();
    } else if (prof_status status = profi_torch::tensor_borrow(input.tensor, label, &tensor, doing, err)) {
        return status;
    }
    if (tensor.device() != device)
        tensor = tensor.to(device);
    else if (input.tensor != nullptr)
        borrowed->add(tensor);
    *argument = std::move(tensor);
    return PROF_OK;
}

prof_status arguments_read(const prof_torch_input *inputs, size_t count, const c10::Device &device, arguments *to,
                           const task &doing, prof_error *err)
{
    if (count == 0)
        return PROF_OK;
    if (inputs == nullptr)
        return fail(err, PROF_E_INVALID, doing, "inputs is NULL, input_count is %zu", count);
    const uint32_t step = inputs[0].size;
    const char *place = reinterpret_cast<const char *>(inputs);
    to->positional.reserve(count);
    for (size_t i = 0; i < count; i++, place += step) {
        char label[64];
        std::snprintf(label, sizeof(label), "input %zu", i);
        prof_torch_input input;
        if (prof_status status = struct_read(&input, reinterpret_cast<const prof_torch_input *>(place), sizeof(input),
                                             label, doing, err))
            return status;
        if (input.size != step)
            return fail(err, PROF_E_INVALID, doing, "%s has another size than the inputs before it", label);
        if (input.name != nullptr)
            std::snprintf(label, sizeof(label), "input %zu ('%.32s')", i, input.name);
        else if (!to->named.empty())
            return fail(err, PROF_E_INVALID, doing, "%s has no name and comes after one that has", label);
        c10::IValue argument;
        if (prof_status status = argument_read(input, label, device, &argument, &to->borrowed, doing, err))
            return status;
        if (input.name == nullptr)
            to->positional.push_back(std::move(argument));
        else if (!to->named.emplace(input.name, std::move(argument)).second)
            return fail(err, PROF_E_INVALID, doing, "%s comes twice", label);
    }
    return PROF_OK;
}

/* Runs `method`, which returns an IValue, and sees that nothing keeps a caller's buffer, however it ends. */
template <class Method>
prof_torch_value *call(arguments *given, Method &&method)
{
    prof_torch_value *value;
    try {
        value = new prof_torch_value(method());
        given->positional.clear();
        given->named.clear();
    } catch (...) {
        given->positional.clear();
        given->named.clear();
        given->borrowed.end_anyhow();
        throw;
    }
    try {
        given->borrowed.end();
    } catch (...) {
        prof_torch_value_close(value);
        given->borrowed.end_anyhow();
        throw;
    }
    return value;
}

/*
 * What a package returns, as a script would: one tensor, or a tuple of several.
 *
 * It gets tensors of its own, over the same memory: when a run is refused,
 * libtorch 2.13 never lets go of them, and they shall not keep that memory.
 */
c10::IValue package_call(profi_torch::package *package, const arguments &given)
{
    std::vector<at::Tensor> inputs, outputs;
    for (const c10::IValue &one : given.positional) {
        const c10::TensorImpl *tensor = one.toTensor().unsafeGetTensorImpl();
        inputs.emplace_back(tensor->shallow_copy_and_detach(tensor->version_counter(), true));
    }
    try {
        outputs = package->run(inputs);
    } catch (...) {
        for (const at::Tensor &one : inputs)
            one.unsafeGetTensorImpl()->release_resources();
        throw;
    }
    if (outputs.size() == 1)
        return outputs[0];
    std::vector<c10::IValue> elements(outputs.begin(), outputs.end());
    return c10::ivalue::Tuple::create(std::move(elements));
}

prof_status package_run(prof_torch_model *model, arguments *given, prof_torch_value **result, const task &doing,
                        prof_error *err)
{
    if (!given->named.empty())
        return fail(err, PROF_E_INVALID, doing, "a compiled package takes its inputs by position, without names");
    for (size_t i = 0; i < given->positional.size(); i++)
        if (!given->positional[i].isTensor() || !given->positional[i].toTensor().defined())
            return fail(err, PROF_E_INVALID, doing, "input %zu is no tensor, and a compiled package takes nothing else", i);
    *result = call(given, [&] { return package_call(model->package.get(), *given); });
    return PROF_OK;
}

prof_status fail_method(const prof_torch_model &model, const char *method, const task &doing, prof_error *err)
{
    return fail(err, PROF_E_NOT_FOUND, doing, "it has no method %s; it has: %s",
                method != nullptr ? "of this name" : "'forward'", profi_torch::method_list(model).c_str());
}

/* Runs a method once on inputs that the caller keeps. */
prof_status run(prof_torch_model *model, const char *method, const prof_torch_input *inputs, size_t input_count,
                prof_torch_value **result, const task &doing, prof_error *err)
{
    const use used(model, false);
    if (!used.held)
        return fail(err, PROF_E_BUSY, doing, "it is being moved by another thread");
    const c10::InferenceMode inference;
    const char *name = method != nullptr ? method : "forward";
    arguments given;
    if (model->package) {
        if (std::strcmp(name, "forward") != 0)
            return fail_method(*model, method, doing, err);
        if (prof_status status = arguments_read(inputs, input_count, model->device, &given, doing, err))
            return status;
        return package_run(model, &given, result, doing, err);
    }
    const auto found = model->module.find_method(name);
    if (!found)
        return fail_method(*model, method, doing, err);
    if (prof_status status = arguments_read(inputs, input_count, model->device, &given, doing, err))
        return status;
    *result = call(&given, [&] { return (*found)(std::move(given.positional), given.named); });
    return PROF_OK;
}

} // namespace

prof_status prof_torch_run(prof_torch_model *model, const char *method, const prof_torch_input *inputs,
                           size_t input_count, prof_torch_value **result, prof_error *err)
{
    const task doing{ "run model", profi_torch::name_of(model), method };
    if (model == nullptr || result == nullptr)
        return fail(err, PROF_E_INVALID, doing, "%s is NULL", model == nullptr ? "model" : "result");
    if (prof_status status = profi_torch::handle_check(model, doing, err))
        return status;
    return guarded(err, PROF_E_INVALID, doing,
                   [&] { return run(model, method, inputs, input_count, result, doing, err); });
}

prof_status prof_torch_warm_up(prof_torch_model *model, const char *method, const prof_torch_input *inputs,
                               size_t input_count, uint32_t times, prof_error *err)
{
    const task doing{ "warm up model", profi_torch::name_of(model), method };
    if (model == nullptr)
        return fail(err, PROF_E_INVALID, doing, "model is NULL");
    if (prof_status status = profi_torch::handle_check(model, doing, err))
        return status;
    return guarded(err, PROF_E_INVALID, doing, [&]() -> prof_status {
        for (uint32_t i = 0; i < times; i++) {
            prof_torch_value *result = nullptr;
            if (prof_status status = run(model, method, inputs, input_count, &result, doing, err))
                return status;
            prof_torch_value_close(result);
        }
        return PROF_OK;
    });
}
