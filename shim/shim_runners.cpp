/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs of AOTInductor's packages as scopes: "AOTInductor: model".
 *
 * libtorch tells no callback of them.  But it makes what runs a package by a
 * table, for other backends to enter theirs: there, what makes one for CPUs
 * is replaced by ours, whose runners differ in the scope alone.  So all loaders
 * in the process have them: libtorch's own, Python's and this library's.
 */
#include "shim_operators.hpp"

#ifdef PROFI_TORCH_RUNNERS
#include <torch/csrc/inductor/aoti_runner/model_container_runner_cpu.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

/* The folder of a package's model is called as the model, "model" unless the exporter gave it another name. */
std::string name_of(const std::string &library)
{
    const size_t end = library.rfind('/'), begin = end != std::string::npos && end > 0 ? library.rfind('/', end - 1) : end;
    return begin != std::string::npos && begin < end ? library.substr(begin + 1, end - begin - 1).substr(0, 180) : "?";
}

class recorded_runner final : public torch::inductor::AOTIModelContainerRunnerCpu {
public:
    recorded_runner(const std::string &library, size_t count, bool is_single_threaded)
        : AOTIModelContainerRunnerCpu(library, count, is_single_threaded), name_("AOTInductor: " + name_of(library))
    {
    }

protected:
    std::vector<at::Tensor> run_impl(std::vector<AtenTensorHandle> &inputs, void *stream) override
    {
        const profi_torch::operator_scope scope(name_.c_str());
        return AOTIModelContainerRunnerCpu::run_impl(inputs, stream);
    }

private:
    const std::string name_;
};

std::unique_ptr<torch::inductor::AOTIModelContainerRunner> make(const std::string &library, size_t count, const std::string &device,
                                                               const std::string &, const bool is_single_threaded)
{
    if (device != "cpu")
        throw std::runtime_error("a runner for CPUs cannot run on '" + device + "'");
    return std::make_unique<recorded_runner>(library, count, is_single_threaded);
}

} // namespace

void profi_torch::runners_record()
{
    auto &makers = torch::inductor::getAOTIModelRunnerRegistry();
    const auto cpu = makers.find("cpu");
    if (cpu != makers.end()) /* its place stays: who opens a package at this moment gets the old or the new */
        __atomic_store_n(&cpu->second, &make, __ATOMIC_RELEASE);
}

#else

void profi_torch::runners_record() {}

#endif
