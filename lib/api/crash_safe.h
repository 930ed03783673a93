/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Crash-safe mode, PROFCORE_CRASH_SAFE=1: the file in which all is recorded,
 * so that a kill leaves it to `profcore recover`.  Callers hold the
 * recorder's lock.
 */
#ifndef PROFI_CRASH_SAFE_H
#define PROFI_CRASH_SAFE_H

#include "config.h"

/*
 * Makes the file, in the configured folder, and lets the record lie in it.
 * Where that cannot be, says so and leaves everything as it was: recording
 * goes on in memory.
 */
void profi_crash_safe_open(const profi_config *config);

/* What was recorded has been saved, or nothing was: removes the file. */
void profi_crash_safe_remove(void);

/* What was recorded could not be saved: says where it is. */
void profi_crash_safe_keep(void);

/* In a forked child: the file is the parent's. */
void profi_crash_safe_forget(void);

#endif
