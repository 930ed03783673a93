/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ground of both tokenisers: a table from text to id and back, and the
 * reading of the files that fill it.
 *
 * Owns the entries' text.  Knows nothing of pieces, merges or Unicode.  Its
 * invariant: once filled it is only read, so any number of threads may use it.
 *
 *     slots    [ - | 7 | - | 2 | … ]   id + 1 by hash, open addressing; 0 is free
 *     entries  [ start, bytes | … ]    by id
 *     text     "…##ing…"               all entries' bytes, one after the other
 */
#ifndef RAG_SERVICE_VOCAB_H
#define RAG_SERVICE_VOCAB_H

#include <stddef.h>
#include <stdint.h>

#include <profcore/prof.h>

#define VOCAB_LIMIT (1u << 20) /* entries; BERT has 30,522, GPT-2 50,257 */
#define VOCAB_NONE UINT32_MAX  /* no such entry */

typedef struct vocab_entry {
    uint32_t start, bytes; /* bytes is 0 for an id that no entry has */
} vocab_entry;

typedef struct vocab {
    char *text;
    vocab_entry *entries;
    uint32_t *slots;
    uint32_t slot_mask;
    uint32_t count;   /* ids run below it */
    uint32_t longest; /* entry, in bytes */
} vocab;

/*
 * Reads a whole regular file; a NUL follows its bytes.
 *
 *   limit_bytes  A larger file is refused before memory is taken for it.
 *   text         Receives the bytes; free() releases them.
 *   returns      PROF_OK; PROF_E_IO; PROF_E_FORMAT: empty, or above the limit;
 *                PROF_E_NO_MEMORY.
 */
prof_status vocab_read_file(const char *path, size_t limit_bytes, char **text, size_t *text_bytes, prof_error *err);

/*
 * Makes a table for `count` ids (1 … VOCAB_LIMIT) without entries.
 *
 *   text     From malloc, below 4 GiB; the table owns it from here on, on
 *            failure too.
 *   returns  0, or PROF_E_NO_MEMORY.
 */
prof_status vocab_init(vocab *table, char *text, uint32_t count);

/* Accepts a zeroed table. */
void vocab_fini(vocab *table);

/*
 * Adds an entry, the bytes at table->text + start, under a free id.
 *
 *   returns  0; PROF_E_INVALID: there is an equal entry; PROF_E_LIMIT: the
 *            texts were made to collide, which no honest file does.
 */
prof_status vocab_add(vocab *table, uint32_t id, uint32_t start, uint32_t bytes);

/* A text's hash: fold its bytes, in order, into VOCAB_HASH_START. */
#define VOCAB_HASH_START UINT64_C(0xcbf29ce484222325)

static inline uint64_t vocab_hash(uint64_t hash, unsigned char byte)
{
    return (hash ^ byte) * UINT64_C(0x100000001b3);
}

/* Returns the id of a text, or VOCAB_NONE.  The first form is for who has the hash already. */
uint32_t vocab_find_hashed(const vocab *table, const char *text, size_t bytes, uint64_t hash);
uint32_t vocab_find(const vocab *table, const char *text, size_t bytes);

/* Where decoded text goes: what fits is kept, all of it is counted. */
typedef struct vocab_sink {
    char *text;
    size_t capacity, length, kept;
} vocab_sink;

/* Appends a piece whole or not at all; after the first that did not fit, nothing more. */
void vocab_put(vocab_sink *sink, const char *piece, size_t bytes);

/* Fills in err, which may be NULL, and returns status: for `return vocab_fail(…)`. */
prof_status vocab_fail(prof_error *err, prof_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
