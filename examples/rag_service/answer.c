/* SPDX-License-Identifier: Apache-2.0 */
/* Answering a question: see answer.h. */
#include "answer.h"

#include <stdlib.h>
#include <string.h>

#include "vocab.h"

/* Of a passage or a question in a prompt. */
#define PART_LIMIT_BYTES ((size_t)4096)

static const char before[] = "Answer the question from these passages.\n\n";
static const char asking[] = "\nQuestion: ";
static const char answering[] = "\nAnswer:";

prof_status embed_query(service *asked, text_span question, float *vector, prof_error *err)
{
    PROF_FUNCTION_SAVE();
    return encoder_embed(asked->encoder, &question, 1, 1, NULL, vector, err);
}

/* ------------------------------------------------------------------------
 * The prompt
 */

/* Returns how much of a text goes in: never half a character. */
static size_t part_bytes(text_span part)
{
    size_t bytes = part.bytes;
    if (bytes <= PART_LIMIT_BYTES)
        return bytes;
    for (bytes = PART_LIMIT_BYTES; bytes > 0 && ((unsigned char)part.text[bytes] & 0xc0) == 0x80;)
        bytes--;
    return bytes;
}

static char *put(char *into, const char *text, size_t bytes)
{
    memcpy(into, text, bytes);
    return into + bytes;
}

/*
 * The best passage comes last, next to the question: where a prompt is too
 * long its beginning is left out.
 */
static prof_status make_prompt(const service *asked, text_span question, const answer *made, char **prompt,
                               size_t *bytes, prof_error *err)
{
    PROF_FUNCTION();
    size_t room = sizeof before + sizeof asking + sizeof answering + part_bytes(question);
    for (size_t i = 0; i < made->hit_count; i++)
        room += part_bytes(text_list_at(asked->passages, made->hits[i].passage)) + 1;
    char *const text = malloc(room);
    if (text == NULL)
        return vocab_fail(err, PROF_E_NO_MEMORY, "no memory for a prompt of %zu bytes", room);
    char *at = put(text, before, sizeof before - 1);
    for (size_t i = made->hit_count; i-- > 0;) {
        const text_span passage = text_list_at(asked->passages, made->hits[i].passage);
        at = put(at, passage.text, part_bytes(passage));
        *at++ = '\n';
    }
    at = put(at, asking, sizeof asking - 1);
    at = put(at, question.text, part_bytes(question));
    at = put(at, answering, sizeof answering - 1);
    *prompt = text;
    *bytes = (size_t)(at - text);
    PROF_ITEMS_UNIT(*bytes, "bytes");
    return PROF_OK;
}

prof_status get_response(service *asked, text_span question, answer *made, prof_error *err)
{
    PROF_FUNCTION_WITH(PROF_SITE_SAVE | PROF_SITE_RSS | PROF_SITE_WAIT); /* slow: at work, or waiting? */
    char *prompt = NULL;
    size_t bytes = 0;
    prof_status status = make_prompt(asked, question, made, &prompt, &bytes, err);
    if (status == PROF_OK)
        status = generator_continue(asked->generator, prompt, bytes, asked->max_tokens, &made->generated, err);
    PROF_ITEMS_UNIT(made->generated.new_tokens, "tokens");
    free(prompt);
    return status;
}

/* ------------------------------------------------------------------------
 * The whole of it
 */

prof_status answer_question(service *asked, text_span question, answer *made, prof_error *err)
{
    PROF_FUNCTION_WITH(PROF_SITE_RSS);
    float *const vector = malloc(encoder_dimensions(asked->encoder) * sizeof *vector);
    *made = (answer){ .hit_count = asked->top };
    if (vector == NULL)
        return vocab_fail(err, PROF_E_NO_MEMORY, "no memory for a vector");
    prof_status status = embed_query(asked, question, vector, err);
    if (status == PROF_OK)
        status = passage_index_search(asked->index, vector, made->hits, &made->hit_count, err);
    if (status == PROF_OK && asked->generator != NULL)
        status = get_response(asked, question, made, err);
    free(vector);
    return status;
}

void answer_fini(answer *made)
{
    free(made->generated.text);
    made->generated.text = NULL;
}
