/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A GPU that is none: the functions by which a test tells the fake libcupti
 * what happens.  The fakes are found by dlopen() as the real libraries are.
 *
 * What the fakes answer is set in the environment, before they are loaded:
 *
 *     FAKE_CUPTI_VERSION     what cuptiGetVersion() tells; 130001
 *     FAKE_CUPTI_TAKEN       1: another tool has it
 *     FAKE_CUPTI_REFUSES     a function, such as cuptiActivityEnable, that fails
 *     FAKE_CUDA_DEVICES      how many; 1
 *     FAKE_CUDA_UNUSED       1: the process has not called cuInit()
 */
#ifndef FAKE_GPU_H
#define FAKE_GPU_H

#include <stddef.h>
#include <stdint.h>

typedef struct fake_gpu {
    /* A call of a function of the runtime, such as "cudaLaunchKernel": its correlation id. */
    uint32_t (*call)(const char *function);
    /* Work that is over, in nanoseconds, or with the end 0 is not; it waits until it is delivered. */
    void (*kernel)(uint32_t correlation, uint32_t device, uint32_t stream, uint64_t start, uint64_t end, const char *name,
                   uint64_t graph_node);
    void (*copy)(uint32_t correlation, unsigned way, uint64_t bytes, uint64_t start, uint64_t end);
    void (*set)(uint32_t correlation, uint64_t bytes, uint64_t start, uint64_t end);
    /* cudaMalloc() and cudaFree() on device 0. */
    void (*memory)(int is_free, uint64_t address, uint64_t bytes, uint64_t timestamp);
    void (*wait)(uint32_t correlation, uint64_t start, uint64_t end); /* of a thread, for the GPU */
    /* Hands over what waits, in buffers of so many records at most, 0: as many as fit; the last first if `backwards`. */
    void (*deliver)(unsigned records_most, int backwards);
    /* Whether cuptiActivityFlushAll() delivers without force, which it does unless told otherwise: as while some work is not over. */
    void (*deliver_on_flush)(int yes);
    /* From now on this function fails, as with FAKE_CUPTI_REFUSES. */
    void (*refuse)(const char *function);
    /* Another tool registers its buffers, which get what is delivered from now on. */
    void (*rival)(void);
    /* From now on flushes do not return, until told otherwise; and how many are in the middle of it. */
    void (*hold_flushes)(int yes);
    unsigned (*flushes_held)(void);
    /* What the library has asked for. */
    unsigned (*subscribers)(void);
    unsigned (*enabled_kinds)(void);
    unsigned (*enabled_functions)(void);
    unsigned (*buffers_out)(void); /* given to the fake and not handed over */
    uint64_t (*clock)(void);       /* what the registered clock says; 0: none is */
} fake_gpu;

/* The fake libcuda has functions of its own: fake_cuda_waits(), how often it was waited for; fake_cuda_use(), whether cuInit() was called;
   fake_cuda_refuse_waits(), whether cuCtxSynchronize() fails. */

/* In the fake libcupti. */
typedef const fake_gpu *(*fake_gpu_get)(void);
#define FAKE_GPU_GET "fake_gpu_get_1"

#endif
