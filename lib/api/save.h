/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a run has written and writes again: one set of files for the run and
 * one for each function that asked for its own; and a set for each call that
 * a rule kept.
 *
 * Callers hold the recorder's save lock.
 */
#ifndef PROFI_SAVE_H
#define PROFI_SAVE_H

#include "config.h"

typedef enum profi_save_occasion {
    PROFI_SAVE_ASKED, /* prof_save(), an interval: silent */
    PROFI_SAVE_STOP,  /* the last stop, a signal: tells what was written */
    PROFI_SAVE_LAST   /* exit, a signal that ends the process: where the folder refuses, writes elsewhere */
} profi_save_occasion;

/*
 * Writes the kept calls, for a limited time, then each saving function's
 * files in config's folder, then the run's.
 */
prof_status profi_save_run(const profi_config *config, const profi_run_facts *facts, profi_save_occasion occasion,
                           int is_child, prof_error *err);

/*
 * Writes the calls that rules kept, oldest first, until `until_ns` of
 * CLOCK_MONOTONIC, or `hurry` (may be NULL) is not 0.  What cannot be written
 * waits for the next time.
 */
prof_status profi_save_kept(const profi_config *config, const profi_run_facts *facts, uint64_t until_ns,
                            const uint32_t *hurry, prof_error *err);

/* Whether calls wait to be written; without the lock. */
int profi_save_kept_is_waiting(void);

/* Nobody will write them any more: they count as not written. */
void profi_save_kept_give_up(void);

/* In a forked child: what waits is the parent's. */
void profi_save_kept_forget(void);

#endif
