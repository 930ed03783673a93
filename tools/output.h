/* SPDX-License-Identifier: Apache-2.0 */
/* The profiles that commands write: to a file, whole or not at all, or, for "-", to standard output. */
#ifndef OUTPUT_H
#define OUTPUT_H

#include "cli.h"
#include <profcore/timeline.h>

/*
 * The format to write: the one that was asked for, or, with NULL, what the
 * path ends in.  Ends the program where neither says it, and where bytes that
 * are no text would go to a terminal.
 */
const char *output_format(const cli_command *command, const char *path, const char *format);

/* The second of these alone, for standard output. */
void output_check_terminal(const cli_command *command, const char *format);

/* Writes; returns the exit status, and has said why it is not 0. */
int output_write(const cli_command *command, const prof_snapshot *snapshot, const char *path, const char *format);

/* Whether a format shows single events. */
int output_is_timeline(const char *format);

/* The same of a timeline: as it is, or, for other formats, its table. */
int output_write_timeline(const cli_command *command, const prof_timeline *timeline, const char *path, const char *format);

#endif
