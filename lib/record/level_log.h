/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Boundaries of calls that ask for levels, as their thread comes to them: one
 * writer, no lock, no system call but for a new chunk.  levels.c reads them.
 */
#ifndef PROFI_LEVEL_LOG_H
#define PROFI_LEVEL_LOG_H

#include "level_sweep.h"
#include "node.h"

#define PROFI_BOUND_IS_END 0x80000000u

typedef struct profi_level_bound {
    uint64_t tick;
    uint32_t context;
    uint32_t depth; /* PROFI_BOUND_IS_END with it */
} profi_level_bound;

enum { PROFI_LEVEL_CHUNK = 8192, PROFI_CHUNK_BOUNDS = (PROFI_LEVEL_CHUNK - 16) / sizeof(profi_level_bound) };

typedef struct profi_level_chunk {
    struct profi_level_chunk *next; /* stored with release */
    uint64_t count;                 /* likewise */
    profi_level_bound bounds[PROFI_CHUNK_BOUNDS];
} profi_level_chunk;

typedef struct profi_level_log {
    struct profi_level_log *next; /* stored with release, as its first one is */
    profi_level_chunk *last;      /* the writer's */
    uint32_t is_writing;          /* so that a signal handler's boundary does not come between; likewise */
    uint32_t is_over;             /* its thread has ended: stored with release */
    uint32_t depth;               /* calls that it has told and not ended; the writer's */
    /* The reader's. */
    profi_level_chunk *first;
    uint64_t read;                /* of the first */
    profi_sweep_thread *swept;    /* on the heap; NULL: the sweep has not met it */
} profi_level_log;

/* Whether anybody tells of a pool: else nothing is written. */
extern uint32_t profi_levels_are_told;

/* The calling thread's last moment, for changes that it tells of. */
extern __thread uint64_t profi_level_last_tick __attribute__((tls_model("initial-exec")));

/* The pool plus 1 of which it has opened a change: closed at its next boundary, when it holds no allocator's lock any more. */
extern __thread uint32_t profi_level_open_change __attribute__((tls_model("initial-exec")));

/* A call of the calling thread begins: what its end gives back, or 0 where it is not told. */
uint32_t profi_level_begin(profi_thread *self, profi_node *node);
void profi_level_end(profi_thread *self, uint32_t context, uint32_t depth);

/* The calling thread ends. */
void profi_level_thread_over(profi_thread *self);

/* ---- the reader's: one at a time ---- */

profi_level_log *profi_level_logs(void);

/* The next boundary; NULL: there is none yet.  And takes it. */
const profi_level_bound *profi_level_log_next(profi_level_log *log);
void profi_level_log_take(profi_level_log *log);

/* Frees it, which is over and read. */
void profi_level_log_drop(profi_level_log *log);

/* Around a fork, and in a child. */
void profi_level_logs_lock(void);
void profi_level_logs_unlock(void);
void profi_level_logs_forget(int is_new_region);

/* Chunks in use, and how many there may be. */
uint64_t profi_level_chunk_count(void);
uint64_t profi_level_chunks_most(void);

/* Has an open change of the pool closed. */
void profi_pool_settle(unsigned pool);

#endif
