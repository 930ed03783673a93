/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events streamed to a file while they are recorded: whole chunks as they
 * lay in memory, and between them what a reader needs to know of them.  A
 * sequence of records, each a head and its body, so that one which was not
 * written to its end is seen for what it is.
 *
 *     HEAD | SITE … | CHUNK | TIME | CHUNK | SITE | CHUNK | …
 *
 * Who writes calls from one thread; who reads trusts nothing.
 */
#ifndef PROFI_TAPE_H
#define PROFI_TAPE_H

#include "dead.h"

/* Writes all bytes to where the stream goes; 0, or an errno value. */
typedef int (*profi_tape_write)(void *user, const void *data, size_t bytes);

typedef struct profi_tape {
    profi_tape_write write;
    void *user;
    uint32_t site_count; /* that have been written */
    uint64_t streamed;   /* events */
} profi_tape;

/* The first record; 0, or an errno value. */
int profi_tape_begin(profi_tape *stream, profi_tape_write write, void *user, const char *run_name);

/*
 * Writes a full chunk, and what is new since the last; *any receives whether
 * there was one.  0, or an errno value: that chunk's events count as lost.
 */
int profi_tape_step(profi_tape *stream, int *any);

/* Whether data begins as a stream does. */
int profi_tape_is(const void *data, size_t bytes);
enum { PROFI_TAPE_MARK_BYTES = 40 };

/*
 * Reads a stream from a descriptor up to so many bytes or its end, or to the first record
 * that is not whole.  Close it with profi_dead_fini(); its record has no nodes.
 */
prof_status profi_tape_read(int fd, uint64_t bytes, const char *what, profi_dead *dead, prof_error *err);

/* Puts what the rings of this process hold behind what was read of its own stream; 0, or an errno value. */
int profi_tape_join(profi_dead *dead, const profi_rings_view *rings);

#endif
