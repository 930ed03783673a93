/* SPDX-License-Identifier: Apache-2.0 */
/* Questions and answers: see conversation.h. */
#include "conversation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "figures.h"
#include "vocab.h"

#define NO_PASSAGE SIZE_MAX
#define LINE_LIMIT_BYTES ((size_t)1 << 16)

/* What a model makes may hold anything; a terminal must not obey it. */
static void print_harmless(const char *text)
{
    for (; *text != '\0'; text++) {
        const unsigned char c = (unsigned char)*text;
        putchar((c < ' ' && c != '\n' && c != '\t') || c == 0x7f ? '?' : c);
    }
}

static void print_generated(const service *asked, const answer *made)
{
    const generation *const text = &made->generated;
    if (text->text != NULL) {
        fputs("  answer: ", stdout);
        print_harmless(text->text);
        putchar('\n');
        return;
    }
    const text_span best = text_list_at(asked->passages, made->hits[0].passage);
    printf("  answer: %s\n", best.text);
    printf("    (the best passage: the generator has random weights, its %zu tokens measure speed only)\n",
           text->new_tokens);
}

/* `known` is the passage that answers it, or NO_PASSAGE.  Returns its place among the hits from 1, or 0. */
static size_t print_answer(const service *asked, text_span question, const answer *made, size_t known)
{
    size_t place = 0;
    printf("\n? %s\n", question.text);
    for (size_t i = 0; i < made->hit_count; i++) {
        const passage_hit *const hit = &made->hits[i];
        const text_span passage = text_list_at(asked->passages, hit->passage);
        const int is_known = hit->passage == known;
        if (is_known)
            place = i + 1;
        printf("  %zu. %.3f%c %.*s%s\n", i + 1, (double)hit->score, is_known ? '*' : ' ',
               passage.bytes < 100 ? (int)passage.bytes : 96, passage.text, passage.bytes < 100 ? "" : " ...");
    }
    print_generated(asked, made);
    if (place > 0)
        printf("    (* the sense that this sentence is an example of)\n");
    fflush(stdout);
    return place;
}

static prof_status converse(service *asked, text_span question, size_t known, tally *counted, prof_error *err)
{
    answer made;
    const prof_status status = answer_question(asked, question, &made, err);
    if (status == PROF_OK) {
        const size_t place = print_answer(asked, question, &made, known);
        if (counted != NULL) {
            counted->known++;
            counted->found += place > 0;
        }
    }
    answer_fini(&made);
    return status;
}

prof_status conversation_of_list(service *asked, const text_list *questions, prof_error *err)
{
    prof_status status = PROF_OK;
    for (size_t i = 0; i < questions->count && status == PROF_OK; i++)
        status = converse(asked, text_list_at(questions, i), NO_PASSAGE, NULL, err);
    return status;
}

prof_status conversation_of_source(service *asked, const documents *read, tally *counted, prof_error *err)
{
    const size_t all = read->questions.count, some = all < BUILT_IN_QUESTIONS ? all : BUILT_IN_QUESTIONS;
    prof_status status = PROF_OK;
    for (size_t i = 0; i < some && status == PROF_OK; i++) {
        const size_t number = i * all / some;
        status = converse(asked, text_list_at(&read->questions, number), read->answers[number], counted, err);
    }
    return status;
}

/* ------------------------------------------------------------------------
 * On a terminal
 */

/* Returns the length of the next line without its end, or -1. */
static ssize_t ask(char **line, size_t *room)
{
    PROF_BLOCK("wait_for_question");
    fputs("\nquestion (Ctrl-D ends): ", stdout);
    fflush(stdout);
    ssize_t bytes = getline(line, room, stdin);
    while (bytes > 0 && ((*line)[bytes - 1] == '\n' || (*line)[bytes - 1] == '\r'))
        bytes--;
    return bytes;
}

/* What is wrong with a question is said, and the next one asked for. */
static prof_status answer_line(service *asked, const char *line, size_t bytes, prof_error *err)
{
    text_list one = { 0 };
    prof_error why = PROF_ERROR_INIT;
    int added = 0;
    prof_status status = PROF_OK;
    if (bytes > LINE_LIMIT_BYTES)
        printf("  the question has %zu bytes; at most %zu are allowed\n", bytes, LINE_LIMIT_BYTES);
    else if (text_list_add(&one, line, bytes, "the question", &added, &why) != PROF_OK)
        printf("  %s\n", why.message);
    else if (added)
        status = converse(asked, text_list_at(&one, 0), NO_PASSAGE, NULL, err);
    text_list_fini(&one);
    return status;
}

prof_status conversation_on_terminal(service *asked, prof_error *err)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t bytes;
    prof_status status = PROF_OK;
    while (status == PROF_OK && (bytes = ask(&line, &room)) >= 0)
        status = answer_line(asked, line, (size_t)bytes, err);
    putchar('\n');
    free(line);
    return status;
}
