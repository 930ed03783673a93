/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sets of files of this run: how they are named, written and replaced.
 * Callers hold the recorder's save lock.
 */
#ifndef PROFI_FILE_SET_H
#define PROFI_FILE_SET_H

#include "config.h"

typedef struct profi_file_set profi_file_set;

typedef enum profi_set_kind {
    PROFI_SET_RUN,      /* the run's own: written whether the folder has room or not */
    PROFI_SET_FUNCTION, /* a function's, all calls merged */
    PROFI_SET_CALL      /* one kept call: a new stem each, named after its function */
} profi_set_kind;

/* The set of a function, or with NULL the run's; made if need be; NULL when memory is spent. */
profi_file_set *profi_file_set_of(const char *run_name, const profi_function *function);

/* Its stem; "" before its first save. */
const char *profi_file_set_stem(const profi_file_set *set);

/* Whether its last save wrote this format. */
int profi_file_set_has(const profi_file_set *set, const profi_writer *format);

/* Whether these are the files of the run or of a function as last saved; without the save lock, too. */
int profi_file_set_is_current(const char *stem);

/* The n-th stem of a base and a time, with the process id in a forked child; and whether no format has a file of it. */
enum { PROFI_STEM_MAX = 256 };
void profi_file_set_name_stem(char stem[PROFI_STEM_MAX], const char *base, uint64_t unix_s, unsigned number);
int profi_file_set_stem_is_free(int folder, const char *stem);

/* Whether this is a forked child, whose names carry its number. */
int profi_file_sets_are_childs(void);

/* How many files the run's own save will want that are not there yet; without the save lock. */
uint64_t profi_file_set_run_need(const profi_config *config);

/*
 * Writes all formats and gives them their names: of formats that show events
 * only the run's, and none where there are no events.  A failure leaves
 * nothing, but that of the event stream, without which the others are written.
 * PROF_E_LIMIT: the folder is full, or has no name left.  Of the run's
 * snapshot the counts of kept calls and removed files are brought up to date.
 */
prof_status profi_file_set_write(profi_file_set *set, int folder, const profi_config *config, prof_snapshot *snapshot,
                                 profi_set_kind kind, prof_error *err);

/* In a forked child: the files so far are the parent's, and new ones carry the process id. */
void profi_file_sets_forget(void);

#endif
