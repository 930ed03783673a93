/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See level_log.h.  A boundary costs the clock and a store of 16 bytes.  A
 * thread's moments never go back, and its changes of pools count among them,
 * so what one thread does stays in its order also where the clock stands.
 *
 * A thread may be switched out between its moment and the store, and the sweep
 * may have gone on when the boundary shows up.  It is put in order there: its
 * begin or end had not returned, so any moment up to then is as good.
 */
#include "level_log.h"

#include "../base/clock.h"
#include "../base/region.h"
#include "../base/system.h"
#include "cold.h"
#include "contexts.h"
#include "levels.h"

#include <pthread.h>

/* Chunks take at most so much of the region. */
enum { SHARE_OF_REGION = 16 };

uint32_t profi_levels_are_told;
__thread uint64_t profi_level_last_tick;
__thread uint32_t profi_level_open_change;

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static profi_level_log *logs; /* newest first */
static uint64_t chunk_count;
static uint64_t lost_calls;

uint64_t profi_level_chunk_count(void) { return PROFI_GET(chunk_count); }
uint64_t profi_levels_lost_calls(void) { return PROFI_GET(lost_calls); }
uint64_t profi_level_chunks_most(void) { return profi_region_limit() / SHARE_OF_REGION / PROFI_LEVEL_CHUNK; }

/* ---- the writer's ---- */

static profi_level_chunk *new_chunk(void)
{
    if (__atomic_add_fetch(&chunk_count, 1u, __ATOMIC_RELAXED) <= profi_level_chunks_most()) {
        profi_level_chunk *chunk = profi_region_alloc(sizeof(*chunk), PROFI_REGION_TREE);
        if (chunk != NULL)
            return chunk;
    }
    __atomic_fetch_sub(&chunk_count, 1u, __ATOMIC_RELAXED);
    return NULL;
}

static void free_chunk(profi_level_chunk *chunk)
{
    profi_region_free(chunk, sizeof(*chunk), PROFI_REGION_TREE);
    __atomic_fetch_sub(&chunk_count, 1u, __ATOMIC_RELAXED);
}

static profi_level_log *make_log(void)
{
    profi_level_log *log = profi_region_alloc(sizeof(*log), PROFI_REGION_TREE);
    profi_level_chunk *chunk = log != NULL ? new_chunk() : NULL;
    if (chunk == NULL) {
        profi_region_free(log, sizeof(*log), PROFI_REGION_TREE);
        return NULL;
    }
    log->first = log->last = chunk;
    pthread_mutex_lock(&list_lock);
    log->next = logs;
    __atomic_store_n(&logs, log, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&list_lock);
    return log;
}

/* A chunk with room behind the last, which is full; NULL: there is none. */
static profi_level_chunk *turn(profi_level_log *log)
{
    PROFI_NO_CANCELLATION;
    profi_thread *self = profi_step_away();
    profi_levels_sweep_some();
    profi_level_chunk *chunk = new_chunk();
    if (chunk != NULL) {
        __atomic_store_n(&log->last->next, chunk, __ATOMIC_RELEASE);
        log->last = chunk;
    }
    profi_come_back(self);
    return chunk;
}

/* 0: it is lost, for there is no memory, or a signal handler's call came while one was being written. */
static int write_bound(profi_level_log *log, uint32_t context, uint32_t depth)
{
    if (PROFI_GET(log->is_writing))
        return 0;
    profi_level_chunk *chunk = log->last;
    if (PROFI_UNLIKELY(PROFI_GET(chunk->count) == PROFI_CHUNK_BOUNDS) && (chunk = turn(log)) == NULL)
        return 0;
    PROFI_PUT(log->is_writing, 1u);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    uint64_t count = PROFI_GET(chunk->count);
    if (PROFI_LIKELY(count < PROFI_CHUNK_BOUNDS)) { /* else a handler has taken the last place a moment ago */
        uint64_t tick = profi_max_u64(profi_clock_now(), profi_level_last_tick);
        chunk->bounds[count] = (profi_level_bound){ tick, context, depth };
        PROFI_RELEASE(chunk->count, count + 1);
        profi_level_last_tick = tick;
    }
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    PROFI_PUT(log->is_writing, 0u);
    return count < PROFI_CHUNK_BOUNDS;
}

