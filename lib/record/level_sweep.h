/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How high levels rose in calls.  A level is a quantity of which all threads
 * share one, such as the bytes that are allocated on a GPU; calls of any
 * thread nest and overlap.  What happened is told in the order of time,
 * changes of levels and boundaries of calls, and each call that ends has, of
 * each level, its value at the begin, at the end, and the highest in between.
 *
 *     level     100   700       300          900    200
 *     thread A   [----------------------------]            begin 0    high 900
 *     thread B            [-----------]                    begin 700  high 700
 *     maxima of what came since a boundary:  700 (since A's begin), 300 (since B's begin), …
 *
 * Nothing is done to calls when a level changes: each level keeps the maxima
 * since past boundaries, of which only the falling ones can still be asked
 * for, and a call asks when its thread comes to a boundary.
 *
 * Knows no clock, no scopes and no locks: one caller at a time.
 */
#ifndef PROFI_LEVEL_SWEEP_H
#define PROFI_LEVEL_SWEEP_H

#include "../base/base.h"

enum {
    PROFI_LEVELS_MOST = 48,
    PROFI_LEVEL_DEPTH = 256 /* calls of a thread that may be open within each other */
};

/* What becomes of a level: it changes by so much, is so much, is not known, or changes and is known again. */
enum { PROFI_LEVEL_CHANGE, PROFI_LEVEL_SET, PROFI_LEVEL_UNKNOWN, PROFI_LEVEL_RESUME };

/* What one call had of one level. */
typedef struct profi_level_call {
    uint32_t context, level;
    uint32_t is_known; /* 0: the level was not known all the time, and the rest is 0 */
    int64_t begin, end, high;
} profi_level_call;

/* The highest value at any moment since a boundary. */
typedef struct profi_level_maximum {
    uint64_t since; /* how many boundaries there had been */
    int64_t value;
} profi_level_maximum;

typedef struct profi_swept_level {
    int64_t value, high;         /* the latter: of all time */
    uint64_t last_unknown;       /* how many boundaries there had been when it last was; UINT64_MAX: it is now */
    profi_level_maximum *maxima; /* the later, the lower */
    size_t count, room;
} profi_swept_level;

typedef struct profi_sweep_frame profi_sweep_frame;

/* A thread with its open calls. */
typedef struct profi_sweep_thread {
    struct profi_sweep_thread *next;
    profi_sweep_frame **frames;
    unsigned depth, room;
    uint64_t asked; /* how many boundaries there had been at its last one */
} profi_sweep_thread;

typedef struct profi_sweep {
    profi_swept_level levels[PROFI_LEVELS_MOST];
    unsigned level_count;
    profi_sweep_thread *threads;
    unsigned thread_count;
    uint64_t boundaries; /* so far, of all threads */
    void (*tell)(void *user, const profi_level_call *call);
    void *user;
} profi_sweep;

/* One more level, not known before it is set or resumes; its number, or PROFI_LEVELS_MOST. */
unsigned profi_sweep_add_level(profi_sweep *sweep);

void profi_sweep_level(profi_sweep *sweep, unsigned level, unsigned kind, int64_t amount);

void profi_sweep_add_thread(profi_sweep *sweep, profi_sweep_thread *thread);
/* Its open calls are told as not known. */
void profi_sweep_remove_thread(profi_sweep *sweep, profi_sweep_thread *thread);

/*
 * A call begins, with `depth` - 1 others around it; what else is open has
 * ended without a word.  0 when memory is spent: the call is told as not known.
 */
int profi_sweep_begin(profi_sweep *sweep, profi_sweep_thread *thread, uint32_t context, unsigned depth);

/* The call at `depth` ends; nothing happens where it is not open, or another is. */
void profi_sweep_end(profi_sweep *sweep, profi_sweep_thread *thread, uint32_t context, unsigned depth);

/* Forgets all threads, which are the caller's, and frees what is the sweep's. */
void profi_sweep_fini(profi_sweep *sweep);

#endif
