/* SPDX-License-Identifier: Apache-2.0 */
/* The block of the table for people that shows what a GPU did for each function. */
#ifndef PROFI_TEXT_GPU_H
#define PROFI_TEXT_GPU_H

#include "../base/output.h"
#include "../model/snapshot.h"

/* The run's, or why there is none; returns whether functions' lines follow. */
int profi_text_gpu_heading(profi_output *out, const prof_snapshot *snapshot);

/* A function's line up to its name, of a run that was traced or not; 0, and nothing is written, when it launched nothing. */
int profi_text_gpu_line(profi_output *out, const profi_function *function, int is_traced);

#endif
