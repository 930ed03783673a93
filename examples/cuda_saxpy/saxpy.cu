/* SPDX-License-Identifier: Apache-2.0 */
/* y = a x + y on a GPU: see saxpy.h. */
#include "saxpy.h"

__global__ void saxpy(size_t count, float a, const float *x, float *y)
{
    const size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count)
        y[i] = a * x[i] + y[i];
}

cudaError_t saxpy_launch(size_t count, float a, const float *x, float *y, cudaStream_t stream)
{
    const unsigned threads = 256;
    saxpy<<<(unsigned)((count + threads - 1) / threads), threads, 0, stream>>>(count, a, x, y);
    return cudaGetLastError();
}
