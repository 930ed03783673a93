/* SPDX-License-Identifier: Apache-2.0 */
/* What an open-loop run found, for people and for programs. */
#ifndef TAIL_REPORT_H
#define TAIL_REPORT_H

#include <stdio.h>

#include "tail_stats.h"

enum { ON, OFF, OFF_AGAIN, ARMS };
enum { P50, P99, P999, SHARES };

typedef struct tail_run {
    size_t block, documents;
    unsigned long planted_us;
    uint64_t seed;
    uint32_t rounds;
    double service_ns, load;
    tail_arm arms[ARMS];
} tail_run;

typedef struct tail_result {
    uint64_t quantile_ns[ARMS][SHARES];
    tail_interval on_off[SHARES], off_off[SHARES];
    int is_enough[SHARES]; /* ten requests of an arm lie above */
} tail_result;

/* Sorts the arms and computes; returns 0, or -1 without memory. */
int tail_evaluate(tail_run *run, tail_result *made);

void tail_print(const tail_run *run, const tail_result *result);
void tail_write_json(FILE *out, const tail_run *run, const tail_result *result);
void tail_write_samples(FILE *out, const tail_run *run);

#endif
