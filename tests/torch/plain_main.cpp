/* SPDX-License-Identifier: Apache-2.0 */
/* A service on libtorch that knows nothing of libprofcore: runs a TorchScript model so many times. */
#include <torch/script.h>

#include <cstdlib>
#include <vector>

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    torch::jit::script::Module model = torch::jit::load(argv[1]);
    const c10::InferenceMode inference;
    for (int i = 0; i < std::atoi(argv[2]); i++)
        model.forward(std::vector<c10::IValue>{ torch::ones({ 2, 3 }) });
}
