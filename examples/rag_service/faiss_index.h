/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FAISS behind C functions: exact search by inner product.
 *
 * No C++ type crosses this header and no exception leaves.  Vectors of unit
 * length make the product a cosine.
 */
#ifndef RAG_SERVICE_FAISS_INDEX_H
#define RAG_SERVICE_FAISS_INDEX_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct faiss_index faiss_index;

/* An index over a copy of count × dimensions numbers; NULL when memory is short. */
faiss_index *faiss_index_open(const float *vectors, size_t count, size_t dimensions);

/* NULL is accepted. */
void faiss_index_close(faiss_index *closed);

/*
 * Finds the nearest vectors, best first.
 *
 *   top      How many; those beyond the count of vectors get the number -1.
 *   numbers, scores  Receive top of each.
 *   returns  0, or -1 when memory is short.
 *   threads  Any, at once.
 */
int faiss_index_search(const faiss_index *searched, const float *vector, size_t top, int64_t *numbers, float *scores);

#ifdef __cplusplus
}
#endif

#endif
