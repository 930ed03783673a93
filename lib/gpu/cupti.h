/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CUPTI, NVIDIA's tracing interface, as a source of GPU work: launches by its
 * callbacks, kernels, copies and sets by its activity records.
 *
 * It has one user at a time.  Where another tool has it, it stays that tool's.
 */
#ifndef PROFI_GPU_CUPTI_H
#define PROFI_GPU_CUPTI_H

#include "driver.h"

/* Begins to trace, in a process that uses CUDA: profi_driver_look().  One caller at a time, as of all that follows but for the last. */
profi_gpu_found profi_cupti_start(char reason[PROFI_GPU_REASON]);

/* What a flush is for. */
typedef enum profi_cupti_need {
    PROFI_CUPTI_REGULAR, /* the next one is to come soon */
    PROFI_CUPTI_SHOWN,   /* a snapshot is to show what is complete by now, also of memory */
    PROFI_CUPTI_LAST     /* nothing is asked for later: also what shares a buffer with work that is not complete, which is lost */
} profi_cupti_need;

/* Asks for what is complete by now; it has come when this returns. */
void profi_cupti_flush(profi_cupti_need need);

/* Stops tracing for a while, or goes on; CUPTI stays ours. */
profi_gpu_found profi_cupti_pause(int yes, char reason[PROFI_GPU_REASON]);

/* Ends tracing and gives CUPTI free for others. */
void profi_cupti_stop(void);

/* Whether another tool in this process has put itself in our place, as far as that can be told by now; `reason` says it. */
int profi_cupti_is_taken(char reason[PROFI_GPU_REASON]);

/* Ends what is ours then, and counts what was lost, a launch each.  What the other may trace as well stays enabled. */
void profi_cupti_leave(void);

/* In a forked child, which has no part in its parent's. */
void profi_cupti_forget(void);

/* CUPTI's version, or 0 while it is not loaded. */
uint32_t profi_cupti_version(void);

#endif
