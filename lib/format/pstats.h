/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Python's pstats would hold: rows, and for each row who called it,
 * shared by the .prof file and the tables, so that they can only agree.
 *
 * Besides the functions there are rows of ours: one for lost scopes; one each
 * where the clock was not steady and where our own cost was subtracted; one
 * that says so when nothing was recorded, because pstats refuses an empty file;
 * and, where no function called another, one for the run, which stands as
 * the caller of all with no calls of its own: snakeviz drops functions that
 * have neither callers nor callees, and fails when none is left.
 */
#ifndef PROFI_PSTATS_H
#define PROFI_PSTATS_H

#include "../model/snapshot.h"

/* Names of such rows; that of losses is "profcore: N calls lost". */
#define PROFI_NOTE_NOTHING "profcore: nothing was recorded"
#define PROFI_NOTE_UNSTEADY "profcore: the clock was not known to be steady"
#define PROFI_NOTE_SUBTRACTED "profcore: own cost subtracted"

/* Those that a snapshot gives reason for, which files without facts of their own show as functions; returns how many. */
typedef struct profi_notes {
    char texts[4][80];
} profi_notes;
unsigned profi_notes_of(const prof_snapshot *snapshot, profi_notes *notes);

typedef struct profi_pstats_row {
    char *owned;      /* what `name` is in, if it had to be made */
    const char *file; /* "~" for none */
    const char *name; /* "<name>" where there is no file */
    char *title;      /* as pstats prints it, once profi_pstats_title() made it: "file:line(name)" or "{name}" */
    uint32_t line;
    uint32_t function; /* the first that it stands for; PROFI_NONE: a row of ours */
    uint32_t first_call, call_count; /* its callers, in calls[] */
    uint64_t calls, primitive_calls;
    double self_s, cumulative_s;
} profi_pstats_row;

/* One row's calls of another. */
typedef struct profi_pstats_call {
    uint32_t caller, callee; /* rows */
    uint64_t calls, primitive_calls;
    double self_s, cumulative_s;
} profi_pstats_call;

typedef struct profi_pstats {
    profi_pstats_row *rows; /* in the order of the file; functions first, each at its id until rows are merged */
    uint32_t row_count;
    uint32_t run_row;         /* PROFI_NONE: there is no such row */
    uint32_t *next_function;  /* that the same row stands for, or PROFI_NONE */
    profi_pstats_call *calls; /* by callee */
    uint32_t call_count;
} profi_pstats;

/* Seconds as the .prof holds them. */
static inline double profi_pstats_seconds(uint64_t ns) { return (double)ns / 1e9; }

prof_status profi_pstats_init(profi_pstats *stats, const prof_snapshot *snapshot, prof_error *err);
void profi_pstats_fini(profi_pstats *stats);

/* Takes the folders off all files and merges the rows that are then alike, as pstats' strip_dirs() does; 0: no memory. */
int profi_pstats_strip(profi_pstats *stats);

/* Makes the titles of all rows, which sorting by them and printing need; 0: no memory. */
int profi_pstats_title(profi_pstats *stats);

/* By file, line and name, the order of the tuples that are pstats' keys. */
int profi_pstats_compare_keys(const profi_pstats_row *a, const profi_pstats_row *b);

#endif
