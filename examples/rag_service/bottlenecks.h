/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a study finds: rules over its figures, each with the figure that
 * shows it.
 *
 * A rule speaks only where the figures bear it out.  A new rule is a
 * function and a line in the table of bottlenecks.c.
 */
#ifndef RAG_SERVICE_BOTTLENECKS_H
#define RAG_SERVICE_BOTTLENECKS_H

#include "study.h"

#define FINDING_LIMIT 16

typedef struct finding {
    uint64_t cost_ns; /* what could be won at most; 0 where it is not time */
    char text[256];
} finding;

/* Fills in what was found, the dearest first; returns how many. */
size_t bottlenecks_find(const study *s, finding found[FINDING_LIMIT]);

#endif
