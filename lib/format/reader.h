/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of formats that can be read.  A format is one file and one row:
 * what it is called, whether a file looks like it, and a function that makes
 * a snapshot of its bytes.
 *
 * What is read was written by anybody: a reader recurses over nothing, sizes
 * nothing by a number in the file, and cleans every text.
 */
#ifndef PROFI_READER_H
#define PROFI_READER_H

#include "../model/assemble.h"

typedef struct profi_input {
    const unsigned char *data;
    size_t bytes;
    const char *what; /* what messages call it */
} profi_input;

typedef struct profi_reader {
    const char *name;
    int (*looks_like_it)(const profi_input *input);
    /* Into an empty builder, which the caller finishes. */
    prof_status (*read)(const profi_input *input, profi_builder *builder, prof_error *err);
} profi_reader;

extern const profi_reader profi_readers[];
extern const unsigned profi_reader_count;

/* No larger file is read. */
enum { PROFI_READ_MOST_BYTES = 256 << 20 };

/* Finds the row by the content, reads, and finishes the snapshot. */
prof_status profi_reader_run(const profi_input *input, prof_snapshot **snapshot, prof_error *err);

int profi_looks_like_json(const profi_input *input);
int profi_looks_like_prof(const profi_input *input);
prof_status profi_read_json(const profi_input *input, profi_builder *builder, prof_error *err);
prof_status profi_read_prof(const profi_input *input, profi_builder *builder, prof_error *err);

#endif
