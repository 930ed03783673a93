/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See cupti_memory.h.  Blocks are remembered by their address, since what is
 * released does not say how much that was in every version, nor what of it was
 * a pool's.
 */
#include "cupti_memory.h"

#include "../base/array.h"
#include "../base/clock.h"
#include "../base/number_map.h"
#include "../base/probe_table.h"
#include "../record/levels.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORDS_MOST = 1 << 18, BLOCKS_FEW = 1 << 12, BLOCKS_MOST = 1 << 20, POOLS_OF_DRIVER = 64 };
enum { MANAGED = PROFI_CUDA_DEVICES, PINNED, TARGETS };

typedef struct kept {
    profi_cupti_memory of;
    uint64_t arrival;
} kept;

typedef struct block {
    uint64_t address, bytes; /* 0 bytes: it was released */
    uint32_t target, is_pooled;
} block;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned pools[TARGETS]; /* PROFI_POOLS_MOST: there is none */
static int is_started, has_pools; /* now; ever */
static uint64_t start_tick; /* what is of before is in no pool */
static kept *records;
static size_t record_count, record_room;
static uint64_t arrivals;
static profi_number_map by_address; /* of those that are allocated, and some that were: to their place in blocks[] */
static block *blocks;
static size_t block_count, block_room, tidy_at = BLOCKS_FEW;
static struct { uint64_t address, bytes; uint32_t device; } driver_pools[POOLS_OF_DRIVER];
static unsigned driver_pool_count;
static profi_cupti_memory_stats stats;

static void name_of(unsigned target, char name[PROFI_POOL_NAME_ROOM])
{
    snprintf(name, PROFI_POOL_NAME_ROOM, target == MANAGED ? "cuda.managed" : target == PINNED ? "cuda.pinned" : "cuda:%u", target);
}

int profi_cupti_memory_has_name(const char *name)
{
    char own[PROFI_POOL_NAME_ROOM];
    int is_own = 0;
    for (unsigned i = 0; i < TARGETS && !is_own; i++) {
        name_of(i, own);
        is_own = strcmp(name, own) == 0;
    }
    return is_own;
}

/* ---- under the lock ---- */

/* Nothing of before `tick` is to come. */
static void promise(uint64_t tick)
{
    for (unsigned i = 0; is_started && i < TARGETS; i++)
        if (pools[i] != PROFI_POOLS_MOST)
            profi_pool_promise(pools[i], tick);
}

static void begin(unsigned device_count)
{
    start_tick = profi_clock_now();
    for (unsigned i = 0; i < TARGETS; i++) {
        char name[PROFI_POOL_NAME_ROOM];
        name_of(i, name);
        pools[i] = i < device_count || i >= PROFI_CUDA_DEVICES ? profi_pool_of(name, 1) : PROFI_POOLS_MOST;
        if (pools[i] != PROFI_POOLS_MOST)
            start_tick = profi_max_u64(start_tick, profi_pool_begin(pools[i]));
    }
    is_started = has_pools = 1;
    promise(start_tick);
}

static void forget_blocks(void)
{
    record_count = block_count = 0;
    tidy_at = BLOCKS_FEW;
    driver_pool_count = 0;
    profi_number_map_fini(&by_address);
}

static void tell(unsigned target, uint64_t tick, int64_t allocated, int64_t reserved)
{
    if (pools[target] != PROFI_POOLS_MOST)
        profi_pool_change_at(pools[target], tick, allocated, reserved);
}

static void forget_from(uint64_t tick)
{
    for (unsigned i = 0; i < TARGETS; i++)
        if (pools[i] != PROFI_POOLS_MOST)
            profi_pool_lose_at(pools[i], tick);
}

static unsigned target_of(const profi_cupti_memory *record)
{
    switch (record->kind) {
    case PROFI_CUPTI_PINNED: return PINNED;
    case PROFI_CUPTI_MANAGED:
    case PROFI_CUPTI_MANAGED_STATIC: return MANAGED;
    case PROFI_CUPTI_DEVICE:
    case PROFI_CUPTI_ARRAY:
    case PROFI_CUPTI_DEVICE_STATIC: return record->device < PROFI_CUDA_DEVICES ? record->device : TARGETS;
    default: return TARGETS;
    }
}

/* What the pool of the driver holds now: the difference is reserved. */
static void note_driver_pool(uint64_t tick, uint64_t address, uint32_t device, uint64_t bytes)
{
    unsigned i = 0;
    if (device >= PROFI_CUDA_DEVICES)
        return;
    while (i < driver_pool_count && (driver_pools[i].address != address || driver_pools[i].device != device))
        i++;
    if (i == POOLS_OF_DRIVER) {
        forget_from(tick);
        return;
    }
    if (i == driver_pool_count) {
        driver_pools[driver_pool_count].bytes = 0;
        driver_pools[driver_pool_count].address = address;
        driver_pools[driver_pool_count++].device = device;
    }
    tell(device, tick, 0, (int64_t)(bytes - driver_pools[i].bytes));
    driver_pools[i].bytes = bytes;
}

