/* SPDX-License-Identifier: Apache-2.0 */
/* Reads whole files that somebody else may have made. */
#ifndef PROFI_INPUT_H
#define PROFI_INPUT_H

#include "base.h"
#include <profcore/prof.h>

/*
 * Reads a regular file of at most `most_bytes` into *data, to be freed by the
 * caller.  A folder, a device, a pipe or a socket is an error, and nothing
 * waits for another process.
 */
prof_status profi_input_read(const char *path, size_t most_bytes, char **data, size_t *bytes, prof_error *err);

/* Opens one that is read piece by piece, under the same rules; the caller closes it. */
prof_status profi_input_open(const char *path, int *fd, prof_error *err);

#endif
