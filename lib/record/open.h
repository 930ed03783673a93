/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What threads are in the middle of: the path of open scopes of each live
 * thread, read while the threads run and without their help.
 */
#ifndef PROFI_OPEN_H
#define PROFI_OPEN_H

#include "record.h"

typedef struct profi_open_scope {
    uintptr_t place; /* with its start, which call it is */
    uint64_t start;  /* ticks; 0: this call of a sampled site is not timed */
    uint32_t site;   /* id: profi_record_site_view() */
    uint32_t level;  /* in the thread's tree, 1 for the outermost, as in its events */
} profi_open_scope;

typedef struct profi_open_thread {
    uint64_t number; /* from 1, in order of first use */
    int32_t tid;
    uint32_t is_moving; /* it opened or closed scopes all the time: there may be more inside those that are here */
    uint64_t lost;      /* scopes open inside these, for which memory had no room */
    size_t first, count; /* of its scopes, outermost first */
} profi_open_thread;

/* A scope that is or was open, for a timeline: as a cell without an end, see ring.h. */
typedef struct profi_open_cell {
    uint64_t thread; /* number */
    uint64_t what, start;
} profi_open_cell;

/* In arrays of the caller's; a count goes on where the room ends. */
typedef struct profi_opens {
    profi_open_thread *threads;
    size_t thread_room, thread_count;
    profi_open_scope *scopes;
    size_t scope_room, scope_count;
    uint64_t now; /* ticks, before any of it was read */
} profi_opens;

/*
 * Reads the open scopes of all live threads.  What is reported of a thread
 * was open at one and the same moment.  Allocates nothing.  A thread that
 * ends meanwhile waits.
 */
void profi_opens_read(profi_opens *opens);

/* The same with as much room as it takes, which is kept for the next time; 0 when memory is spent. */
int profi_opens_take(profi_opens *opens);
int profi_opens_reserve(profi_opens *opens, size_t threads, size_t scopes); /* only the room */
void profi_opens_fini(profi_opens *opens);

/*
 * The same from a signal handler in the middle of a crash: the lock that
 * keeps threads from ending is waited for in vain where its owner has
 * crashed.  Then 0, and only the calling thread is there.
 */
int profi_opens_read_crashed(profi_opens *opens);

#endif
