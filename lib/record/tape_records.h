/* SPDX-License-Identifier: Apache-2.0 */
/* The records of a stream: shared by tape.c and tape_read.c only. */
#ifndef PROFI_TAPE_RECORDS_H
#define PROFI_TAPE_RECORDS_H

#include "dead_reader.h"
#include "tape.h"

#define PROFI_TAPE_MARK 0x6d727473u /* "strm" */
#define PROFI_TAPE_LAYOUT "profcore.stream/2"

enum {
    PROFI_TAPE_START = 1,
    PROFI_TAPE_SITE,
    PROFI_TAPE_TIME,
    PROFI_TAPE_CHUNK,
    PROFI_TAPE_THREAD,
    PROFI_TAPE_TOTALS,
    PROFI_TAPE_END /* its body is empty */
};

/* Before each body, which is padded to a multiple of 8 bytes. */
typedef struct profi_tape_head {
    uint32_t mark, kind;
    uint64_t bytes;
} profi_tape_head;

typedef struct profi_tape_start {
    char layout[24]; /* PROFI_TAPE_LAYOUT */
    uint32_t is_ticks, is_steady;
    int64_t pid;
    profi_roots_time first;
    profi_clock_moment begun;
    char clock_source[16];
    char name[256], host[128];
} profi_tape_start;
_Static_assert(sizeof(profi_tape_head) + 24 == PROFI_TAPE_MARK_BYTES, "the mark is in the first record");

typedef struct profi_tape_site { /* the name and the file follow */
    uint32_t id, line, flags, has_file, name_bytes, file_bytes;
} profi_tape_site;

typedef struct profi_tape_chunk { /* the cells follow */
    uint64_t thread, first_index, first_detail, cell_count;
    prof_inline_cell who;
} profi_tape_chunk;

typedef struct profi_tape_thread { /* one that lives, at the moment of the totals that follow */
    uint64_t thread, issued, filtered;
    prof_inline_cell who;
} profi_tape_thread;

typedef struct profi_tape_totals { /* what all threads had issued at one moment */
    uint64_t thread_count; /* of the records of threads before it */
    uint64_t exited_issued, exited_filtered;
} profi_tape_totals;

#endif
