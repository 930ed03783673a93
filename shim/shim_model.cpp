/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Models: open a TorchScript file, close it.
 *
 * What a model file is asked before libtorch sees it stands here; running
 * one is shim_run.cpp's.
 */
#include "shim_archive.hpp"
#include "shim_model.hpp"
#include "shim_pickle.hpp"
#include "shim_source.hpp"

#include <caffe2/serialize/inline_container.h>
#include <torch/csrc/jit/serialization/import.h>

#include <cerrno>
#include <map>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using profi_torch::device_parse;
using profi_torch::fail;
using profi_torch::guarded;
using profi_torch::task;

namespace {

prof_status fail_errno(prof_error *err, int number, const task &doing)
{
    char reason[128];
    const prof_status status = number == ENOENT || number == ENOTDIR ? PROF_E_NOT_FOUND
                               : number == ENOMEM                    ? PROF_E_NO_MEMORY
                                                                     : PROF_E_IO;
    return fail_text(err, status, doing, strerror_r(number, reason, sizeof(reason)));
}

class open_file {
public:
    explicit open_file(const char *path) : number(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
    ~open_file()
    {
        if (number >= 0)
            close(number);
    }
    open_file(const open_file &) = delete;
    open_file &operator=(const open_file &) = delete;

    const int number;
};

/* Says in the system's words why a file cannot be read, and in ours why it is no model; libtorch has one text for all. */
prof_status file_check(const char *path, profi_torch::archive *contents, const task &doing, prof_error *err)
{
    const open_file file(path);
    struct stat about;
    char start[8] = {};
    ssize_t bytes = 0;
    if (file.number < 0 || fstat(file.number, &about) != 0)
        return fail_errno(err, errno, doing);
    if (S_ISDIR(about.st_mode))
        return fail_errno(err, EISDIR, doing);
    if (!S_ISREG(about.st_mode))
        return fail(err, PROF_E_IO, doing, "it is not a regular file");
    if ((bytes = pread(file.number, start, sizeof(start), 0)) < 0)
        return fail_errno(err, errno, doing);
    if (bytes == 0)
        return fail(err, PROF_E_FORMAT, doing, "the file is empty");
    /* What has PTMF there libtorch takes for another format, which has no directory. */
    if (bytes < 8 || std::memcmp(start, "PK\3\4", 4) != 0 || std::memcmp(start + 4, "PTMF", 4) == 0)
        return fail(err, PROF_E_FORMAT, doing, "not a model file, which is a zip archive");
    return profi_torch::archive_read(file.number, static_cast<uint64_t>(about.st_size), contents, doing, err);
}

/* The names of the texts and files that were saved with a model. */
torch::jit::ExtraFilesMap extra_files_of(const profi_torch::archive &contents)
{
    static const char folder[] = "extra/";
    torch::jit::ExtraFilesMap files;
    for (const profi_torch::record &one : contents.records)
        if (one.name.size() >= sizeof(folder) && one.name.compare(0, sizeof(folder) - 1, folder) == 0)
            files.emplace(one.name.substr(sizeof(folder) - 1), "");
    return files;
}

c10::IValue dictionary_of(const torch::jit::ExtraFilesMap &files)
{
    std::map<std::string, std::string> sorted(files.begin(), files.end());
    c10::Dict<std::string, std::string> dictionary;
    for (const auto &one : sorted)
        dictionary.insert(one.first, one.second);
    return dictionary;
}

/* The same with their contents, for packages, whose loader does not give them. */
torch::jit::ExtraFilesMap extra_files_read(const char *path, const profi_torch::archive &contents)
{
    torch::jit::ExtraFilesMap files = extra_files_of(contents);
    if (files.empty())
        return files;
    caffe2::serialize::PyTorchStreamReader reader{ std::string(path) };
    for (auto &one : files) {
        const auto content = reader.getRecord("extra/" + one.first);
        one.second.assign(static_cast<const char *>(std::get<0>(content).get()), std::get<1>(content));
    }
    return files;
}

bool ends_with(const std::string &text, const std::string &end)
{
    return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

/* Whether libtorch reads a record as a pickle.  Not traced_inputs.pkl, whose tensors torch leaves out of the file. */
bool is_pickle_read(const std::string &name)
{
    return name == "data.pkl" || name == "constants.pkl" || ends_with(name, ".debug_pkl");
}

/* Holds what libtorch would believe of a script against the file. */
prof_status script_check(const char *path, const profi_torch::archive &contents, const task &doing, prof_error *err)
{
    for (const char *needed : { "data.pkl", "constants.pkl" })
        if (contents.find(needed) == nullptr)
            return fail(err, PROF_E_FORMAT, doing,
                        "it is a zip archive, but neither a TorchScript model nor an AOTInductor package: its folder "
                        "'%.80s' has no %s",
                        contents.folder.c_str(), needed);
    if (contents.find("model.json") != nullptr)
        return fail(err, PROF_E_FORMAT, doing, "it is of PyTorch's first format (model.json): save it anew");
    caffe2::serialize::PyTorchStreamReader reader{ std::string(path) };
    profi_torch::source_judge sources;
    for (const profi_torch::record &one : contents.records) {
        const char *name = one.name.c_str();
        const bool is_source = one.name.compare(0, 5, "code/") == 0 && ends_with(one.name, ".py");
        if (!is_source && !is_pickle_read(one.name))
            continue;
        const auto content = reader.getRecord(one.name);
        const void *data = std::get<0>(content).get();
        const size_t bytes = std::get<1>(content);
        if (prof_status status = is_source ? sources.add(one.name, data, bytes, doing, err)
                                           : profi_torch::pickle_check(contents, name, data, bytes, doing, err))
            return status;
    }
    return sources.finish(doing, err);
}

std::unique_ptr<prof_torch_model> script_open(const char *path, const c10::Device &device,
                                              const profi_torch::archive &contents)
{
    torch::jit::ExtraFilesMap files = extra_files_of(contents);
    std::unique_ptr<prof_torch_model> opened(
        new prof_torch_model(path, device, torch::jit::load(path, device, files)));
    opened->module.eval();
    opened->extra_files = dictionary_of(files);
    return opened;
}

} // namespace

namespace profi_torch {

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
    if (!has_cuda(index))
        return fail(err, PROF_E_UNSUPPORTED, doing,
                    "libtorch cannot use the device '%s': it was built without CUDA, or there is no such GPU", text);
    *device = c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(index));
    return PROF_OK;
}

std::string method_list(const prof_torch_model &model)
{
    if (model.package)
        return "'forward'";
    std::string list;
    for (const torch::jit::Method &method : model.module.get_methods())
        list += (list.empty() ? "'" : ", '") + method.name() + "'";
    return list.empty() ? "none" : list;
}

} // namespace profi_torch

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
        profi_torch::archive contents;
        if (prof_status status = file_check(path, &contents, doing, err))
            return status;
        std::unique_ptr<prof_torch_model> opened;
        if (profi_torch::is_package(contents)) {
            opened.reset(new prof_torch_model(path, device, torch::jit::Module()));
            opened->extra_files = dictionary_of(extra_files_read(path, contents));
            if (prof_status status = profi_torch::package_open(path, contents, chosen.device != nullptr,
                                                               &opened->device, &opened->package, doing, err))
                return status;
        } else if (prof_status status = script_check(path, contents, doing, err)) {
            return status;
        } else {
            opened = script_open(path, device, contents);
        }
        *model = opened.release();
        return PROF_OK;
    });
}

void prof_torch_model_close(prof_torch_model *model)
{
    if (!profi_torch::handle_check_aloud(model, "prof_torch_model_close"))
        return;
    int32_t none = 0; /* and from then on none gets hold of it */
    if (profi_torch::checks_lifetimes && model != nullptr && !model->use_count.compare_exchange_strong(none, -1))
        std::fprintf(stderr, "profcore: prof_torch_model_close: a call on the model is running; it stays open\n");
    else
        delete model;
}
