/* SPDX-License-Identifier: Apache-2.0 */
/* See private_file.h. */
#include "private_file.h"

#include "file_set.h"

#include "../base/error.h"
#include "../base/publish.h"
#include "../base/system.h"
#include "../base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { NAME_ROOM = PROFI_STEM_MAX + 16 };

/* A name that nobody has, <name>_<unix seconds>.KIND, or with -2, -3, …; -1 and errno where the folder refuses. */
static int make_file(int folder, const char *run_name, const char *kind, char name[NAME_ROOM])
{
    enum { MOST = 10000 };
    char base[101], stem[PROFI_STEM_MAX];
    uint64_t now_s = (uint64_t)time(NULL);
    profi_text_to_stem(base, run_name);
    for (unsigned number = 1; number <= MOST; number++) {
        profi_file_set_name_stem(stem, base, now_s, number);
        snprintf(name, NAME_ROOM, "%s.%s", stem, kind);
        int fd = profi_fd_above_standard(openat(folder, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

/* Where it is, whatever the process's folder will be; and which file. */
static int remember(profi_private_file *file, int fd, const char *directory, const char *name)
{
    struct stat about;
    char *real = realpath(directory, NULL);
    int ok = real != NULL && fstat(fd, &about) == 0 &&
             (size_t)snprintf(file->path, sizeof(file->path), "%s/%s", real, name) < sizeof(file->path);
    free(real);
    if (!ok) {
        file->path[0] = '\0';
        return 0;
    }
    file->device = about.st_dev;
    file->inode = about.st_ino;
    return 1;
}

static prof_status make_in(int folder, profi_private_file *file, const profi_config *config, const char *kind, int *fd,
                           prof_error *err)
{
    char name[NAME_ROOM];
    *fd = make_file(folder, config->name, kind, name);
    if (*fd < 0)
        return profi_fail_errno(err, errno, "cannot make a file in \"%.300s\"", config->directory);
    if (remember(file, *fd, config->directory, name))
        return PROF_OK;
    prof_status status = profi_fail_errno(err, errno, "cannot find \"%.300s\"", config->directory);
    unlinkat(folder, name, 0);
    close(*fd);
    *fd = -1;
    return status;
}

prof_status profi_private_file_make(profi_private_file *file, const profi_config *config, const char *kind, int *fd,
                                    prof_error *err)
{
    int folder;
    prof_status status = profi_folder_open(config->directory, &folder, err);
    if (status != PROF_OK)
        return status;
    status = make_in(folder, file, config, kind, fd, err);
    profi_folder_close(folder);
    return status;
}

int profi_private_file_is(const profi_private_file *file, int fd)
{
    struct stat about;
    return fd >= 0 && fstat(fd, &about) == 0 && about.st_dev == file->device && about.st_ino == file->inode;
}

/* Whether what has its name is it. */
static int is_there(const profi_private_file *file)
{
    struct stat about;
    return file->path[0] != '\0' && fstatat(AT_FDCWD, file->path, &about, AT_SYMLINK_NOFOLLOW) == 0 &&
           about.st_dev == file->device && about.st_ino == file->inode;
}

void profi_private_file_remove(profi_private_file *file)
{
    if (is_there(file))
        unlinkat(AT_FDCWD, file->path, 0);
    file->path[0] = '\0';
}

void profi_private_file_keep(profi_private_file *file)
{
    if (is_there(file))
        profi_notice("what was recorded is in %.3000s: profcore recover reads it", file->path);
    file->path[0] = '\0';
}
