/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bar for a long step, on a terminal only: elsewhere all of it is silent.
 *
 *     embedding  [##########..............]  2,080 of 5,000   18 s left
 *
 * It is drawn on standard error, at most ten times a second, and wiped when
 * the step ends.
 */
#ifndef RAG_SERVICE_PROGRESS_H
#define RAG_SERVICE_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

typedef struct progress {
    const char *label;
    size_t done, total;
    uint64_t start_ns, drawn_ns;
    int is_live;
} progress;

progress progress_start(const char *label, size_t total);

/* NULL is accepted by both. */
void progress_add(progress *bar, size_t done);
void progress_end(progress *bar);

#endif
