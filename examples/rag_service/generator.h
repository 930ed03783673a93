/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text from a prompt, by a language model with a key/value cache.
 *
 * Owns the model, its tokeniser when it has one, and the loop that makes one
 * token after another.  Knows nothing of passages or questions.  Its folder
 * holds model.pt and config.json, and for trained weights vocab.json and
 * merges.txt:
 *
 *     forward(ids int64 [1, n], past float [layers, 2, 1, heads, p, head_size])
 *         -> (logits of the last token, float [1, vocabulary]; past, p + n long)
 *
 * Without trained weights the prompt is WordPiece ids, and what comes out has
 * no meaning: it measures speed only.
 */
#ifndef RAG_SERVICE_GENERATOR_H
#define RAG_SERVICE_GENERATOR_H

#include <profcore/prof.h>

#include "wordpiece.h"

typedef struct generator generator;

/* What was generated; free(text) releases it. */
typedef struct generation {
    size_t prompt_tokens, new_tokens;
    char *text; /* NULL without trained weights */
} generation;

/*
 * Opens the generator in a folder, and runs it a little: what is not such a
 * model is noticed here.
 *
 *   pieces   The tokeniser for a model without trained weights; outlives it.
 *   made     Receives it; generator_close() ends it.
 */
prof_status generator_open(const char *folder, const char *device, const wordpiece *pieces, generator **made, prof_error *err);

/* NULL is accepted. */
void generator_close(generator *closed);

int generator_is_trained(const generator *asked);

/* How many tokens prompt and answer may have together. */
uint32_t generator_max_length(const generator *asked);

/*
 * Continues a prompt with the likeliest token, again and again, to the end of
 * the text or to the limit.
 *
 *   max_tokens  1 … generator_max_length() - 1.  Of a prompt for which there
 *               is no room beside them, the beginning is left out.
 *   made     Receives the result.
 */
prof_status generator_continue(generator *used, const char *prompt, size_t prompt_bytes, size_t max_tokens,
                               generation *made, prof_error *err);

#endif
