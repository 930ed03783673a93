/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events streamed while they are recorded: whole chunks as they lay in
 * memory, and between them what a reader needs to know of them.  A sequence
 * of records, each a head and its body, written once and in order, so that
 * a pipe does as well as a file, and one which was not written to its end is
 * seen for what it is.
 *
 *     START | SITE … | CHUNK | TIME | CHUNK | SITE | CHUNK | …
 *           | THREAD … | TOTALS | CHUNK … | CHUNK | … | THREAD … | TOTALS | CHUNK … | END
 *
 * Totals come before the chunks that were not full yet: who cannot take those
 * any more knows how many events it lacks.  Such a chunk may come again, with
 * more in it.  Who writes calls from one thread at a time; who reads trusts
 * nothing.
 */
#ifndef PROFI_TAPE_H
#define PROFI_TAPE_H

#include "../base/stream.h"
#include "dead.h"

/* Takes all bytes; 0, or an errno value. */
typedef int (*profi_tape_write)(void *user, const void *data, size_t bytes);

typedef struct profi_tape {
    profi_tape_write write;
    void *user;
    size_t piece;             /* bytes of the step at hand */
    uint32_t site_count;      /* that have been written, */
    uint32_t site_goal;       /* and that have to be before anything else */
    profi_chunk *chunk;       /* taken from the rings; */
    int is_put;               /* and written */
    profi_rings_view rest;    /* what the rings held when totals were asked for, */
    uint64_t rest_at;         /* and how many of its records have been written */
    int has_rest, is_last;
} profi_tape;

/* The first record; 0, or an errno value. */
int profi_tape_begin(profi_tape *tape, profi_tape_write write, void *user, const char *run_name);

/*
 * Writes the next few records, with at most one chunk that is full; *any
 * receives whether there were some.  What the step before wrote has arrived,
 * and its chunk goes back to the rings.  0, or an errno value.
 */
int profi_tape_step(profi_tape *tape, int *any);

/*
 * From the next step on: what each thread has issued, and what the rings
 * hold, all at this moment; with is_last, then the end, and nothing any more.
 * 0, or ENOMEM.
 */
int profi_tape_rest(profi_tape *tape, int is_last);

/* Likewise: what the last step wrote has arrived, and readers of the rings do not find it there any more. */
void profi_tape_settle(profi_tape *tape);

/* Nothing is written any more, nor did all of the last step arrive: the chunk at hand is lost. */
void profi_tape_drop(profi_tape *tape);

/* Whether data begins as a stream does. */
int profi_tape_is(const void *data, size_t bytes);
enum { PROFI_TAPE_MARK_BYTES = 40 };

/*
 * Reads a stream up to so many bytes or its end, or to the first record that
 * is not whole.  Close it with profi_dead_fini(); its record has no nodes.
 */
prof_status profi_tape_read(profi_stream *from, uint64_t bytes, const char *what, profi_dead *dead, prof_error *err);

/* Puts what the rings of this process hold behind what was read of its own stream; 0, or an errno value. */
int profi_tape_join(profi_dead *dead, const profi_rings_view *rings);

#endif
