/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CUDA's driver, where the process has loaded it: whether CUDA is in use, and
 * waiting for the GPU.  Needs no header of CUDA's.
 *
 * CUDA is neither loaded nor initialised for any of it, nor a context made: a
 * process that forks workers may not do that for them.
 */
#ifndef PROFI_GPU_DRIVER_H
#define PROFI_GPU_DRIVER_H

#include "../base/base.h"

enum { PROFI_GPU_REASON = 256 };

typedef enum profi_gpu_found {
    PROFI_GPU_NOT_YET, /* CUDA is not in use by this process, as far as it is known */
    PROFI_GPU_RUNS,
    PROFI_GPU_FAILED   /* and it will not do to try again */
} profi_gpu_found;

/* Whether the process uses CUDA and has devices; else `reason` receives why not.  Any thread, as of all that follows. */
profi_gpu_found profi_driver_look(char reason[PROFI_GPU_REASON]);

/* As many devices as that found. */
unsigned profi_driver_device_count(void);

/* Whether the process has loaded it. */
int profi_driver_is_loaded(void);

/* Waits for all work of the calling thread's CUDA context; nothing where there is none. */
void profi_driver_wait(void);

/*
 * Whether each such wait so far was one: at least one has come about, and
 * none was refused, as during the capture of a graph.
 */
int profi_driver_has_waited(void);

/* Around a fork; and in the child, which has not waited. */
void profi_driver_before_fork(void);
void profi_driver_after_fork(void);
void profi_driver_forget(void);

#endif
