/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts, each kept once: equal texts have one address, and a name that stands
 * ten thousand times in a file takes its bytes once.
 */
#ifndef PROFI_TEXTS_H
#define PROFI_TEXTS_H

#include "base.h"

typedef struct profi_text_slot {
    uint64_t hash;
    char *text; /* NULL: free */
} profi_text_slot;

/* All zero is an empty set. */
typedef struct profi_texts {
    profi_text_slot *slots; /* open addressing, at most half full */
    size_t slot_count, text_count;
} profi_texts;

/* The text of these bytes, which hold no NUL, added if need be; NULL when memory is spent. */
const char *profi_texts_add(profi_texts *texts, const char *text, size_t bytes);

/* The same of bytes from outside, cleaned as names are (base/text.h). */
const char *profi_texts_add_clean(profi_texts *texts, const char *text, size_t bytes);

void profi_texts_fini(profi_texts *texts);

#endif
