/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Models: open a TorchScript file, run it on borrowed buffers.
 *
 * The one file that includes TorchScript's headers.  Its invariant: when
 * prof_torch_run() returns, nothing in libtorch points into a caller's
 * buffer any more.
 */
#include "shim_value.hpp"

#include <ATen/ops/from_blob.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/cuda.h>

#include <cerrno>
#include <string>
#include <unordered_map>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using profi_torch::fail;
using profi_torch::guarded;
using profi_torch::task;

struct prof_torch_model {
    std::string path;
    c10::Device device;
    torch::jit::Module module;
};

namespace {

prof_status fail_errno(prof_error *err, int number, const task &doing)
{
    char reason[128];
    const prof_status status = number == ENOENT || number == ENOTDIR ? PROF_E_NOT_FOUND
                               : number == ENOMEM                    ? PROF_E_NO_MEMORY
                                                                     : PROF_E_IO;
    return fail_text(err, status, doing, strerror_r(number, reason, sizeof(reason)));
}

/* Says in the system's words why a file cannot be read; libtorch has one text for everything. */
prof_status file_check(const char *path, const task &doing, prof_error *err)
{
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return fail_errno(err, errno, doing);
    struct stat about;
    char start[4] = {};
    ssize_t bytes = 0;
    int number = 0;
    if (fstat(file, &about) != 0)
        number = errno;
    else if (S_ISREG(about.st_mode) && (bytes = pread(file, start, sizeof(start), 0)) < 0)
        number = errno;
    close(file);
    if (number != 0)
        return fail_errno(err, number, doing);
    if (S_ISDIR(about.st_mode))
        return fail_errno(err, EISDIR, doing);
    if (!S_ISREG(about.st_mode))
        return fail(err, PROF_E_IO, doing, "it is not a regular file");
    if (bytes == 0)
        return fail(err, PROF_E_FORMAT, doing, "the file is empty");
    if (bytes < 4 || std::memcmp(start, "PK\3\4", 4) != 0)
        return fail(err, PROF_E_FORMAT, doing, "not a TorchScript file, which is a zip archive");
    return PROF_OK;
}

prof_status device_parse(const char *text, c10::Device *device, const task &doing, prof_error *err)
{
    *device = c10::Device(c10::kCPU);
    if (text == nullptr || std::strcmp(text, "cpu") == 0)
        return PROF_OK;
    int index = 0, parsed = 0;
    const bool is_cuda = std::strcmp(text, "cuda") == 0;
    if (!is_cuda && (sscanf(text, "cuda:%3d%n", &index, &parsed) != 1 || text[parsed] != '\0' || text[5] < '0' ||
                     text[5] > '9' || index > 127))
        return fail(err, PROF_E_INVALID, doing, "the device '%s' is not one of cpu, cuda, cuda:0, cuda:1 …", text);
    if (!profi_torch::has_cuda(index))
        return fail(err, PROF_E_UNSUPPORTED, doing,
                    "libtorch cannot use the device '%s': it was built without CUDA, or there is no such GPU", text);
    *device = c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(index));
    return PROF_OK;
}

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

std::string method_list(const torch::jit::Module &module)
{
    std::string list;
    for (const torch::jit::Method &method : module.get_methods())
        list += (list.empty() ? "'" : ", '") + method.name() + "'";
    return list.empty() ? "none" : list;
}

prof_torch_value *call(const torch::jit::Method &method, arguments *given)
{
    prof_torch_value *value;
    try {
        value = new prof_torch_value(method(std::move(given->positional), given->named));
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

} // namespace

prof_status prof_torch_model_open(const char *path, const prof_torch_options *options, prof_torch_model **model,
                                  prof_error *err)
{
    const task doing{ "open model", path };
    if (path == nullptr || model == nullptr)
        return fail(err, PROF_E_INVALID, doing, "%s is NULL", path == nullptr ? "path" : "model");
    prof_torch_options chosen = PROF_TORCH_OPTIONS_INIT;
    if (options != nullptr) {
        if (prof_status status = struct_read(&chosen, options, sizeof(chosen), "options", doing, err))
            return status;
        if (chosen.flags != 0 || chosen.reserved != 0)
            return fail(err, PROF_E_INVALID, doing, "options has a flag or a field that this version does not know");
    }
    return guarded(err, PROF_E_FORMAT, doing, [&] {
        c10::Device device(c10::kCPU);
        if (prof_status status = device_parse(chosen.device, &device, doing, err))
            return status;
        if (prof_status status = file_check(path, doing, err))
            return status;
        std::unique_ptr<prof_torch_model> opened(
            new prof_torch_model{ path, device, torch::jit::load(path, device) });
        opened->module.eval();
        *model = opened.release();
        return PROF_OK;
    });
}

void prof_torch_model_close(prof_torch_model *model)
{
    delete model;
}

prof_status prof_torch_run(prof_torch_model *model, const char *method, const prof_torch_input *inputs,
                           size_t input_count, prof_torch_value **result, prof_error *err)
{
    const task doing{ "run model", model != nullptr ? model->path.c_str() : nullptr, method };
    if (model == nullptr || result == nullptr)
        return fail(err, PROF_E_INVALID, doing, "%s is NULL", model == nullptr ? "model" : "result");
    return guarded(err, PROF_E_INVALID, doing, [&]() -> prof_status {
        const c10::InferenceMode inference;
        const auto found = model->module.find_method(method != nullptr ? method : "forward");
        if (!found)
            return fail(err, PROF_E_NOT_FOUND, doing, "it has no method %s; it has: %s",
                        method != nullptr ? "of this name" : "'forward'", method_list(model->module).c_str());
        arguments given;
        if (prof_status status = arguments_read(inputs, input_count, model->device, &given, doing, err))
            return status;
        *result = call(*found, &given);
        return PROF_OK;
    });
}
