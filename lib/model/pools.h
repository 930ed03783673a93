/* SPDX-License-Identifier: Apache-2.0 */
/* Pools of memory that all threads share, and what calls had of them, as a snapshot has it: see record/levels.h. */
#ifndef PROFI_MODEL_POOLS_H
#define PROFI_MODEL_POOLS_H

#include "snapshot.h"

struct profi_record_copy;

/* Puts in order what was told: before the record is copied, so that each call that has figures is in the copy. */
void profi_recorded_pools_begin(void);

/*
 * Numbers the levels as probes of the snapshot, behind those that there are;
 * the bits of their numbers.  And adds what calls had of them, and the pools
 * themselves; 0 when the heap is spent.  Between the two functions and paths
 * are made.
 */
int profi_recorded_pools_number(prof_snapshot *snapshot, uint64_t *probes);
int profi_recorded_pools(prof_snapshot *snapshot, uint64_t probes, const uint32_t *function_of_site, size_t site_count);

#endif
