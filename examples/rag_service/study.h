/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The figures of a profiling study, taken from a snapshot of this run.
 *
 * Owns which scope of the service belongs to which stage of the study.  What
 * the report prints and the rules look for is read from here; nothing in it
 * was measured by other means than the profiler's.
 */
#ifndef RAG_SERVICE_STUDY_H
#define RAG_SERVICE_STUDY_H

#include <profcore/snapshot.h>

#include "passage_index.h"

enum stage_id { LOAD, TRANSFORM, INDEX_STAGE, EMBED_STAGE, SEARCH_STAGE, RESPOND, STAGE_COUNT };

typedef struct stage {
    const char *title;
    const char *function;  /* its scope's name */
    prof_function row;     /* calls is 0 when it did not happen */
    prof_snapshot *under;  /* what ran below it, or NULL */
} stage;

typedef struct study {
    prof_snapshot *whole;
    prof_stats stats;
    uint64_t run_ns;  /* of main, without waiting for the user */
    uint64_t peak_bytes;
    stage stages[STAGE_COUNT];
    passage_index_facts index;
    /* Questions with a known passage, and those for which it was found. */
    size_t known, known_found, top;
} study;

/*
 * Takes a snapshot.
 *
 *   taken    Its index, known, known_found and top set; receives the rest;
 *            study_fini() ends it.
 *   returns  PROF_OK; PROF_E_UNAVAILABLE: nothing was recorded; PROF_E_NO_MEMORY.
 */
prof_status study_take(study *taken, prof_error *err);

/* Accepts a zeroed one. */
void study_fini(study *taken);

/* Reads a function's row by name; returns 0, and a zeroed row, where there is none. */
int study_row(const prof_snapshot *snapshot, const char *name, prof_function *row);

/* Reads a function as called by another one; returns 0, and a zeroed row, where it was not. */
int study_edge(const prof_snapshot *snapshot, const char *name, const char *caller, prof_function *row);

/* Finds the callee of a function in which most of its time went; returns 0 where it called none. */
int study_hottest_callee(const prof_snapshot *snapshot, uint32_t function, prof_function *row);

#endif
