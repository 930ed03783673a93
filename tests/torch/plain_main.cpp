/* SPDX-License-Identifier: Apache-2.0 */
/* A service on libtorch that knows nothing of libprofcore: runs a TorchScript model, or a compiled package, so many times. */
#include <torch/script.h>
#ifdef PROFI_TORCH_PACKAGES
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>
#endif

#include <cstdlib>
#include <string>
#include <vector>

static int run_package(const char *path, int times)
{
#ifdef PROFI_TORCH_PACKAGES
    torch::inductor::AOTIModelPackageLoader model(path);
    for (int i = 0; i < times; i++)
        model.run({ torch::ones({ 2, 4 }), torch::ones({ 3 }) });
    return 0;
#else
    return path != nullptr && times > 0;
#endif
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    const std::string path = argv[1];
    const int times = std::atoi(argv[2]);
    const c10::InferenceMode inference;
    if (path.size() > 4 && path.compare(path.size() - 4, 4, ".pt2") == 0)
        return run_package(argv[1], times);
    torch::jit::script::Module model = torch::jit::load(path);
    for (int i = 0; i < times; i++)
        model.forward(std::vector<c10::IValue>{ torch::ones({ 2, 3 }) });
}
