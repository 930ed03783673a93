/* SPDX-License-Identifier: Apache-2.0 */
/* See folder.h. */
#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int compare(const void *a, const void *b)
{
    const folder_file *x = a, *y = b;
    if (x->inode != y->inode)
        return x->inode < y->inode ? -1 : 1;
    if (x->modified_s != y->modified_s)
        return x->modified_s < y->modified_s ? -1 : 1;
    return x->modified_ns < y->modified_ns ? -1 : x->modified_ns > y->modified_ns;
}

static int add(folder_state *state, size_t *room, const struct stat *status)
{
    if (state->count == *room) {
        size_t larger = *room ? *room * 2 : 64;
        folder_file *files = reallocarray(state->files, larger, sizeof(*files));
        if (files == NULL)
            return 0;
        state->files = files;
        *room = larger;
    }
    state->files[state->count++] = (folder_file){ status->st_ino, status->st_mtim.tv_sec, status->st_mtim.tv_nsec };
    return 1;
}

folder_state folder_look(const char *path)
{
    folder_state state = { NULL, 0 };
    size_t room = 0;
    DIR *folder = opendir(path);
    struct stat status;
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;)
        if (entry->d_name[0] != '.' && fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(status.st_mode) && !add(&state, &room, &status))
            break;
    if (folder != NULL)
        closedir(folder);
    if (state.count != 0)
        qsort(state.files, state.count, sizeof(*state.files), compare);
    return state;
}

void folder_forget(folder_state *state)
{
    free(state->files);
    *state = (folder_state){ NULL, 0 };
}

int folder_has_news(const char *path, const folder_state *before)
{
    folder_state now = folder_look(path);
    int has_news = 0;
    for (size_t i = 0; i < now.count && !has_news; i++)
        has_news = before->count == 0 ||
                   bsearch(&now.files[i], before->files, before->count, sizeof(*before->files), compare) == NULL;
    folder_forget(&now);
    return has_news;
}

/* The folder, or the nearest above it that exists. */
static void existing_part(const char *path, char *part)
{
    struct stat status;
    snprintf(part, PATH_MAX, "%s", path);
    while (stat(part, &status) != 0 && errno == ENOENT) {
        char *slash = strrchr(part, '/');
        if (slash == NULL || slash == part) {
            strcpy(part, slash == NULL ? "." : "/");
            return;
        }
        *slash = '\0';
    }
}

int folder_try(const char *path, char *part)
{
    char file[PATH_MAX];
    existing_part(path, part);
    if (snprintf(file, sizeof(file), "%s/.profcore-try-XXXXXX", part) >= (int)sizeof(file))
        return ENAMETOOLONG;
    int fd = mkstemp(file);
    if (fd < 0)
        return errno;
    int error = write(fd, "x", 1) == 1 ? 0 : errno;
    unlink(file);
    close(fd);
    return error;
}