static PROFI_COLD void prepare(profi_thread *self, profi_node *node)
{
    PROFI_NO_CANCELLATION;
    profi_step_away();
    if (self->level_log == NULL)
        self->level_log = make_log();
    profi_context_of(node);
    profi_come_back(self);
}

static uint32_t lose(uint32_t context)
{
    __atomic_fetch_add(&lost_calls, 1u, __ATOMIC_RELAXED);
    if (context != PROFI_CONTEXT_NONE)
        profi_context_lose_call(context);
    return 0;
}

static PROFI_COLD void settle_own(profi_thread *self)
{
    PROFI_NO_CANCELLATION;
    profi_step_away();
    profi_pool_settle(profi_level_open_change - 1);
    profi_come_back(self);
}

uint32_t profi_level_begin(profi_thread *self, profi_node *node)
{
    if (!PROFI_GET(profi_levels_are_told))
        return 0;
    if (PROFI_UNLIKELY(profi_level_open_change != 0))
        settle_own(self);
    if (PROFI_UNLIKELY(self->level_log == NULL || node->context == PROFI_CONTEXT_NONE))
        prepare(self, node);
    profi_level_log *log = self->level_log;
    uint32_t depth = log != NULL ? log->depth + 1 : 0;
    if (log == NULL || node->context == PROFI_CONTEXT_LOST || depth > PROFI_LEVEL_DEPTH || !write_bound(log, node->context, depth))
        return lose(node->context);
    log->depth = depth;
    return depth;
}

void profi_level_end(profi_thread *self, uint32_t context, uint32_t depth)
{
    profi_level_log *log = self->level_log;
    if (PROFI_UNLIKELY(profi_level_open_change != 0))
        settle_own(self);
    if (log == NULL) /* a fork came between */
        return;
    log->depth = depth - 1;
    if (!write_bound(log, context, depth | PROFI_BOUND_IS_END)) /* the next boundary tells that it is missing */
        __atomic_fetch_add(&lost_calls, 1u, __ATOMIC_RELAXED);
}

void profi_level_thread_over(profi_thread *self)
{
    if (self->level_log != NULL)
        PROFI_RELEASE(self->level_log->is_over, 1u);
    self->level_log = NULL;
}

/* ---- the reader's ---- */

profi_level_log *profi_level_logs(void) { return __atomic_load_n(&logs, __ATOMIC_ACQUIRE); }

const profi_level_bound *profi_level_log_next(profi_level_log *log)
{
    if (log->read == PROFI_CHUNK_BOUNDS) {
        profi_level_chunk *full = log->first, *next = __atomic_load_n(&full->next, __ATOMIC_ACQUIRE);
        if (next == NULL)
            return NULL;
        log->first = next;
        log->read = 0;
        free_chunk(full);
    }
    return log->read < PROFI_ACQUIRE(log->first->count) ? &log->first->bounds[log->read] : NULL;
}

void profi_level_log_take(profi_level_log *log) { log->read++; }

void profi_level_log_drop(profi_level_log *log)
{
    pthread_mutex_lock(&list_lock);
    profi_level_log **link = &logs;
    while (*link != log)
        link = &(*link)->next;
    __atomic_store_n(link, log->next, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&list_lock);
    free_chunk(log->first);
    profi_region_free(log, sizeof(*log), PROFI_REGION_TREE);
}

void profi_level_logs_forget(int is_new_region)
{
    for (profi_level_log *log = logs, *next; log != NULL && !is_new_region; log = next) {
        next = log->next;
        for (profi_level_chunk *chunk = log->first, *after; chunk != NULL; chunk = after) {
            after = chunk->next;
            free_chunk(chunk);
        }
        profi_region_free(log, sizeof(*log), PROFI_REGION_TREE);
    }
    logs = NULL;
    chunk_count = lost_calls = 0;
    profi_level_open_change = 0;
}

void profi_level_logs_lock(void) { pthread_mutex_lock(&list_lock); }
void profi_level_logs_unlock(void) { pthread_mutex_unlock(&list_lock); }
