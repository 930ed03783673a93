/* SPDX-License-Identifier: Apache-2.0 */
/* Folders of results: which files one holds, to tell afterwards whether something was written, and whether one takes any. */
#ifndef FOLDER_H
#define FOLDER_H

#include <stddef.h>
#include <stdint.h>

typedef struct folder_file {
    uint64_t inode;
    int64_t modified_s, modified_ns;
} folder_file;

/* All zero: an empty folder, or one that is not there. */
typedef struct folder_state {
    folder_file *files; /* sorted */
    size_t count;
} folder_state;

folder_state folder_look(const char *path);
void folder_forget(folder_state *state);

/* Whether a file is there now that was not, or not so, before; hidden ones do not count. */
int folder_has_news(const char *path, const folder_state *before);

/*
 * Writes a file there and removes it; 0, or the errno value of what refuses.
 * `part` receives what of the path exists, PATH_MAX bytes: the rest is made
 * when something is saved.
 */
int folder_try(const char *path, char *part);

#endif
