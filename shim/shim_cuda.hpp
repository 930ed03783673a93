/* SPDX-License-Identifier: Apache-2.0 */
/* What libtorch allocates on GPUs: see shim_cuda.cpp. */
#ifndef SHIM_CUDA_HPP
#define SHIM_CUDA_HPP

#include <profcore/torch.h>

namespace profi_torch {

/* Has it told from the moment on when the program has libtorch's CUDA in use; nothing is initialised for it. */
prof_status await_cuda_memory(prof_error *err);

} // namespace profi_torch

#endif
