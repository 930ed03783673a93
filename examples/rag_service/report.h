/* SPDX-License-Identifier: Apache-2.0 */
/* Prints a study on standard output: its stages, tokens, index, and what was found. */
#ifndef RAG_SERVICE_REPORT_H
#define RAG_SERVICE_REPORT_H

#include "study.h"

void report_print(const study *s);

#endif
