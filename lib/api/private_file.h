/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file of ours in the folder that is written while the program runs, for
 * `profcore recover` if it ends badly: <name>_<unix seconds>.KIND, mode 0600,
 * removed in the end.
 */
#ifndef PROFI_PRIVATE_FILE_H
#define PROFI_PRIVATE_FILE_H

#include "config.h"

typedef struct profi_private_file {
    char path[4096 + 256]; /* from the root; "": there is none */
    uint64_t device, inode;
} profi_private_file;

/* Makes one, with a name that nobody has; *fd receives its descriptor, to read and write. */
prof_status profi_private_file_make(profi_private_file *file, const profi_config *config, const char *kind, int *fd,
                                    prof_error *err);

/* Whether a descriptor is of it, still. */
int profi_private_file_is(const profi_private_file *file, int fd);

/* It is not needed any more. */
void profi_private_file_remove(profi_private_file *file);

/* It stays: says where it is. */
void profi_private_file_keep(profi_private_file *file);

#endif
