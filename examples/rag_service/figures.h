/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as people read them: "5,000", "12.3 ms", "478 MiB", "93 %". */
#ifndef RAG_SERVICE_FIGURES_H
#define RAG_SERVICE_FIGURES_H

#include <stdint.h>

typedef struct figure {
    char text[40];
} figure;

/* Each fills one in and returns its text. */
const char *figure_count(figure *into, uint64_t count);
const char *figure_time(figure *into, uint64_t ns);
const char *figure_bytes(figure *into, int64_t bytes);
const char *figure_share(figure *into, uint64_t part, uint64_t whole);

/* Items per second: "2,391" from 1,000 on, else "25.1"; "-" for no time. */
const char *figure_rate(figure *into, uint64_t items, uint64_t ns);

/* How many times one is the other: "12 ×", "1.8 ×". */
const char *figure_times(figure *into, double factor);

#endif
