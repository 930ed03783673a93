/* SPDX-License-Identifier: Apache-2.0 */
/* The modes for other programs: lines in, lines of JSON out. */
#ifndef RAG_SERVICE_PIPES_H
#define RAG_SERVICE_PIPES_H

#include <profcore/prof.h>

#include "answer.h"

/* Prints for each line of standard input its vector: [0.0123, …]. */
prof_status pipes_embed(encoder *used, size_t batch, prof_error *err);

/* Prints for each question what was found: {"documents": [7, …], "scores": [0.71, …]}; documents count from 0. */
prof_status pipes_search(service *asked, const text_list *questions, prof_error *err);

#endif
