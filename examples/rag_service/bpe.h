/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Byte-level BPE, the tokeniser of GPT-2 and GPT-Neo: text in, the ids of
 * vocab.json out, and back without loss.
 *
 * Owns the pre-tokeniser's pattern, the merges and the vocabulary.  Knows
 * nothing of models or profiling.  The service's generator calls it when it
 * was given trained weights.  One tokeniser serves any number of threads.
 *
 * Text is only ever text: a literal "<|endoftext|>" in it is split like any
 * other word, so that a document cannot end the prompt.
 */
#ifndef RAG_SERVICE_BPE_H
#define RAG_SERVICE_BPE_H

#include <stddef.h>
#include <stdint.h>

#include <profcore/prof.h>

typedef struct bpe bpe;

/*
 * Reads and checks a vocab.json (an object: token to id) and a merges.txt
 * (two tokens a line, the first line ranks highest), both in GPT-2's byte
 * alphabet.
 *
 *   tokenizer  Receives the tokeniser on success; bpe_close() ends it.
 *   returns    PROF_OK; PROF_E_INVALID: an argument is NULL; PROF_E_NO_MEMORY;
 *              PROF_E_IO: cannot be read; PROF_E_FORMAT: not such files, or
 *              they do not belong together; the message names the file and the
 *              entry or line.
 *   memory     About 5 MiB for GPT-2's 50,257 tokens.
 */
prof_status bpe_open(const char *vocab_path, const char *merges_path, bpe **tokenizer, prof_error *err);

/* NULL is accepted.  No thread may be inside another call. */
void bpe_close(bpe *tokenizer);

/*
 * Turns a text into ids; nothing is put before or after them.
 *
 *   text       Any bytes, meant as UTF-8; NUL and broken UTF-8 survive the way
 *              to ids and back.  NULL where text_bytes is 0.
 *   ids        Receives the first `capacity` ids.  NULL where capacity is 0.
 *   count      Receives how many ids the whole text has: more than capacity
 *              when ids is too short.
 *   returns    PROF_OK; PROF_E_INVALID: an argument is NULL, or the text is
 *              larger than 1 GiB; PROF_E_NO_MEMORY.
 *   threads    Any, at once, on one tokeniser.
 *   memory     None for words up to 128 bytes; a longer word takes 28 times its
 *              length until the call returns.  Time grows as n log n with a word.
 */
prof_status bpe_encode(const bpe *tokenizer, const char *text, size_t text_bytes, int64_t *ids, size_t capacity,
                       size_t *count, prof_error *err);

/*
 * Turns ids back into the bytes they stand for.  A single id may stand for a
 * part of a UTF-8 character: decode a whole answer, not id by id, to show it.
 *
 *   text       Receives the bytes, cut to `capacity` at a whole token and always
 *              closed by a NUL.  NULL where capacity is 0.
 *   returns    The length of the whole text without the NUL, as snprintf does;
 *              ids that are out of range stand for nothing.
 *   threads    Any, at once, on one tokeniser.
 */
size_t bpe_decode(const bpe *tokenizer, const int64_t *ids, size_t count, char *text, size_t capacity);

/* One more than the largest id. */
size_t bpe_count(const bpe *tokenizer);

/* The id of "<|endoftext|>", where a generated answer ends; -1 when the vocabulary has none. */
int64_t bpe_end(const bpe *tokenizer);

#endif
