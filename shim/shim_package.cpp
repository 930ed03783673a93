/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packages that AOTInductor compiled: see shim_package.hpp.
 *
 * The loader unpacks to a folder of its own under /tmp, which it removes when
 * the package is closed: a process that a signal ends would leave it there, with
 * all weights.  So we remove it as soon as nothing is read from it any more.  It
 * writes to whatever names the archive has, and
 * would start a compiler for a package without a library: the archive has
 * been judged, and such packages are refused, before it sees the file.
 */
#include "shim_operators.hpp"
#include "shim_package.hpp"

#ifdef PROFI_TORCH_PACKAGES
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

#include <filesystem>
#include <link.h>
#include <mutex>
#include <system_error>
#include <thread>
#include <type_traits>
#endif
#include <torch/version.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <string>

namespace profi_torch {

namespace {

/* Where packages have their models; the oldest have no folder around everything, so that ours is the first part. */
std::string models_folder(const archive &contents)
{
    return contents.folder == "data" ? "aotinductor/" : "data/aotinductor/";
}

bool starts_with(const std::string &text, const std::string &start)
{
    return text.compare(0, start.size(), start) == 0;
}

#ifdef PROFI_TORCH_PACKAGES

using loader = torch::inductor::AOTIModelPackageLoader;

/* The name of the model to load: "model" as the exporter calls it, or the only one that there is. */
prof_status name_choose(const archive &contents, std::string *name, const task &doing, prof_error *err)
{
    const std::string folder = models_folder(contents);
    std::set<std::string> names, loadable;
    for (const record &one : contents.records) {
        const size_t slash = one.name.find('/', folder.size());
        if (!starts_with(one.name, folder) || slash == std::string::npos)
            continue;
        names.insert(one.name.substr(folder.size(), slash - folder.size()));
        if (one.name.size() > 3 && one.name.compare(one.name.size() - 3, 3, ".so") == 0)
            loadable.insert(one.name.substr(folder.size(), slash - folder.size()));
    }
    if (names.count("model") == 0 && names.size() != 1)
        return fail(err, PROF_E_UNSUPPORTED, doing, "the package has %zu models, and none is called 'model'", names.size());
    *name = names.count("model") != 0 ? "model" : *names.begin();
    if (loadable.count(*name) == 0)
        return fail(err, PROF_E_FORMAT, doing, "the package has no shared library for its model '%.80s'", name->c_str());
    return PROF_OK;
}

/* Runs on one package wait for each other unless it has several runners, which share the weights. */
template <class Loader>
std::unique_ptr<Loader> make(const std::string &path, const std::string &name, const c10::Device &device)
{
    const size_t runner_count = std::min<size_t>(16, std::max(1u, std::thread::hardware_concurrency()));
    if constexpr (std::is_constructible_v<Loader, std::string, std::string, bool, size_t, c10::DeviceIndex>)
        return std::make_unique<Loader>(path, name, false, runner_count,
                                        device.is_cuda() ? device.index() : static_cast<c10::DeviceIndex>(-1));
    else if constexpr (std::is_constructible_v<Loader, std::string, std::string, bool, size_t>)
        return std::make_unique<Loader>(path, name, false, runner_count);
    else
        return std::make_unique<Loader>(path, name);
}

/* The folders under /tmp that libraries of packages were loaded from. */
std::set<std::string> unpacked_folders()
{
    std::set<std::string> found;
    dl_iterate_phdr(
        [](dl_phdr_info *library, size_t, void *into) {
            static const std::string start = "/tmp/aotinductor_";
            const std::string path = library->dlpi_name != nullptr ? library->dlpi_name : "";
            const size_t end = path.find('/', start.size());
            if (starts_with(path, start) && end != std::string::npos)
                static_cast<std::set<std::string> *>(into)->insert(path.substr(0, end));
            return 0;
        },
        &found);
    return found;
}

/* What a package for a processor was unpacked to; of those for GPUs kernels are read later.  Two at once: another opens one, beside us. */
void remove_unpacked(const std::set<std::string> &before)
{
    std::set<std::string> added;
    for (const std::string &folder : unpacked_folders())
        if (before.count(folder) == 0)
            added.insert(folder);
    std::error_code ignored;
    if (added.size() == 1)
        std::filesystem::remove_all(*added.begin(), ignored);
}

class compiled : public package {
public:
    compiled(const char *path, const std::string &name, const c10::Device &device)
        : loader_(make<loader>(path, name, device))
    {
    }

    std::vector<at::Tensor> run(const std::vector<at::Tensor> &inputs) override { return loader_->run(inputs); }

    std::string device() { return loader_->get_metadata()["AOTI_DEVICE_KEY"]; }

private:
    std::unique_ptr<loader> loader_;
};

#endif

} // namespace

bool is_package(const archive &contents)
{
    const std::string folder = models_folder(contents);
    return std::any_of(contents.records.begin(), contents.records.end(),
                       [&](const record &one) { return starts_with(one.name, folder); });
}

#ifdef PROFI_TORCH_PACKAGES

prof_status package_open(const char *path, const archive &contents, bool is_asked, c10::Device *device,
                         std::shared_ptr<package> *opened, const task &doing, prof_error *err)
{
    std::string name;
    if (prof_status status = name_choose(contents, &name, doing, err))
        return status;
    /* Without this the compiled code believes shapes and types, and reads beyond what it is given. */
    setenv("AOTI_RUNTIME_CHECK_INPUTS", "1", 0);
    runners_record(); /* so that operators may be asked for later */
    static std::mutex one_at_a_time; /* whose folder is the new one? */
    std::unique_lock<std::mutex> locked(one_at_a_time);
    const std::set<std::string> before = unpacked_folders();
    auto made = std::make_shared<compiled>(path, name, *device);
    const std::string device_name = made->device();
    if (device_name == "cpu")
        remove_unpacked(before);
    locked.unlock();
    c10::Device compiled_for(c10::kCPU);
    if (starts_with(device_name, "cuda"))
        compiled_for = c10::Device(c10::kCUDA, device->is_cuda() ? device->index() : static_cast<c10::DeviceIndex>(0));
    else if (device_name != "cpu")
        return fail(err, PROF_E_UNSUPPORTED, doing, "the package was compiled for '%.40s'", device_name.c_str());
    if (is_asked && device->type() != compiled_for.type())
        return fail(err, PROF_E_UNSUPPORTED, doing, "the package was compiled for '%.40s', and runs nowhere else",
                    device_name.c_str());
    *device = compiled_for;
    *opened = std::move(made);
    return PROF_OK;
}

#else

prof_status package_open(const char *, const archive &, bool, c10::Device *, std::shared_ptr<package> *,
                         const task &doing, prof_error *err)
{
    return fail(err, PROF_E_UNSUPPORTED, doing,
                "it is a package that AOTInductor compiled: libtorch 2.6 or later is needed, and this is %s",
                TORCH_VERSION);
}

#endif

} // namespace profi_torch
