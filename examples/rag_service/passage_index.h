/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index over the passages: found again from an earlier start, or built
 * and kept for the next.
 *
 * Owns the decision which of the two happens.  A start with the same
 * passages and the same model finds the same file, whose name is a hash of
 * both; damage leads to a message and to building anew.
 */
#ifndef RAG_SERVICE_PASSAGE_INDEX_H
#define RAG_SERVICE_PASSAGE_INDEX_H

#include <profcore/prof.h>

#include "encoder.h"
#include "text_list.h"

/* Where an index came from. */
#define PASSAGE_INDEX_BUILT 1 /* and saved for the next start, unless saving failed */
#define PASSAGE_INDEX_FOUND 2

typedef struct passage_index passage_index;

typedef struct passage_hit {
    size_t passage;
    float score; /* the cosine */
} passage_hit;

/* What a report says about the index. */
typedef struct passage_index_facts {
    int origin;        /* PASSAGE_INDEX_… */
    int is_saved;      /* there is a file for the next start */
    size_t count;
    uint32_t dimensions;
    uint64_t bytes;    /* of the vectors */
    uint64_t build_ns; /* of building it: now, or at the start that built it */
} passage_index_facts;

/*
 * Makes the index ready.
 *
 *   folder   Where indexes are kept; made when missing.  A folder that cannot
 *            be used costs a message on standard error, and building.
 *   batch    As for encoder_embed().
 *   made     Receives it; passage_index_close() ends it.
 *   returns  PROF_OK, or why the passages could not be embedded.
 */
prof_status passage_index_open(encoder *used, const text_list *passages, const char *folder, size_t batch,
                               passage_index **made, prof_error *err);

/* NULL is accepted. */
void passage_index_close(passage_index *closed);

/*
 * Finds the passages nearest to a vector, best first.
 *
 *   hits     Receives them.
 *   count    In: how many are wanted.  Out: how many there are.
 */
prof_status passage_index_search(const passage_index *searched, const float *vector, passage_hit *hits,
                                 size_t *count, prof_error *err);

passage_index_facts passage_index_describe(const passage_index *asked);

#endif
