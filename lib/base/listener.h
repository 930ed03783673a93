/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is told of scopes while they run: a table of functions that record/
 * calls out through, and of which it knows nothing else.
 *
 * All are called on the thread that the scope is on, which is away meanwhile:
 * what a function here, or a signal handler in it, records is lost and comes
 * back to nobody.  Nothing is told of scopes that are lost, and each beginning
 * that is told has its end told, on the same thread, innermost first.
 *
 * A signal handler's scopes are told as well: a listener that is not for
 * handlers must not be there where handlers record.
 */
#ifndef PROFI_LISTENER_H
#define PROFI_LISTENER_H

#include "base.h"

/* What a listener keeps of a site. */
typedef struct profi_listened {
    const void *message;  /* the listener's; fixed when is_known is */
    uint32_t category;    /* likewise */
    uint32_t is_known;    /* stored with release after all else */
} profi_listened;

typedef struct profi_listener {
    /* Before anything else that is told of a site; the texts (file: may be NULL) stay.  One caller at a time. */
    void (*learn)(profi_listened *site, const char *name, const char *file);
    void (*begin)(const profi_listened *site);
    void (*end)(void);
    void (*items)(const profi_listened *site, uint64_t count, const char *unit); /* of the innermost scope; unit may be NULL */
    void (*instant)(const profi_listened *site);
    /* What begins here may end on any thread, in any order or never: a number for its end; 0: none is wanted. */
    uint32_t (*span_begin)(const profi_listened *site);
    void (*span_end)(uint32_t number);
    void (*thread)(int32_t tid, const char *name); /* at its first scope; the name may be "" */
} profi_listener;

#endif
