/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files appear whole or not at all, under names that nobody had.
 *
 * A draft is written under a hidden name in the folder where it will be
 * published, created with O_EXCL and O_NOFOLLOW, mode 0600.  Publishing is a
 * rename that refuses to replace, or one that replaces a file whose identity
 * is known to be ours.
 *
 * The host may close our descriptors and give their numbers to files of its
 * own: each use of one first looks whether it is still the file that was
 * opened, else it fails with EBADF and leaves the number alone.
 */
#ifndef PROFI_PUBLISH_H
#define PROFI_PUBLISH_H

#include "base.h"
#include <profcore/prof.h>

/* Which file it is, and that nobody has written to it since: a number alone is given away again. */
typedef struct profi_identity {
    uint64_t device, inode;
    int64_t modified_s, modified_ns;
} profi_identity;

/* A file that is being written.  All zero, with fd -1, is none. */
typedef struct profi_draft {
    int fd;
    char name[64];
    profi_identity identity; /* of the file; times only once it is closed */
    uint64_t bytes;          /* the same */
} profi_draft;

/* Opens a folder, made with its parents where it is missing.  Returns a descriptor in *folder; a thread has one open at a time. */
prof_status profi_folder_open(const char *path, int *folder, prof_error *err);

/* Closes it, if the number still means it. */
void profi_folder_close(int folder);

/* Begins a draft in a folder. */
prof_status profi_draft_open(int folder, const char *folder_path, profi_draft *draft, prof_error *err);

/* A profi_output_callback; user is the profi_draft. */
int profi_draft_write(void *draft, const void *data, size_t bytes);

/* Brings what was written to the disk and closes the file; the draft still has its hidden name. */
int profi_draft_close(profi_draft *draft);

/* Removes a draft that is not to be published. */
void profi_draft_drop(int folder, profi_draft *draft);

/* Gives a closed draft its name, if nothing has it; 0, or an errno value: EEXIST. */
int profi_draft_publish_new(int folder, const profi_draft *draft, const char *name);

/* Gives a closed draft its name in place of a file that has it; 0, or an errno value. */
int profi_draft_publish_over(int folder, const profi_draft *draft, const char *name);

struct stat;
profi_identity profi_identity_of_stat(const struct stat *status);

/* What has a name in a folder: 0 and its identity, or an errno value: ENOENT. */
int profi_identity_of(int folder, const char *name, profi_identity *identity);

int profi_identity_equal(const profi_identity *a, const profi_identity *b);

#endif
