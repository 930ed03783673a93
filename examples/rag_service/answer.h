/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The service itself: a question in, passages and an answer out.
 *
 *     embed_query  ->  search  ->  get_response
 *
 * Owns the prompt and the three calls that every question takes; these are
 * what the profile is about.  Prints nothing.
 */
#ifndef RAG_SERVICE_ANSWER_H
#define RAG_SERVICE_ANSWER_H

#include <profcore/prof.h>

#include "encoder.h"
#include "generator.h"
#include "passage_index.h"
#include "text_list.h"

#define TOP_LIMIT 100

typedef struct service {
    encoder *encoder;
    generator *generator; /* NULL where only searching is wanted */
    passage_index *index;
    const text_list *passages;
    size_t top, max_tokens;
} service;

typedef struct answer {
    passage_hit hits[TOP_LIMIT];
    size_t hit_count;
    generation generated;
} answer;

/* Turns a question into a vector, in memory of the caller's: encoder_dimensions() numbers. */
prof_status embed_query(service *asked, text_span question, float *vector, prof_error *err);

/* Generates a response to a question from the passages found for it; fills in made->generated. */
prof_status get_response(service *asked, text_span question, answer *made, prof_error *err);

/*
 * Answers a question; without a generator it stops after the search.
 *
 *   made     Receives the answer; answer_fini() ends it.
 */
prof_status answer_question(service *asked, text_span question, answer *made, prof_error *err);

/* Accepts a zeroed one. */
void answer_fini(answer *made);

#endif
