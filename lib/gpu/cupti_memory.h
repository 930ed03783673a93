/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the driver hands out, by CUPTI's memory records, as pools of
 * record/levels.h: "cuda:0" and so on for each device, "cuda.managed" for
 * memory that belongs to none, "cuda.pinned" for main memory.
 *
 *     allocated   cudaMalloc() and the like, arrays, static variables, and blocks of cudaMallocAsync()
 *     reserved    the same, but of cudaMallocAsync() what its pools hold
 *
 * A framework's own allocator takes its segments from the driver, so they are
 * allocated here; what of them it hands out is in its own pool.
 *
 * Records come in any order, some long after; so they are kept until it is
 * said what is complete.  Not counted: what was allocated before it began, and
 * so before it began anew, and physical memory that is mapped by cuMemMap(), of
 * which CUPTI does not tell.  Knows no header of CUPTI: who decodes its buffers fills in
 * the struct below.
 */
#ifndef PROFI_CUPTI_MEMORY_H
#define PROFI_CUPTI_MEMORY_H

#include "../base/base.h"

enum { PROFI_CUDA_DEVICES = 8 }; /* of those from there on nothing is told */

/* Values are CUPTI's: CUpti_ActivityMemoryKind, …OperationType, …PoolOperationType. */
enum { PROFI_CUPTI_PINNED = 2, PROFI_CUPTI_DEVICE = 3, PROFI_CUPTI_ARRAY = 4, PROFI_CUPTI_MANAGED = 5,
       PROFI_CUPTI_DEVICE_STATIC = 6, PROFI_CUPTI_MANAGED_STATIC = 7 };
enum { PROFI_CUPTI_ALLOCATE = 1, PROFI_CUPTI_RELEASE = 2 };
enum { PROFI_CUPTI_POOL_CREATED = 1, PROFI_CUPTI_POOL_DESTROYED = 2, PROFI_CUPTI_POOL_TRIMMED = 3 };

/* CUpti_ActivityMemory2 to 4, and CUpti_ActivityMemoryPool and 2. */
typedef struct profi_cupti_memory {
    uint64_t tick;         /* of our clock */
    uint64_t address, bytes; /* of a pool: its address */
    uint32_t is_pool;      /* it is of a pool, and no block's */
    uint32_t kind, operation;
    uint32_t device;
    /* Of a block of a local pool (PROFI_CUPTI_POOL_TYPE_LOCAL), and of a pool. */
    uint32_t has_pool;
    uint64_t pool_address, pool_bytes; /* what the pool holds afterwards */
} profi_cupti_memory;

/* Opens the pools of so many devices, which hold nothing as of now.  Any thread; so are those below. */
void profi_cupti_memory_start(unsigned device_count);

/* Nothing is told from `tick` on: what the pools hold is forgotten. */
void profi_cupti_memory_end(uint64_t tick);

/* Whether these pools are called so, and no others may be. */
int profi_cupti_memory_has_name(const char *name);

/* Keeps a record. */
void profi_cupti_memory_add(const profi_cupti_memory *record);

/* All records of before `tick` have come: they are put in order, and their pools are told. */
void profi_cupti_memory_complete(uint64_t tick);

/* CUPTI has lost records: from `tick` on nobody knows what is allocated. */
void profi_cupti_memory_dropped(uint64_t tick);

/* In a forked child, which has none of its parent's GPU memory. */
void profi_cupti_memory_forget(void);

typedef struct profi_cupti_memory_stats {
    uint64_t record_count, dropped_count;
    uint64_t unknown_release_count; /* of blocks that were there before the first record */
} profi_cupti_memory_stats;
profi_cupti_memory_stats profi_cupti_memory_stats_now(void);

#endif
