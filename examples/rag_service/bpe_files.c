/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens a byte-level BPE tokeniser: reads and checks vocab.json and
 * merges.txt, which come from anywhere.  Knows nothing of text to encode;
 * bpe.c does that with the tables made here.
 *
 * Its one invariant: what bpe_open() hands out needs no check any more.
 */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <unicode/utf8.h>

#include "bpe_tables.h"

#define FILE_LIMIT_BYTES ((size_t)32 << 20)
#define TOKEN_LIMIT_BYTES 1000
#define PROBE_LIMIT 1000 /* as in vocab.c */
#define END_TOKEN "<|endoftext|>"

/* ------------------------------------------------------------------------
 * The byte alphabet: in its files GPT-2 shows each byte as one visible
 * character.  Bytes that are visible in Latin-1 stand for themselves, the
 * others follow from U+0100 on.
 */

typedef struct alphabet {
    int16_t byte_of[256 + 68]; /* by character; -1: none */
} alphabet;

static void alphabet_init(alphabet *made)
{
    int next = 256;
    memset(made->byte_of, -1, sizeof made->byte_of);
    for (int byte = 0; byte < 256; byte++) {
        const int is_visible = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte != 0xad);
        made->byte_of[is_visible ? byte : next++] = (int16_t)byte;
    }
}

/* Turns `text` in place, it only becomes shorter.  Returns its length, or 0 if it is not in the alphabet. */
static size_t to_bytes(const alphabet *map, char *text, size_t text_bytes)
{
    size_t length = 0;
    for (size_t at = 0; at < text_bytes;) {
        UChar32 c;
        U8_NEXT(text, at, text_bytes, c);
        if (c < 0 || c >= 256 + 68 || map->byte_of[c] < 0)
            return 0;
        text[length++] = (char)map->byte_of[c];
    }
    return length;
}

/* ------------------------------------------------------------------------
 * vocab.json
 */

typedef struct json_size {
    size_t count, text_bytes;
} json_size;

/* What the table will need; refuses values that are no ids. */
static prof_status measure(json_t *root, const char *path, json_size *size, prof_error *err)
{
    const char *key;
    json_t *value;
    json_int_t largest = -1;
    if (!json_is_object(root) || json_object_size(root) == 0)
        return vocab_fail(err, PROF_E_FORMAT, "%s: not a BPE vocabulary: not an object of tokens", path);
    size->text_bytes = 0;
    json_object_foreach(root, key, value)
    {
        const json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
        const size_t bytes = strlen(key);
        if (id < 0 || id >= VOCAB_LIMIT)
            return vocab_fail(err, PROF_E_FORMAT, "%s: the id of \"%.100s\" is not a number below %u", path, key,
                              VOCAB_LIMIT);
        if (bytes == 0 || bytes > TOKEN_LIMIT_BYTES)
            return vocab_fail(err, PROF_E_FORMAT, "%s: the token of id %d is empty or too long", path, (int)id);
        size->text_bytes += bytes;
        largest = id > largest ? id : largest;
    }
    size->count = (size_t)largest + 1;
    return PROF_OK;
}

static prof_status add_tokens(vocab *tokens, json_t *root, const alphabet *map, const char *path, prof_error *err)
{
    const char *key;
    json_t *value;
    uint32_t start = 0;
    json_object_foreach(root, key, value)
    {
        const uint32_t id = (uint32_t)json_integer_value(value);
        if (tokens->entries[id].bytes != 0)
            return vocab_fail(err, PROF_E_FORMAT, "%s: two tokens have the id %u", path, id);
        const size_t key_bytes = strlen(key);
        memcpy(tokens->text + start, key, key_bytes);
        const uint32_t bytes = (uint32_t)to_bytes(map, tokens->text + start, key_bytes);
        if (bytes == 0)
            return vocab_fail(err, PROF_E_FORMAT, "%s: token \"%.100s\" is not in GPT-2's byte alphabet", path, key);
        if (vocab_add(tokens, id, start, bytes) != PROF_OK) /* keys are unique, so are their bytes */
            return vocab_fail(err, PROF_E_FORMAT, "%s: many tokens were made to collide", path);
        start += bytes;
    }
    return PROF_OK;
}

