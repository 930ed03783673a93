/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process that is no more had recorded, read from the file that it
 * left (roots.h) into the same structs that a living one is copied into.
 *
 * Nothing in the file is trusted: each address is checked against its size,
 * nothing is read twice, so that no cycle leads anywhere, and what makes no
 * sense is left out and counted.
 */
#ifndef PROFI_DEAD_H
#define PROFI_DEAD_H

#include "../base/clock.h"
#include "../base/spool.h"
#include "../base/texts.h"
#include "open.h"

typedef struct profi_dead {
    char name[256], host[128], clock_source[16];
    int64_t pid;
    profi_clock_scale scale;  /* its source is clock_source */
    profi_clock_moment last;  /* the youngest moment that anything in the file is of */
    uint64_t start_tick;
    double scope_cost_ticks;
    profi_record_copy record; /* probes have measured nothing in it; `now` is that moment */
    profi_rings_view rings;   /* its segments are in order and do not overlap */
    profi_open_cell *opens;   /* by thread's number, the innermost first */
    size_t open_count;
    uint64_t damage_count;    /* things in the file that made no sense */
    uint64_t torn_bytes;      /* of a stream: behind the last whole record */
    int has_no_end;           /* likewise: its last record is not there */
    profi_texts texts;
    profi_spool cells;        /* where it is not empty, the rings' cells lie in it */
} profi_dead;

/* Whether it claims to be such a file. */
int profi_dead_is(const void *data, size_t bytes);

/* The data may be released then.  `what` names it in errors.  Close it with profi_dead_fini(). */
prof_status profi_dead_read(const void *data, size_t bytes, const char *what, profi_dead *dead, prof_error *err);
void profi_dead_fini(profi_dead *dead);

#endif
