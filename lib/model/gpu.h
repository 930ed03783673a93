/* SPDX-License-Identifier: Apache-2.0 */
/* GPU work in a snapshot: the run's, and each function's. */
#ifndef PROFI_MODEL_GPU_H
#define PROFI_MODEL_GPU_H

#include "../base/base.h"
#include "../base/clock.h"
#include <profcore/gpu.h>

typedef struct profi_gpu_info {
    prof_gpu_state state;
    const char *reason;     /* why it is not on, or ""; in the snapshot's texts */
    int is_traced;          /* it was on at some time: there are figures */
    prof_gpu_totals totals;
    prof_gpu_work *works;   /* owned: one for each function */
} profi_gpu_info;

/* Fills it in: `function_of_site` has a function's number for each of the first `site_count` sites, or PROFI_NONE; 0 when memory is spent. */
int profi_recorded_gpu(prof_snapshot *snapshot, const uint32_t *function_of_site, size_t site_count, const profi_clock_scale *scale);

/* An empty one for a snapshot whose functions are known; NULL when memory is spent. */
profi_gpu_info *profi_gpu_info_new(prof_snapshot *snapshot);
void profi_gpu_info_free(profi_gpu_info *info); /* NULL is accepted */

/* What a function's calls launched; NULL where that is nothing. */
const prof_gpu_work *profi_gpu_work_of(const prof_snapshot *snapshot, uint32_t function);

#endif