static prof_status fill_tokens(bpe *made, json_t *root, const alphabet *map, const char *path, prof_error *err)
{
    json_size size = { 0, 0 };
    prof_status status = measure(root, path, &size, err);
    if (status != PROF_OK)
        return status;
    char *const text = malloc(size.text_bytes);
    if (text == NULL || vocab_init(&made->tokens, text, (uint32_t)size.count) != PROF_OK)
        return vocab_fail(err, PROF_E_NO_MEMORY, "%s: no memory for its tokens", path);
    if ((status = add_tokens(&made->tokens, root, map, path, err)) != PROF_OK)
        return status;
    for (int byte = 0; byte < 256; byte++) {
        const char one = (char)byte;
        made->of_byte[byte] = vocab_find(&made->tokens, &one, 1);
        if (made->of_byte[byte] == VOCAB_NONE)
            return vocab_fail(err, PROF_E_FORMAT, "%s: not a byte-level vocabulary: no token for the byte 0x%02x",
                              path, byte);
    }
    made->end = vocab_find(&made->tokens, END_TOKEN, strlen(END_TOKEN));
    return PROF_OK;
}

static prof_status load_tokens(bpe *made, const alphabet *map, const char *path, prof_error *err)
{
    char *text = NULL;
    size_t text_bytes = 0;
    json_error_t wrong;
    prof_status status = vocab_read_file(path, FILE_LIMIT_BYTES, &text, &text_bytes, err);
    if (status != PROF_OK)
        return status;
    json_t *const root = json_loadb(text, text_bytes, JSON_REJECT_DUPLICATES, &wrong);
    free(text);
    if (root == NULL)
        return vocab_fail(err, PROF_E_FORMAT, "%s: line %d, column %d: %s", path, wrong.line, wrong.column, wrong.text);
    status = fill_tokens(made, root, map, path, err);
    json_decref(root);
    return status;
}

/* ------------------------------------------------------------------------
 * merges.txt
 */

/* Returns what is wrong with the merge, or NULL. */
static const char *add_merge(bpe *made, uint32_t left, uint32_t right, uint32_t result)
{
    uint32_t slot = bpe_merge_slot(made, left, right), probes = 0;
    for (; made->merge_slots[slot] != 0; slot = (slot + 1) & made->merge_mask) {
        const bpe_merge *const other = &made->merges[made->merge_slots[slot] - 1];
        if (other->left == left && other->right == right)
            return "repeats an earlier line";
        if (++probes == PROBE_LIMIT)
            return "is one of many that were made to collide";
    }
    made->merges[made->merge_count] = (bpe_merge){ left, right, result };
    made->merge_slots[slot] = ++made->merge_count;
    return NULL;
}

/* Takes a line apart, in place.  Returns what is wrong with it, or NULL. */
static const char *add_merge_line(bpe *made, const alphabet *map, char *line, size_t bytes)
{
    char *const blank = memchr(line, ' ', bytes);
    if (blank == NULL || blank == line || blank == line + bytes - 1 ||
        memchr(blank + 1, ' ', (size_t)(line + bytes - blank - 1)) != NULL)
        return "is not two tokens with a blank between";
    const size_t left_bytes = to_bytes(map, line, (size_t)(blank - line));
    const size_t right_bytes = to_bytes(map, blank + 1, (size_t)(line + bytes - blank - 1));
    if (left_bytes == 0 || right_bytes == 0)
        return "is not in GPT-2's byte alphabet";
    const uint32_t left = vocab_find(&made->tokens, line, left_bytes);
    const uint32_t right = vocab_find(&made->tokens, blank + 1, right_bytes);
    memmove(line + left_bytes, blank + 1, right_bytes);
    const uint32_t result = vocab_find(&made->tokens, line, left_bytes + right_bytes);
    if (left == VOCAB_NONE || right == VOCAB_NONE || result == VOCAB_NONE)
        return "does not belong to the vocabulary: a token, or the two together, is not in it";
    return add_merge(made, left, right, result);
}

