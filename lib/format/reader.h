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

#include "../base/stream.h"
#include "../model/assemble.h"
#include "../model/events_build.h"

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

/* The same for formats of single events, which are read from front to back. */
typedef struct profi_event_reader {
    const char *name;
    int (*looks_like_it)(const unsigned char *data, size_t bytes); /* by the first of its bytes */
    prof_status (*read)(profi_stream *stream, const char *what, profi_events_builder *builder, prof_error *err);
    /* Of a format that is not merged, instead of `read`: all of it. */
    prof_status (*read_alone)(profi_stream *stream, const char *what, profi_events **events, prof_error *err);
} profi_event_reader;

extern const profi_event_reader profi_event_readers[];
extern const unsigned profi_event_reader_count;

/* The row of what a stream begins with, or NULL. */
const profi_event_reader *profi_event_reader_find(profi_stream *stream);

/* Finds the row by the content, and adds what it reads to what others have. */
prof_status profi_event_reader_add(profi_stream *stream, const char *what, profi_events_builder *builder, prof_error *err);

/* The same of one file alone, which finishes the event stream. */
prof_status profi_event_reader_run(profi_stream *stream, const char *what, profi_events **events, prof_error *err);

int profi_looks_like_json(const profi_input *input);
int profi_looks_like_prof(const profi_input *input);
prof_status profi_read_json(const profi_input *input, profi_builder *builder, prof_error *err);
prof_status profi_read_prof(const profi_input *input, profi_builder *builder, prof_error *err);

int profi_looks_like_pftrace(const unsigned char *data, size_t bytes);
prof_status profi_read_pftrace(profi_stream *stream, const char *what, profi_events_builder *builder, prof_error *err);

#endif
