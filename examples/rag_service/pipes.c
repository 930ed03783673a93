/* SPDX-License-Identifier: Apache-2.0 */
/* The modes for other programs: see pipes.h. */
#include "pipes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vocab.h"

enum { LINES = 1024 }; /* embedded together, so that input of any length needs little memory */

/* A line that is empty has no vector; to skip it would shift all others. */
static prof_status add_line(text_list *lines, const char *line, size_t bytes, size_t number, prof_error *err)
{
    char where[48];
    int added = 0;
    snprintf(where, sizeof where, "standard input, line %zu", number);
    const prof_status status = text_list_add(lines, line, bytes, where, &added, err);
    if (status == PROF_OK && !added)
        return vocab_fail(err, PROF_E_FORMAT, "%s: is empty", where);
    return status;
}

static prof_status read_lines(text_list *lines, size_t *number, prof_error *err)
{
    char *line = NULL;
    size_t room = 0;
    prof_status status = PROF_OK;
    while (status == PROF_OK && lines->count < LINES) {
        const ssize_t bytes = getline(&line, &room, stdin);
        if (bytes < 0)
            break;
        status = add_line(lines, line, (size_t)bytes, ++*number, err);
    }
    if (status == PROF_OK && ferror(stdin))
        status = vocab_fail(err, PROF_E_IO, "standard input: cannot be read: %s", strerror(errno));
    free(line);
    return status;
}

static void print_vector(const float *vector, size_t dimensions)
{
    for (size_t i = 0; i < dimensions; i++)
        printf("%s%.9g", i > 0 ? ", " : "[", (double)vector[i]);
    puts("]");
}

static prof_status embed_lines(encoder *used, const text_list *lines, size_t batch, prof_error *err)
{
    const size_t dimensions = encoder_dimensions(used);
    text_span texts[LINES];
    float *const vectors = malloc(lines->count * dimensions * sizeof *vectors);
    if (vectors == NULL)
        return vocab_fail(err, PROF_E_NO_MEMORY, "no memory for %zu vectors", lines->count);
    for (size_t i = 0; i < lines->count; i++)
        texts[i] = text_list_at(lines, i);
    const prof_status status = encoder_embed(used, texts, lines->count, batch, NULL, vectors, err);
    for (size_t i = 0; i < lines->count && status == PROF_OK; i++)
        print_vector(vectors + i * dimensions, dimensions);
    free(vectors);
    return status;
}

prof_status pipes_embed(encoder *used, size_t batch, prof_error *err)
{
    prof_status status = PROF_OK;
    for (size_t number = 0, more = 1; more && status == PROF_OK;) {
        text_list lines = { 0 };
        status = read_lines(&lines, &number, err);
        more = lines.count == LINES;
        if (status == PROF_OK && lines.count > 0)
            status = embed_lines(used, &lines, batch, err);
        text_list_fini(&lines);
    }
    return status;
}

prof_status pipes_search(service *asked, const text_list *questions, prof_error *err)
{
    for (size_t i = 0; i < questions->count; i++) {
        answer made;
        const prof_status status = answer_question(asked, text_list_at(questions, i), &made, err);
        if (status != PROF_OK)
            return status;
        for (size_t hit = 0; hit < made.hit_count; hit++)
            printf("%s%zu", hit > 0 ? ", " : "{\"documents\": [", made.hits[hit].passage);
        for (size_t hit = 0; hit < made.hit_count; hit++)
            printf("%s%.9g", hit > 0 ? ", " : "], \"scores\": [", (double)made.hits[hit].score);
        puts("]}");
        answer_fini(&made);
    }
    return PROF_OK;
}
