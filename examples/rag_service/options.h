/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the user asked for: the command line, checked.
 *
 * Owns names, limits, defaults and the help.  Opens nothing.
 */
#ifndef RAG_SERVICE_OPTIONS_H
#define RAG_SERVICE_OPTIONS_H

#include <limits.h>
#include <stddef.h>

#include "text_list.h"

/* What the service does. */
#define MODE_ANSWER 0 /* answers questions and reports */
#define MODE_SEARCH 1 /* --search-only */
#define MODE_EMBED 2  /* --embed */
#define MODE_HELP 3

typedef struct options {
    int mode;
    const char *documents; /* NULL: WordNet */
    text_list queries;
    char models[PATH_MAX];
    char generator[PATH_MAX];
    char index[PATH_MAX];
    const char *device; /* "cpu", "cuda", "cuda:1" */
    unsigned threads; /* 0: not said */
    unsigned top;
    unsigned max_tokens;
    unsigned batch;
} options;

/*
 * Reads the command line.
 *
 *   read     Zeroed; receives the options; options_fini() ends it.
 *   returns  0; or -1 after a message on standard error.
 */
int options_read(int argc, char **argv, options *read);

/* Accepts a zeroed one. */
void options_fini(options *read);

/* Prints the help. */
void options_help(void);

#endif
