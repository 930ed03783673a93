/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel, as a C program launches it. */
#ifndef CUDA_SAXPY_SAXPY_H
#define CUDA_SAXPY_SAXPY_H

#include <stddef.h>

#include <cuda_runtime_api.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One launch of y = a x + y over `count` elements on the device; the error of the launch, not of the kernel. */
cudaError_t saxpy_launch(size_t count, float a, const float *x, float *y, cudaStream_t stream);

#ifdef __cplusplus
}
#endif

#endif
