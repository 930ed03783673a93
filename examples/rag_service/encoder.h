/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts to vectors of unit length, by a sentence-embedding model.
 *
 * Owns the tokeniser, the model, and how texts are put into batches.  Knows
 * nothing of documents or indexes.  Its folder holds model.pt, vocab.txt and
 * config.json; the model does the pooling and the scaling itself:
 *
 *     forward(ids int64 [b, n], mask int64 [b, n]) -> float [b, dimensions]
 */
#ifndef RAG_SERVICE_ENCODER_H
#define RAG_SERVICE_ENCODER_H

#include <profcore/prof.h>

#include "content_hash.h"
#include "progress.h"
#include "text_list.h"
#include "wordpiece.h"

#define ENCODER_BATCH_LIMIT 1024

typedef struct encoder encoder;

/*
 * Opens the encoder in a folder, and runs it twice: what is not such a model
 * is noticed here, and the first question does not pay for warming up.
 *
 *   made     Receives it; encoder_close() ends it.
 *   returns  PROF_OK, or what was wrong with which file.
 */
prof_status encoder_open(const char *folder, const char *device, encoder **made, prof_error *err);

/* NULL is accepted. */
void encoder_close(encoder *closed);

/* How many numbers a vector has. */
uint32_t encoder_dimensions(const encoder *asked);

/* Its tokeniser, for who needs the same ids. */
const wordpiece *encoder_tokenizer(const encoder *asked);

/*
 * Turns texts into vectors.
 *
 *   texts    count of them, in any order: batches are formed by length.
 *   batch    How many go through the model together, 1 … ENCODER_BATCH_LIMIT.
 *   bar      Told of each batch; NULL when not wanted.
 *   vectors  Receives count × dimensions numbers, in the order of the texts.
 *   returns  PROF_OK; PROF_E_FORMAT: the model returned something else than
 *            unit vectors; PROF_E_INVALID: it raised an exception;
 *            PROF_E_NO_MEMORY.
 */
prof_status encoder_embed(encoder *used, const text_span *texts, size_t count, size_t batch, progress *bar,
                          float *vectors, prof_error *err);

/* Adds to the hash what decides about the vectors: the model, its vocabulary, the length limit. */
prof_status encoder_hash(const encoder *asked, content_hasher *hasher, prof_error *err);

#endif
