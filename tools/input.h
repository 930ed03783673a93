/* SPDX-License-Identifier: Apache-2.0 */
/* The files that commands read: our summaries and any .prof; "-" is standard input. */
#ifndef INPUT_H
#define INPUT_H

#include "cli.h"
#include <profcore/timeline.h>

/* Reads one file. */
prof_status input_read(const char *path, prof_snapshot **snapshot, prof_error *err);

/*
 * Reads several and merges them, in the order in which pstats adds them: the
 * first, then the others from the last on.  With without_cost, each is first
 * rid of what recording it took.
 */
prof_status input_read_all(const char *const *paths, size_t count, int without_cost, prof_snapshot **snapshot,
                           prof_error *err);

/*
 * A file that is opened but not read, to see what it is.  Reading it shows
 * on a terminal how far it is.
 */
typedef struct input_file {
    const cli_command *command;
    const char *path;
    int fd;
    unsigned char head[64]; /* read already, to look at */
    size_t head_bytes, head_at;
    uint64_t bytes, done;   /* bytes: 0 where it is not known */
    int shows_progress;
} input_file;

/* Opens it; PROF_E_IO says why not. */
prof_status input_open(const cli_command *command, const char *path, input_file *file, prof_error *err);
void input_close(input_file *file);

/* Whether it is a timeline that can be read; and of these, what a program streams. */
int input_is_timeline(const input_file *file);
int input_is_stream(const input_file *file);

/* What is opened, as a table or as a timeline; a file is read once. */
prof_status input_read_opened(input_file *file, prof_snapshot **snapshot, prof_error *err);
prof_status input_read_timelines(input_file *files, size_t count, prof_timeline **timeline, prof_error *err);

#endif
