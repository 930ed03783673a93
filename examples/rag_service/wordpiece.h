/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BERT's WordPiece tokeniser, uncased: text in, the ids of vocab.txt out.
 *
 * Owns the rules (cleaning, accents, punctuation, longest match) and the
 * vocabulary.  Knows nothing of models, files of documents or profiling.
 * The service's encoder calls it, and so does its generator when no trained
 * weights are given.  One tokeniser serves any number of threads.
 *
 * Text is only ever text: a literal "[CLS]" in it is split like any other
 * word, so that a document cannot smuggle in a control token.
 */
#ifndef RAG_SERVICE_WORDPIECE_H
#define RAG_SERVICE_WORDPIECE_H

#include <stddef.h>
#include <stdint.h>

#include <profcore/prof.h>

typedef struct wordpiece wordpiece;

/*
 * Reads and checks a vocab.txt: UTF-8, one piece a line, the line's number is
 * the piece's id; the control pieces [PAD], [UNK], [CLS] and [SEP] among them.
 *
 *   tokenizer  Receives the tokeniser on success; wordpiece_close() ends it.
 *   returns    PROF_OK; PROF_E_INVALID: an argument is NULL; PROF_E_NO_MEMORY;
 *              PROF_E_IO: cannot be read; PROF_E_FORMAT: not a vocabulary, the
 *              message names the file and the line.
 *   memory     About 1 MiB for BERT's 30,522 pieces.
 */
prof_status wordpiece_open(const char *vocab_path, wordpiece **tokenizer, prof_error *err);

/* NULL is accepted.  No thread may be inside another call. */
void wordpiece_close(wordpiece *tokenizer);

/* Flags of wordpiece_encode(). */
#define WORDPIECE_BARE 0x1u /* no [CLS] before and no [SEP] after the text's own ids */

/*
 * Turns a text into ids: [CLS] … [SEP], cut to `capacity` in all.
 *
 *   text       UTF-8; may hold NUL, and bytes that are not UTF-8, which are
 *              dropped.  NULL where text_bytes is 0.
 *   ids        Receives the ids, of the model's input type.
 *   capacity   Of ids, and the longest result: give the model's maximum length.
 *   returns    How many ids were written: at least 2 without WORDPIECE_BARE;
 *              0 where capacity is too small for [CLS] and [SEP].
 *   threads    Any, at once, on one tokeniser.
 *   memory     None.  Stops reading the text when the ids are full.
 */
size_t wordpiece_encode(const wordpiece *tokenizer, const char *text, size_t text_bytes, int64_t *ids,
                        size_t capacity, uint32_t flags);

/*
 * Turns ids back into readable text: pieces joined by blanks, continuations
 * joined to their word; [PAD], [CLS] and [SEP] are left out.  Case, accents and
 * where there was no blank beside punctuation are gone for good.
 *
 *   text       Receives the text, cut to `capacity` at a whole piece and always
 *              closed by a NUL.  NULL where capacity is 0.
 *   returns    The length of the whole text without the NUL, as snprintf does;
 *              ids that are out of range count as [UNK].
 *   threads    Any, at once, on one tokeniser.
 */
size_t wordpiece_decode(const wordpiece *tokenizer, const int64_t *ids, size_t count, char *text,
                        size_t capacity);

/* How many pieces there are; valid ids lie below it. */
size_t wordpiece_count(const wordpiece *tokenizer);

/* The id that fills up the shorter rows of a batch ([PAD]). */
int64_t wordpiece_pad(const wordpiece *tokenizer);

#endif
