/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What bpe_files.c fills and bpe.c reads: the inside of a byte-level BPE
 * tokeniser.  Its invariant: once open it is only read, every byte has a
 * token, and what a merge names is in the vocabulary.
 *
 *     merges       [ left, right, result | … ]   by rank, the best first
 *     merge_slots  [ - | 3 | - | … ]             rank + 1 by the pair's hash
 */
#ifndef RAG_SERVICE_BPE_TABLES_H
#define RAG_SERVICE_BPE_TABLES_H

#include <stdint.h>

#include "bpe.h"
#include "vocab.h"

typedef struct bpe_merge {
    uint32_t left, right, result; /* ids */
} bpe_merge;

struct bpe {
    vocab tokens; /* as bytes, out of GPT-2's alphabet */
    bpe_merge *merges;
    uint32_t *merge_slots; /* open addressing; 0 is free */
    uint32_t merge_count, merge_mask;
    uint32_t of_byte[256]; /* ids */
    uint32_t end;          /* VOCAB_NONE where there is none */
};

/* Where to begin to look for a pair. */
static inline uint32_t bpe_merge_slot(const bpe *tokenizer, uint32_t left, uint32_t right)
{
    const uint64_t mixed = ((uint64_t)left << 32 | right) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(mixed >> 32) & tokenizer->merge_mask;
}

#endif