/* Forgets what was released, so that a program may use any number of addresses, one after the other. */
static void tidy(void)
{
    profi_number_map live = { .slots = NULL };
    size_t kept_count = 0;
    for (size_t i = 0; i < block_count; i++)
        if (blocks[i].bytes != 0 && !profi_number_map_put(&live, 0, blocks[i].address, (uint32_t)kept_count++)) {
            profi_number_map_fini(&live); /* memory is spent: all stays as it was */
            return;
        }
    kept_count = 0;
    for (size_t i = 0; i < block_count; i++)
        if (blocks[i].bytes != 0)
            blocks[kept_count++] = blocks[i];
    profi_number_map_fini(&by_address);
    by_address = live;
    block_count = kept_count;
    tidy_at = profi_max_u64(BLOCKS_FEW, 2 * kept_count);
}

/* Addresses are one space for all devices; main memory that was registered may be in several, which is one block. */
static block *block_at(uint64_t address, int is_made)
{
    uint32_t number = profi_number_map_find(&by_address, 0, address);
    if (number != UINT32_MAX || !is_made)
        return number != UINT32_MAX ? &blocks[number] : NULL;
    if (block_count >= tidy_at)
        tidy();
    if (block_count == BLOCKS_MOST || !profi_array_grow(&blocks, &block_room, block_count, sizeof(*blocks)) ||
        !profi_number_map_put(&by_address, 0, address, (uint32_t)block_count))
        return NULL;
    blocks[block_count] = (block){ .address = address };
    return &blocks[block_count++];
}

static void release(const profi_cupti_memory *record, block *freed)
{
    tell(freed->target, record->tick, -(int64_t)freed->bytes, freed->is_pooled ? 0 : -(int64_t)freed->bytes);
    freed->bytes = 0;
}

static void apply_block(const profi_cupti_memory *record)
{
    unsigned target = target_of(record);
    if (target == TARGETS)
        return;
    block *at = block_at(record->address, record->operation == PROFI_CUPTI_ALLOCATE);
    if (record->operation == PROFI_CUPTI_ALLOCATE && at == NULL) {
        stats.dropped_count++;
        forget_from(record->tick);
    } else if (record->operation == PROFI_CUPTI_ALLOCATE) {
        release(record, at); /* an address that is handed out anew was released */
        *at = (block){ .address = record->address, .bytes = record->bytes, .target = target, .is_pooled = record->has_pool };
        tell(target, record->tick, (int64_t)at->bytes, at->is_pooled ? 0 : (int64_t)at->bytes);
    } else if (at != NULL && at->bytes != 0) {
        release(record, at);
    } else {
        stats.unknown_release_count++;
    }
    if (record->has_pool)
        note_driver_pool(record->tick, record->pool_address, record->device, record->pool_bytes);
}

static void apply(const profi_cupti_memory *record)
{
    if (!record->is_pool)
        apply_block(record);
    else
        note_driver_pool(record->tick, record->address, record->device,
                         record->operation == PROFI_CUPTI_POOL_DESTROYED ? 0 : record->pool_bytes);
}

static int by_tick(const void *one, const void *other)
{
    const kept *a = one, *b = other;
    return a->of.tick != b->of.tick ? (a->of.tick > b->of.tick) - (a->of.tick < b->of.tick)
                                    : (a->arrival > b->arrival) - (a->arrival < b->arrival);
}

/* ---- any thread ---- */

void profi_cupti_memory_start(unsigned device_count)
{
    pthread_mutex_lock(&lock);
    if (!is_started)
        begin(device_count);
    pthread_mutex_unlock(&lock);
    profi_probe_wish_all(PROF_SITE_POOLS, 0);
}

void profi_cupti_memory_end(uint64_t tick)
{
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; is_started && i < TARGETS; i++)
        if (pools[i] != PROFI_POOLS_MOST)
            profi_pool_end(pools[i], tick);
    is_started = 0;
    forget_blocks();
    pthread_mutex_unlock(&lock);
}

void profi_cupti_memory_add(const profi_cupti_memory *record)
{
    pthread_mutex_lock(&lock);
    stats.record_count++;
    if (!is_started || record->tick < start_tick) {
        stats.dropped_count++;
    } else if (record_count < RECORDS_MOST && profi_array_grow(&records, &record_room, record_count, sizeof(*records))) {
        records[record_count++] = (kept){ *record, arrivals++ };
    } else {
        stats.dropped_count++;
        forget_from(record->tick);
    }
    pthread_mutex_unlock(&lock);
}

void profi_cupti_memory_complete(uint64_t tick)
{
    size_t done = 0;
    pthread_mutex_lock(&lock);
    if (record_count != 0)
        qsort(records, record_count, sizeof(*records), by_tick);
    while (done < record_count && records[done].of.tick < tick)
        apply(&records[done++].of);
    for (size_t i = done; i < record_count; i++)
        records[i - done] = records[i];
    record_count -= done;
    promise(tick);
    pthread_mutex_unlock(&lock);
}

void profi_cupti_memory_dropped(uint64_t tick)
{
    pthread_mutex_lock(&lock);
    stats.dropped_count++;
    if (is_started)
        forget_from(tick);
    pthread_mutex_unlock(&lock);
}

profi_cupti_memory_stats profi_cupti_memory_stats_now(void)
{
    pthread_mutex_lock(&lock);
    profi_cupti_memory_stats now = stats;
    pthread_mutex_unlock(&lock);
    return now;
}

void profi_cupti_memory_forget(void)
{
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER; /* a thread of CUPTI's may have held it */
    for (unsigned i = 0; has_pools && i < TARGETS; i++)
        if (pools[i] != PROFI_POOLS_MOST)
            profi_pool_forget(pools[i]);
    is_started = 0;
    forget_blocks();
    stats = (profi_cupti_memory_stats){ 0 };
}
