/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole public API, used once as a program would use it, for tests in
 * which something underneath fails.  A call may fail; it must say why, and
 * one that succeeds leaves errno and the floating-point modes alone.
 *
 * A new function gets a row in the table of api_uses.c: until it has one the
 * test that asks api_uses_missing() is red.
 */
#ifndef API_USES_H
#define API_USES_H

#include <stdint.h>

/* Uses all of it in the current folder; returns how many calls broke a promise, which stdout then names. */
int api_uses_run(void);

/*
 * How the recorder is started: with a thread that saves (1), or with rules
 * that keep single calls, whose files prof_save() writes (0): then no other
 * thread does anything, and each run makes the same calls.
 */
extern int api_uses_with_saver;

/* How many scopes the last run opened while recording was on, and how many calls failed, which is fine. */
extern uint64_t api_uses_issued;
extern int api_uses_failed;

/* The functions of a version script that the table lacks, printed; their number, -1 if the script cannot be read. */
int api_uses_missing(const char *version_script);

#endif
