/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file in which an index outlives the process.
 *
 *     header   magic, version, dimensions, count, build time, key, check
 *     vectors  count × dimensions floats, in the machine's byte order
 *
 * The key says what the vectors were made from; the check is a hash of all
 * the rest.  Whatever is read is checked before it is used: a file from
 * anywhere can be refused, but it cannot do harm.
 */
#ifndef RAG_SERVICE_INDEX_FILE_H
#define RAG_SERVICE_INDEX_FILE_H

#include <stdint.h>

#include <profcore/prof.h>

#include "content_hash.h"

typedef struct stored_index {
    content_hash key;
    uint32_t dimensions;
    uint64_t count;
    uint64_t build_ns; /* how long it took to make the vectors */
    float *vectors;    /* of unit length */
} stored_index;

/*
 * Writes a file whole, or not at all: beside its place, then renamed.
 *
 *   returns  PROF_OK; PROF_E_IO: the message has the path and the reason.
 */
prof_status index_file_write(const char *path, const stored_index *stored, prof_error *err);

/*
 * Reads a file back.
 *
 *   stored   In: the key, dimensions and count that it must have.  Receives
 *            build_ns and vectors; free(vectors) releases them.
 *   returns  PROF_OK; PROF_E_NOT_FOUND: there is no such file; PROF_E_IO;
 *            PROF_E_FORMAT: it is something else, damaged, or of another key,
 *            and the message says which; PROF_E_NO_MEMORY.
 */
prof_status index_file_read(const char *path, stored_index *stored, prof_error *err);

#endif
