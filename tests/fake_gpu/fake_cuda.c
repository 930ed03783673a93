/* SPDX-License-Identifier: Apache-2.0 */
/* A libcuda.so.1 with as many devices as the environment says, none of which does anything. */
#include <cuda.h>
#include <stdio.h>
#include <stdlib.h>

#undef cuDeviceGetCount

/* What a test says while threads run, which the environment does not bear: -1: nothing. */
static int is_used_now = -1, refuses_now;
void fake_cuda_use(int yes);
void fake_cuda_use(int yes) { __atomic_store_n(&is_used_now, yes, __ATOMIC_RELAXED); }
void fake_cuda_refuse_waits(int yes);
void fake_cuda_refuse_waits(int yes) { __atomic_store_n(&refuses_now, yes, __ATOMIC_RELAXED); }

static int is_unused(void)
{
    int told = __atomic_load_n(&is_used_now, __ATOMIC_RELAXED);
    if (told >= 0)
        return !told;
    const char *value = getenv("FAKE_CUDA_UNUSED");
    return value != NULL && value[0] == '1';
}

CUresult CUDAAPI cuInit(unsigned flags)
{
    (void)flags;
    unsetenv("FAKE_CUDA_UNUSED");
    return CUDA_SUCCESS;
}

CUresult CUDAAPI cuDriverGetVersion(int *version)
{
    *version = 13000;
    return CUDA_SUCCESS;
}

CUresult CUDAAPI cuDeviceGetCount(int *count)
{
    const char *devices = getenv("FAKE_CUDA_DEVICES");
    if (is_unused())
        return CUDA_ERROR_NOT_INITIALIZED;
    *count = devices != NULL ? atoi(devices) : 1;
    return *count != 0 ? CUDA_SUCCESS : CUDA_ERROR_NO_DEVICE;
}

CUresult CUDAAPI cuCtxGetCurrent(CUcontext *context)
{
    *context = (CUcontext)(uintptr_t)1;
    return is_unused() ? CUDA_ERROR_NOT_INITIALIZED : CUDA_SUCCESS;
}

static unsigned waits;
unsigned fake_cuda_waits(void);
unsigned fake_cuda_waits(void) { return waits; }

CUresult CUDAAPI cuCtxSynchronize(void)
{
    if (__atomic_load_n(&refuses_now, __ATOMIC_RELAXED)) /* as while a graph is captured */
        return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    __atomic_fetch_add(&waits, 1u, __ATOMIC_RELAXED);
    return CUDA_SUCCESS;
}

/* ---- primary contexts: FAKE_CUDA_ACTIVE names the device that has one, FAKE_CUDA_MEMORY what is free and how much there is ---- */

static int retained, pushed;

static int active_device(void)
{
    const char *value = getenv("FAKE_CUDA_ACTIVE");
    return value != NULL ? atoi(value) : -1;
}

CUresult CUDAAPI cuDeviceGet(CUdevice *device, int number)
{
    *device = number;
    return CUDA_SUCCESS;
}

CUresult CUDAAPI cuDevicePrimaryCtxGetState(CUdevice device, unsigned *flags, int *is_active)
{
    *flags = 0;
    *is_active = device == active_device();
    return CUDA_SUCCESS;
}

CUresult CUDAAPI cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device)
{
    if (device != active_device()) {
        fprintf(stderr, "fake: a context would have been made\n");
        abort();
    }
    retained++;
    *context = (CUcontext)(uintptr_t)(device + 1);
    return CUDA_SUCCESS;
}

CUresult CUDAAPI cuDevicePrimaryCtxRelease(CUdevice device)
{
    (void)device;
    retained--;
    return CUDA_SUCCESS;
}

CUresult CUDAAPI cuCtxPushCurrent(CUcontext context)
{
    (void)context;
    pushed++;
    return CUDA_SUCCESS;
}

CUresult CUDAAPI cuCtxPopCurrent(CUcontext *context)
{
    (void)context;
    pushed--;
    return CUDA_SUCCESS;
}

CUresult CUDAAPI cuMemGetInfo(size_t *free_bytes, size_t *total_bytes)
{
    const char *value = getenv("FAKE_CUDA_MEMORY");
    if (value == NULL || retained != 1 || pushed != 1 || sscanf(value, "%zu/%zu", free_bytes, total_bytes) != 2)
        return CUDA_ERROR_INVALID_CONTEXT;
    return CUDA_SUCCESS;
}
