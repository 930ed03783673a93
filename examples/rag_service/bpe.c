/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Byte-level BPE as GPT-2 has it: see bpe.h.
 *
 *     text -> words (the pre-tokeniser's pattern) -> one symbol a byte
 *          -> merged pair by pair, the best rank first, leftmost first -> ids
 *
 * A word's symbols form a linked list; a heap holds the pairs that may merge.
 * What a merge made stale stays in the heap and is recognised when it comes
 * up, so a word of n bytes costs n log n at worst, whatever it holds.
 *
 *     symbols   [t][o][k]-[e][n]        list, through next and previous
 *     heap      (rank << 32) | place    the smallest is the next merge
 */
#include <stdlib.h>
#include <string.h>

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "bpe_tables.h"

#define TEXT_LIMIT_BYTES ((size_t)1 << 30)
#define SHORT_WORD 128 /* bytes; longer ones need memory of their own */

/* ------------------------------------------------------------------------
 * The pre-tokeniser: 's|'t|'re|'ve|'m|'ll|'d| ?letters| ?numbers| ?others|
 * blanks but for the last before a word|blanks
 */

typedef enum char_class { LETTER, NUMBER, BLANK, OTHER } char_class;

/* The class of the character at `at`; *next receives where it ends.  A broken byte is an OTHER. */
static char_class class_at(const char *text, size_t at, size_t end, size_t *next)
{
    UChar32 c;
    U8_NEXT(text, at, end, c);
    *next = at;
    if (c < 0)
        return OTHER;
    if (u_isUWhiteSpace(c))
        return BLANK;
    const uint32_t category = U_MASK(u_charType(c));
    return (category & U_GC_L_MASK) != 0 ? LETTER : (category & U_GC_N_MASK) != 0 ? NUMBER : OTHER;
}

/* Where the run of characters of one class ends that begins at `at`; *last receives its last character's place. */
static size_t end_of_run(const char *text, size_t at, size_t end, char_class class, size_t *last)
{
    size_t next;
    while (at < end && class_at(text, at, end, &next) == class) {
        *last = at;
        at = next;
    }
    return at;
}

static size_t contraction_bytes(const char *text, size_t at, size_t end)
{
    static const char all[][4] = { "'s", "'t", "'re", "'ve", "'m", "'ll", "'d" };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        const size_t bytes = strlen(all[i]);
        if (end - at >= bytes && memcmp(text + at, all[i], bytes) == 0)
            return bytes;
    }
    return 0;
}

/* Where the word ends that begins at `at`, which is before `end`. */
static size_t end_of_word(const char *text, size_t at, size_t end)
{
    size_t next, last = at;
    if (text[at] == '\'') {
        const size_t bytes = contraction_bytes(text, at, end);
        if (bytes > 0)
            return at + bytes;
    }
    const size_t first = text[at] == ' ' && at + 1 < end ? at + 1 : at;
    const char_class class = class_at(text, first, end, &next);
    if (class != BLANK)
        return end_of_run(text, first, end, class, &last);
    next = end_of_run(text, at, end, BLANK, &last);
    return next == end || last == at ? next : last; /* the last one belongs to the word that follows */
}

/* ------------------------------------------------------------------------
 * Merging
 */

#define NOWHERE UINT32_MAX

typedef struct symbol {
    uint32_t id, previous, next; /* places in the word; id is VOCAB_NONE once merged into its left neighbour */
} symbol;

typedef struct merger {
    const bpe *tokenizer;
    symbol *symbols;
    uint64_t *heap;
    size_t heap_count, room; /* room: for words of so many bytes */
    void *owned;
    symbol few_symbols[SHORT_WORD];
    uint64_t few_pairs[2 * SHORT_WORD];
} merger;

static prof_status make_room(merger *m, size_t word_bytes, prof_error *err)
{
    if (word_bytes <= m->room)
        return PROF_OK;
    /* Each merge takes one pair out of the heap and puts at most two in. */
    const size_t heap_bytes = 2 * word_bytes * sizeof *m->heap;
    void *const memory = malloc(heap_bytes + word_bytes * sizeof *m->symbols);
    if (memory == NULL)
        return vocab_fail(err, PROF_E_NO_MEMORY, "no memory to tokenise a word of %zu bytes", word_bytes);
    free(m->owned);
    m->owned = memory;
    m->heap = memory;
    m->symbols = (symbol *)(void *)((char *)memory + heap_bytes);
    m->room = word_bytes;
    return PROF_OK;
}

