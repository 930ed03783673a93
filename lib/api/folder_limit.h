/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much may lie in the folder: PROFCORE_MAX_FILES, PROFCORE_MAX_BYTES and
 * what gives way when it is full.
 */
#ifndef PROFI_FOLDER_LIMIT_H
#define PROFI_FOLDER_LIMIT_H

#include "config.h"

/* A set of files that is about to get its names. */
typedef struct profi_folder_need {
    uint64_t files, bytes;
    const char *replaced; /* the stem whose files it replaces; "": none */
    int is_must;          /* it comes whether there is room or not */
} profi_folder_need;

/*
 * Makes room, where the configuration says so, by removing the oldest files
 * of ours, whole sets, of this run and of earlier ones; never one of which
 * `is_current` says that it stands for the run as it is now.
 *
 *   returns  PROF_OK; PROF_E_LIMIT: the set must not appear; PROF_E_NO_MEMORY,
 *            PROF_E_IO: the folder cannot be read.
 */
prof_status profi_folder_make_room(int folder, const profi_config *config, const profi_folder_need *need,
                                   int (*is_current)(const char *stem), prof_error *err);

#endif
