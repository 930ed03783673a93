/* SPDX-License-Identifier: Apache-2.0 */
/* Small things of the operating system that several files need. */
#ifndef PROFI_SYSTEM_H
#define PROFI_SYSTEM_H

#include "base.h"

/* Reads a small file, such as one of /proc, as text; 0 when it cannot be had or is empty. */
int profi_read_text(const char *path, char *text, size_t room);

/*
 * Writes all bytes.  A pipe without a reader or a file at its size limit
 * gives an error and not the signal that would end the host.  Returns 0 or
 * an errno value.
 */
int profi_write_all(int fd, const void *data, size_t bytes);

#endif