static prof_status add_merges(bpe *made, const alphabet *map, char *text, size_t text_bytes, const char *path,
                              prof_error *err)
{
    size_t line_number = 0;
    for (size_t start = 0, end; start < text_bytes; start = end + 1) {
        char *const line = text + start;
        const char *const newline = memchr(line, '\n', text_bytes - start);
        end = newline != NULL ? (size_t)(newline - text) : text_bytes;
        size_t bytes = end - start;
        if (bytes > 0 && line[bytes - 1] == '\r')
            bytes--;
        if (++line_number == 1 && bytes >= 8 && memcmp(line, "#version", 8) == 0)
            continue;
        const char *const wrong = add_merge_line(made, map, line, bytes);
        if (wrong != NULL)
            return vocab_fail(err, PROF_E_FORMAT, "%s: line %zu %s", path, line_number, wrong);
    }
    return PROF_OK;
}

static prof_status fill_merges(bpe *made, const alphabet *map, char *text, size_t text_bytes, const char *path,
                               prof_error *err)
{
    size_t limit = 1, slot_count = 16;
    for (size_t i = 0; i < text_bytes; i++)
        limit += text[i] == '\n';
    if (limit > VOCAB_LIMIT)
        return vocab_fail(err, PROF_E_FORMAT, "%s: has %zu lines, more than such a file may have (%u)", path, limit,
                          VOCAB_LIMIT);
    while (slot_count < 2 * limit)
        slot_count *= 2;
    made->merge_mask = (uint32_t)slot_count - 1;
    made->merges = calloc(limit, sizeof *made->merges);
    made->merge_slots = calloc(slot_count, sizeof *made->merge_slots);
    if (made->merges == NULL || made->merge_slots == NULL)
        return vocab_fail(err, PROF_E_NO_MEMORY, "%s: no memory for its %zu lines", path, limit);
    return add_merges(made, map, text, text_bytes, path, err);
}

static prof_status load_merges(bpe *made, const alphabet *map, const char *path, prof_error *err)
{
    char *text = NULL;
    size_t text_bytes = 0;
    prof_status status = vocab_read_file(path, FILE_LIMIT_BYTES, &text, &text_bytes, err);
    if (status == PROF_OK)
        status = fill_merges(made, map, text, text_bytes, path, err);
    free(text);
    return status;
}

/* ------------------------------------------------------------------------
 * Life
 */

prof_status bpe_open(const char *vocab_path, const char *merges_path, bpe **tokenizer, prof_error *err)
{
    alphabet map;
    prof_status status;
    if (vocab_path == NULL || merges_path == NULL || tokenizer == NULL)
        return vocab_fail(err, PROF_E_INVALID, "bpe_open: an argument is NULL");
    bpe *const made = calloc(1, sizeof *made);
    if (made == NULL)
        return vocab_fail(err, PROF_E_NO_MEMORY, "bpe_open: no memory");
    alphabet_init(&map);
    if ((status = load_tokens(made, &map, vocab_path, err)) != PROF_OK ||
        (status = load_merges(made, &map, merges_path, err)) != PROF_OK) {
        bpe_close(made);
        return status;
    }
    *tokenizer = made;
    return PROF_OK;
}

void bpe_close(bpe *tokenizer)
{
    if (tokenizer == NULL)
        return;
    vocab_fini(&tokenizer->tokens);
    free(tokenizer->merges);
    free(tokenizer->merge_slots);
    free(tokenizer);
}
