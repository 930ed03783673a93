/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the process is in the middle of, as format/ and api/ see it: the open
 * scopes of each live thread with their ages, and what made somebody ask.
 *
 * In the middle of a crash it is made without memory and without locks.
 */
#ifndef PROFI_OPEN_STACKS_H
#define PROFI_OPEN_STACKS_H

#include "../base/clock.h"
#include <profcore/prof.h>

/* Why a dump was made: the first mark of one; or one more call that had exceeded its limit at that moment. */
typedef struct profi_mark {
    const char *trigger;  /* "slow", "signal", "crash", "asked" */
    const char *reason;   /* cleaned; NULL: there is nothing to add */
    const char *name, *file; /* of the slow scope; NULL: it is not about one */
    uint32_t line;
    uint64_t limit_ns, age_ns; /* of it */
    uint64_t thread;      /* the number of its thread, 0: none */
    uint64_t ns;          /* when, CLOCK_MONOTONIC */
} profi_mark;

typedef struct profi_open_stacks {
    char run_name[256];
    int64_t pid;
    profi_clock_moment taken;
    profi_clock_scale scale;
    const profi_mark *marks; /* the caller's */
    size_t mark_count;
    uint64_t skipped;        /* triggers before that had no dump of their own, for they came too soon after another */
    int is_partial;          /* in a crash the other threads could not be read */
    size_t thread_count;
    struct profi_opens *opens; /* record/'s */
} profi_open_stacks;

typedef struct profi_stack_thread {
    uint64_t number;
    int32_t tid;
    char name[64];       /* cleaned */
    int is_moving;       /* there may be more inside */
    uint64_t lost;       /* scopes inside, for which memory had no room */
    size_t first, count; /* of its scopes, outermost first */
} profi_stack_thread;

typedef struct profi_stack_scope {
    const char *name, *file; /* file may be NULL */
    uint32_t line;
    int is_timed;        /* else neither start nor age is known */
    uint64_t start_ns, age_ns; /* start on CLOCK_MONOTONIC */
} profi_stack_scope;

/* Takes it while threads go on, threads in the order of their numbers.  Close it with profi_open_stacks_fini(). */
prof_status profi_open_stacks_take(profi_open_stacks *stacks, const char *run_name, prof_error *err);
void profi_open_stacks_fini(profi_open_stacks *stacks);

/* The same in a signal handler, in the memory that was reserved, and cut where that ends. */
prof_status profi_open_stacks_reserve(profi_open_stacks *stacks, const char *run_name, size_t threads, size_t scopes, prof_error *err);
void profi_open_stacks_take_crashed(profi_open_stacks *stacks);

profi_stack_thread profi_open_stacks_thread(const profi_open_stacks *stacks, size_t index);
profi_stack_scope profi_open_stacks_scope(const profi_open_stacks *stacks, size_t index);

/* For the event stream: when it was taken. */
uint64_t profi_open_stacks_taken_tick(const profi_open_stacks *stacks);

/*
 * Likewise: the open scopes that are timed, for what is not has no place on a
 * timeline; by thread, the innermost first.  The caller frees the list; NULL:
 * memory is spent.
 */
struct profi_open_cell *profi_open_stacks_cells(const profi_open_stacks *stacks, size_t *count);

#endif
