/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profcore diff: the functions, spans and counters of two profiles side by
 * side.  diff_match.c finds which belong together; diff.c orders them;
 * diff_text.c and diff_json.c print as many as diff_limit.c leaves.
 */
#ifndef DIFF_H
#define DIFF_H

#include "cli.h"

/* What is compared of a function, in the order of the tables. */
enum { DIFF_CALLS, DIFF_SELF, DIFF_SELF_PER_CALL, DIFF_CUMULATIVE, DIFF_CUMULATIVE_PER_CALL, DIFF_P50, DIFF_P99,
       DIFF_GPU, DIFF_GPU_PER_CALL, DIFF_LAST, DIFF_MEAN, DIFF_FIGURES };

/* What is paired: each kind has a list of its own. */
typedef enum diff_kind { DIFF_FUNCTIONS, DIFF_SPANS, DIFF_COUNTERS, DIFF_KINDS } diff_kind;

/* One function, span or counter in one of the profiles. */
typedef struct diff_side {
    int is_there;
    prof_function row;          /* its text belongs to the snapshot; of a counter, text and as calls the values */
    int gpu_is_rough;           /* a bound, or an estimate */
    int has[DIFF_FIGURES];
    double value[DIFF_FIGURES]; /* nanoseconds, calls, or what a counter counts */
} diff_side;

typedef struct diff_pair {
    diff_side side[2]; /* old, new; at least one is there */
    char *title;       /* of the new one, if it is there */
} diff_pair;

typedef struct diff_list {
    diff_pair *pairs;
    size_t count;
} diff_list;

/*
 * Pairs functions, or what else is asked for, of the same name: those of the same file and line first;
 * then, since lines move when a file is edited, those of the same file, where
 * both have as many of the name; then, since folders change when it is built
 * elsewhere, the same by the last part of the file.  0 when memory is spent.
 */
int diff_match(diff_list *list, diff_kind kind, const prof_snapshot *old, const prof_snapshot *new_);
void diff_forget(diff_list *list);

/* Applies one limit to a list in its order; 0, and says so, when memory is spent; a wrong one ends the program. */
int diff_limit(const cli_command *command, diff_list *list, const char *limit);

/* By how much a figure has changed; one that is not there counts as 0. */
double diff_change(const diff_pair *pair, int figure);

void diff_put_text(const diff_list lists[DIFF_KINDS], const char *const paths[2], prof_snapshot *const snapshots[2], int has_color);
int diff_put_json(const cli_command *command, const diff_list lists[DIFF_KINDS], const char *const names[2]);

#endif
