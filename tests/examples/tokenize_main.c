/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts the example's tokenisers behind a pipe, for tokenizer_check.py: each
 * line of standard input is a text as a JSON string, each line of standard
 * output its ids.
 *
 *     tokenize_main wordpiece VOCAB.TXT MAX_LENGTH
 *     tokenize_main bpe VOCAB.JSON MERGES.TXT      (also checks the way back)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "bpe.h"
#include "wordpiece.h"

typedef struct tokenizer {
    wordpiece *pieces; /* one of the two */
    bpe *tokens;
    size_t max_length; /* of the pieces */
} tokenizer;

static int fail(const char *what)
{
    fprintf(stderr, "tokenize_main: %s\n", what);
    return 1;
}

/* Whether the ids stand for exactly this text. */
static int comes_back(const bpe *tokens, const char *text, size_t bytes, const int64_t *ids, size_t count)
{
    char *const back = malloc(bytes + 1);
    const int same = back != NULL && bpe_decode(tokens, ids, count, back, bytes + 1) == bytes &&
                     memcmp(back, text, bytes) == 0;
    free(back);
    return same;
}

static int encode(const tokenizer *t, const char *text, size_t bytes, int64_t *ids, size_t capacity, size_t *count)
{
    prof_error err = PROF_ERROR_INIT;
    if (t->pieces != NULL) {
        *count = wordpiece_encode(t->pieces, text, bytes, ids, capacity < t->max_length ? capacity : t->max_length, 0);
        return 0;
    }
    if (bpe_encode(t->tokens, text, bytes, ids, capacity, count, &err) != PROF_OK)
        return fail(err.message);
    if (*count > capacity || !comes_back(t->tokens, text, bytes, ids, *count))
        return fail("the ids do not give the text back");
    return 0;
}

static int do_line(const tokenizer *t, const char *line, size_t line_bytes)
{
    json_error_t wrong;
    json_t *const text = json_loadb(line, line_bytes, JSON_DECODE_ANY | JSON_ALLOW_NUL, &wrong);
    if (!json_is_string(text))
        return fail(text != NULL ? "a line is not a JSON string" : wrong.text);
    size_t count = 0;
    /* A character gives six pieces at most, and two frame the text. */
    const size_t bytes = json_string_length(text), capacity = 6 * bytes + 2;
    int64_t *const ids = malloc(capacity * sizeof *ids);
    const int failed =
        ids == NULL ? fail("no memory") : encode(t, json_string_value(text), bytes, ids, capacity, &count);
    for (size_t i = 0; !failed && i < count; i++)
        printf(i > 0 ? " %lld" : "%lld", (long long)ids[i]);
    printf("\n");
    free(ids);
    json_decref(text);
    return failed;
}

int main(int argc, char **argv)
{
    tokenizer t = { NULL, NULL, 0 };
    prof_error err = PROF_ERROR_INIT;
    prof_status status = PROF_E_INVALID;
    if (argc == 4 && strcmp(argv[1], "wordpiece") == 0)
        status = wordpiece_open(argv[2], &t.pieces, &err);
    else if (argc == 4 && strcmp(argv[1], "bpe") == 0)
        status = bpe_open(argv[2], argv[3], &t.tokens, &err);
    else
        return fail("wordpiece VOCAB.TXT MAX_LENGTH | bpe VOCAB.JSON MERGES.TXT") + 1;
    if (status != PROF_OK)
        return fail(err.message);
    if (t.pieces != NULL)
        t.max_length = strtoul(argv[3], NULL, 10);
    char *line = NULL;
    size_t room = 0;
    ssize_t bytes;
    int failed = 0;
    while (!failed && (bytes = getline(&line, &room, stdin)) > 0)
        failed = do_line(&t, line, (size_t)bytes);
    free(line);
    wordpiece_close(t.pieces);
    bpe_close(t.tokens);
    return failed;
}
