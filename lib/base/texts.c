/* SPDX-License-Identifier: Apache-2.0 */
/* The set of texts: see texts.h. */
#include "texts.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>

static profi_text_slot *find_slot(const profi_texts *texts, uint64_t hash, const char *text, size_t bytes)
{
    size_t mask = texts->slot_count - 1;
    for (size_t at = hash & mask;; at = (at + 1) & mask) {
        profi_text_slot *slot = &texts->slots[at];
        if (slot->text == NULL ||
            (slot->hash == hash && strncmp(slot->text, text, bytes) == 0 && slot->text[bytes] == '\0'))
            return slot;
    }
}

static int grow(profi_texts *texts)
{
    profi_texts larger = { .slot_count = texts->slot_count ? texts->slot_count * 2 : 64,
                           .text_count = texts->text_count };
    larger.slots = calloc(larger.slot_count, sizeof(*larger.slots));
    if (larger.slots == NULL)
        return 0;
    for (size_t i = 0; i < texts->slot_count; i++) {
        size_t at = texts->slots[i].hash & (larger.slot_count - 1);
        if (texts->slots[i].text == NULL)
            continue;
        while (larger.slots[at].text != NULL)
            at = (at + 1) & (larger.slot_count - 1);
        larger.slots[at] = texts->slots[i];
    }
    free(texts->slots);
    *texts = larger;
    return 1;
}

const char *profi_texts_add(profi_texts *texts, const char *text, size_t bytes)
{
    if (texts->text_count >= texts->slot_count / 2 && !grow(texts))
        return NULL;
    uint64_t hash = profi_text_hash(text, bytes, profi_hash_seed());
    profi_text_slot *slot = find_slot(texts, hash, text, bytes);
    if (slot->text == NULL) {
        slot->text = malloc(bytes + 1);
        if (slot->text == NULL)
            return NULL;
        memcpy(slot->text, text, bytes);
        slot->text[bytes] = '\0';
        slot->hash = hash;
        texts->text_count++;
    }
    return slot->text;
}

const char *profi_texts_add_clean(profi_texts *texts, const char *text, size_t bytes)
{
    char clean[PROFI_TEXT_MAX];
    bytes = profi_text_clean(clean, text, bytes);
    return profi_texts_add(texts, clean, bytes);
}

void profi_texts_fini(profi_texts *texts)
{
    for (size_t i = 0; i < texts->slot_count; i++)
        free(texts->slots[i].text);
    free(texts->slots);
    *texts = (profi_texts){ 0 };
}
