/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts the example's encoder behind a pipe, for encoder_check.py: each line
 * of standard input is a text as a JSON string, each line of standard output
 * its vector.  Texts come as they are, uncleaned: NUL and newlines too.
 *
 *     encode_main FOLDER BATCH
 */
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "encoder.h"

enum { TEXT_LIMIT = 1000 };

typedef struct input {
    json_t *lines[TEXT_LIMIT]; /* own the texts */
    text_span texts[TEXT_LIMIT];
    size_t count;
} input;

static int fail(const char *what)
{
    fprintf(stderr, "encode_main: %s\n", what);
    return 1;
}

static int read_input(input *in)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t bytes;
    while (in->count < TEXT_LIMIT && (bytes = getline(&line, &room, stdin)) > 0) {
        json_t *const text = json_loadb(line, (size_t)bytes, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        if (!json_is_string(text))
            return fail("a line is not a JSON string");
        in->lines[in->count] = text;
        in->texts[in->count++] = (text_span){ json_string_value(text), json_string_length(text) };
    }
    free(line);
    return 0;
}

static int embed(encoder *used, const input *in, size_t batch)
{
    prof_error err = PROF_ERROR_INIT;
    const size_t dimensions = encoder_dimensions(used);
    float *const vectors = malloc((in->count * dimensions + 1) * sizeof *vectors);
    if (vectors == NULL)
        return fail("no memory");
    const prof_status status = encoder_embed(used, in->texts, in->count, batch, NULL, vectors, &err);
    for (size_t i = 0; status == PROF_OK && i < in->count * dimensions; i++)
        printf("%.9g%c", (double)vectors[i], (i + 1) % dimensions == 0 ? '\n' : ' ');
    free(vectors);
    return status == PROF_OK ? 0 : fail(err.message);
}

int main(int argc, char **argv)
{
    static input in;
    encoder *used = NULL;
    prof_error err = PROF_ERROR_INIT;
    const unsigned long batch = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    if (batch < 1 || batch > ENCODER_BATCH_LIMIT)
        return fail("FOLDER BATCH") + 1;
    if (encoder_open(argv[1], "cpu", &used, &err) != PROF_OK)
        return fail(err.message);
    const int failed = read_input(&in) != 0 || embed(used, &in, batch) != 0;
    for (size_t i = 0; i < in.count; i++)
        json_decref(in.lines[i]);
    encoder_close(used);
    return failed;
}
