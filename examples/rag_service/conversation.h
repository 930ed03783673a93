/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions and answers as people see them: from the command line, from a
 * prompt on a terminal, or the source's own questions.
 */
#ifndef RAG_SERVICE_CONVERSATION_H
#define RAG_SERVICE_CONVERSATION_H

#include <profcore/prof.h>

#include "answer.h"
#include "documents.h"

/* How many of the source's own questions are asked. */
#define BUILT_IN_QUESTIONS 5

/* How often the known passage was found. */
typedef struct tally {
    size_t known, found;
} tally;

/* Answers a list of questions on standard output. */
prof_status conversation_of_list(service *asked, const text_list *questions, prof_error *err);

/* Answers some of the questions that came with the documents, spread evenly over them. */
prof_status conversation_of_source(service *asked, const documents *read, tally *counted, prof_error *err);

/* Asks for questions on the terminal until the input ends. */
prof_status conversation_on_terminal(service *asked, prof_error *err);

#endif