static void push(merger *m, uint64_t pair)
{
    size_t at = m->heap_count++;
    while (at > 0 && m->heap[(at - 1) / 2] > pair) {
        m->heap[at] = m->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    m->heap[at] = pair;
}

static uint64_t pop(merger *m)
{
    const uint64_t top = m->heap[0], moved = m->heap[--m->heap_count];
    size_t at = 0, child;
    while ((child = 2 * at + 1) < m->heap_count) {
        if (child + 1 < m->heap_count && m->heap[child + 1] < m->heap[child])
            child++;
        if (m->heap[child] >= moved)
            break;
        m->heap[at] = m->heap[child];
        at = child;
    }
    m->heap[at] = moved;
    return top;
}

/* Returns the rank of a pair, or VOCAB_NONE. */
static uint32_t find_merge(const bpe *tokenizer, uint32_t left, uint32_t right)
{
    uint32_t slot = bpe_merge_slot(tokenizer, left, right);
    for (; tokenizer->merge_slots[slot] != 0; slot = (slot + 1) & tokenizer->merge_mask) {
        const uint32_t rank = tokenizer->merge_slots[slot] - 1;
        if (tokenizer->merges[rank].left == left && tokenizer->merges[rank].right == right)
            return rank;
    }
    return VOCAB_NONE;
}

/* Notes that the symbol at `left` and its neighbour may merge, if they may. */
static void propose(merger *m, uint32_t left)
{
    if (left == NOWHERE || m->symbols[left].next == NOWHERE)
        return;
    const uint32_t rank = find_merge(m->tokenizer, m->symbols[left].id, m->symbols[m->symbols[left].next].id);
    if (rank != VOCAB_NONE)
        push(m, (uint64_t)rank << 32 | left);
}

static void merge_best(merger *m)
{
    const uint64_t pair = pop(m);
    const bpe_merge *const how = &m->tokenizer->merges[pair >> 32];
    const uint32_t at = (uint32_t)pair;
    symbol *const left = &m->symbols[at];
    if (left->id != how->left || left->next == NOWHERE || m->symbols[left->next].id != how->right)
        return; /* an earlier merge took one of the two */
    symbol *const right = &m->symbols[left->next];
    left->id = how->result;
    left->next = right->next;
    right->id = VOCAB_NONE;
    if (left->next != NOWHERE)
        m->symbols[left->next].previous = at;
    propose(m, left->previous);
    propose(m, at);
}

static void merge_word(merger *m, const char *word, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        m->symbols[i] = (symbol){ m->tokenizer->of_byte[(unsigned char)word[i]], i > 0 ? i - 1 : NOWHERE,
                                  i + 1 < bytes ? i + 1 : NOWHERE };
    m->heap_count = 0;
    for (uint32_t i = 0; i < bytes; i++)
        propose(m, i);
    while (m->heap_count > 0)
        merge_best(m);
}

prof_status bpe_encode(const bpe *tokenizer, const char *text, size_t text_bytes, int64_t *ids, size_t capacity,
                       size_t *count, prof_error *err)
{
    if (tokenizer == NULL || count == NULL || (text == NULL && text_bytes > 0) || (ids == NULL && capacity > 0))
        return vocab_fail(err, PROF_E_INVALID, "bpe_encode: an argument is NULL");
    if (text_bytes > TEXT_LIMIT_BYTES)
        return vocab_fail(err, PROF_E_INVALID, "bpe_encode: the text has more than %zu bytes", TEXT_LIMIT_BYTES);
    prof_status status = PROF_OK;
    size_t total = 0;
    merger m;
    m.tokenizer = tokenizer;
    m.symbols = m.few_symbols;
    m.heap = m.few_pairs;
    m.room = SHORT_WORD;
    m.owned = NULL;
    for (size_t at = 0, end; at < text_bytes; at = end) {
        end = end_of_word(text, at, text_bytes);
        if ((status = make_room(&m, end - at, err)) != PROF_OK)
            break;
        merge_word(&m, text + at, (uint32_t)(end - at));
        for (uint32_t i = 0; i != NOWHERE; i = m.symbols[i].next, total++)
            if (total < capacity)
                ids[total] = m.symbols[i].id;
    }
    free(m.owned);
    if (status == PROF_OK)
        *count = total;
    return status;
}

/* ------------------------------------------------------------------------
 * And back
 */

size_t bpe_decode(const bpe *tokenizer, const int64_t *ids, size_t count, char *text, size_t capacity)
{
    vocab_sink sink = { text, text != NULL ? capacity : 0, 0, 0 };
    vocab_put(&sink, "", 0);
    if (tokenizer == NULL || ids == NULL)
        return 0;
    const vocab *const tokens = &tokenizer->tokens;
    for (size_t i = 0; i < count; i++)
        if (ids[i] >= 0 && ids[i] < tokens->count)
            vocab_put(&sink, tokens->text + tokens->entries[ids[i]].start, tokens->entries[ids[i]].bytes);
    return sink.length;
}

size_t bpe_count(const bpe *tokenizer)
{
    return tokenizer->tokens.count;
}

int64_t bpe_end(const bpe *tokenizer)
{
    return tokenizer->end == VOCAB_NONE ? -1 : (int64_t)tokenizer->end;
}
