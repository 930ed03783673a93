/* SPDX-License-Identifier: Apache-2.0 */
/* The blocks of the table for people that show memory which all threads share: pools, such as a GPU's. */
#ifndef PROFI_TEXT_POOLS_H
#define PROFI_TEXT_POOLS_H

#include "../base/output.h"
#include "../model/snapshot.h"

/* Each pool as a whole. */
void profi_text_pools(profi_output *out, const prof_snapshot *snapshot);

/* Whether a probe is the first of a pool: a block of functions begins with it. */
int profi_text_pool_begins(const profi_probe_info *probe);

/* Begins that block; 0 when no function asked for it, or nothing was ever told of the pool. */
int profi_text_pool_heading(profi_output *out, const prof_snapshot *snapshot, uint32_t probe);

/* A function's line up to its name; 0, and nothing is written, when it did not ask. */
int profi_text_pool_line(profi_output *out, const prof_snapshot *snapshot, uint32_t probe, const profi_function *function);

#endif
