/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A service that a GPU works for, of the fakes in tests/fake_gpu: each
 * request copies 4 KiB in and launches six pairs of kernels, of 20 and 5 us,
 * one behind the other; it holds 1 MiB of the GPU's memory meanwhile.
 */
#include "../fake_gpu/fake_gpu.h"

#include <profcore/gpu.h>
#include <profcore/memory.h>
#include <profcore/prof.h>

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { REQUESTS = 40, LAYERS = 6, REQUEST_BYTES = 1 << 20, COPIED = 4096, GEMM_NS = 20000, SOFTMAX_NS = 5000, COPY_NS = 2000 };

static const fake_gpu *gpu;
static uint64_t is_free_at; /* the GPU, in nanoseconds */

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* When work that is launched now begins. */
static uint64_t next(uint64_t ns)
{
    uint64_t start = now() + 1000;
    if (start < is_free_at)
        start = is_free_at;
    is_free_at = start + ns;
    return start;
}

static void launch(const char *name, uint64_t ns)
{
    uint32_t id = gpu->call("cudaLaunchKernel");
    uint64_t start = next(ns);
    gpu->kernel(id, 0, 7, start, start + ns, name, 0);
}

static void copy_in(void)
{
    PROF_FUNCTION();
    uint32_t id = gpu->call("cudaMemcpyAsync");
    uint64_t start = next(COPY_NS);
    gpu->copy(id, 1, COPIED, start, start + COPY_NS);
}

static void layer(void)
{
    PROF_FUNCTION();
    launch("gemm", GEMM_NS);
    launch("softmax", SOFTMAX_NS);
}

static void request(void)
{
    PROF_FUNCTION_WITH(PROF_SITE_POOLS);
    gpu->memory(0, 0x1000, REQUEST_BYTES, now());
    copy_in();
    for (int i = 0; i < LAYERS; i++)
        layer();
    gpu->memory(1, 0x1000, REQUEST_BYTES, now());
}

int main(void)
{
    prof_error err = PROF_ERROR_INIT;
    fake_gpu_get get;
    dlopen("libcuda.so.1", RTLD_NOW);
    void *cupti = dlopen("libcupti.so.13", RTLD_NOW), *found = cupti != NULL ? dlsym(cupti, FAKE_GPU_GET) : NULL;
    if (found == NULL)
        return 1;
    memcpy(&get, &found, sizeof(get));
    gpu = get();
    if (prof_gpu_start(&err) != PROF_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    for (int i = 0; i < REQUESTS; i++)
        request();
    while (now() < is_free_at)
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    return 0;
}
