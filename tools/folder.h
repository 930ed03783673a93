/* SPDX-License-Identifier: Apache-2.0 */
/* Which files a folder holds, to tell afterwards whether something was written. */
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

#endif
