/* SPDX-License-Identifier: Apache-2.0 */
/* Drafts and their publication: see publish.h. */
#include "publish.h"

#include "error.h"
#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int make_folders(const char *path)
{
    char partial[PATH_MAX];
    size_t length = strlen(path);
    if (length >= sizeof(partial))
        return ENAMETOOLONG;
    memcpy(partial, path, length + 1);
    for (char *at = partial + 1;; at++) {
        if (*at != '/' && *at != '\0')
            continue;
        char end = *at;
        *at = '\0';
        if (mkdir(partial, 0755) != 0 && errno != EEXIST)
            return errno;
        if (end == '\0')
            return 0;
        *at = end;
    }
}

prof_status profi_folder_open(const char *path, int *folder, prof_error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && path[0] != '\0') {
        int error = make_folders(path);
        if (error != 0)
            return profi_fail_errno(err, error, "cannot make the folder \"%s\"", path);
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (fd < 0)
        return profi_fail_errno(err, errno, "cannot open the folder \"%s\"", path);
    *folder = fd;
    return PROF_OK;
}

prof_status profi_draft_open(int folder, const char *folder_path, profi_draft *draft, prof_error *err)
{
    static uint32_t serial;
    int fd = -1;
    for (int tries = 0; tries < 100 && fd < 0; tries++) {
        uint32_t number = __atomic_fetch_add(&serial, 1u, __ATOMIC_RELAXED);
        snprintf(draft->name, sizeof(draft->name), ".profcore-%ld-%u.tmp", (long)getpid(), (unsigned)number);
        fd = openat(folder, draft->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0 && errno != EEXIST && errno != EINTR)
            break;
    }
    if (fd < 0)
        return profi_fail_errno(err, errno, "cannot create a file in \"%s\"", folder_path);
    draft->fd = fd;
    return PROF_OK;
}

int profi_draft_write(void *user, const void *data, size_t bytes)
{
    const profi_draft *draft = user;
    return profi_write_all(draft->fd, data, bytes);
}

profi_identity profi_identity_of_stat(const struct stat *status)
{
    return (profi_identity){ status->st_dev, status->st_ino, status->st_mtim.tv_sec, status->st_mtim.tv_nsec };
}

int profi_draft_close(profi_draft *draft)
{
    struct stat status;
    /* Some file systems cannot sync; a failure to write is another matter. */
    int error = fsync(draft->fd) != 0 && errno != EINVAL && errno != EROFS ? errno : 0;
    if (fstat(draft->fd, &status) == 0) {
        draft->identity = profi_identity_of_stat(&status);
        draft->bytes = (uint64_t)status.st_size;
    } else if (error == 0)
        error = errno;
    if (close(draft->fd) != 0 && errno != EINTR && error == 0)
        error = errno;
    draft->fd = -1;
    return error;
}

void profi_draft_drop(int folder, profi_draft *draft)
{
    if (draft->fd >= 0)
        close(draft->fd);
    if (draft->name[0] != '\0')
        unlinkat(folder, draft->name, 0);
    *draft = (profi_draft){ .fd = -1 };
}

int profi_draft_publish_new(int folder, const profi_draft *draft, const char *name)
{
    if (renameat2(folder, draft->name, folder, name, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return errno;
    /* A file system without that flag: a link refuses to replace as well. */
    if (linkat(folder, draft->name, folder, name, 0) != 0)
        return errno;
    unlinkat(folder, draft->name, 0);
    return 0;
}

int profi_draft_publish_over(int folder, const profi_draft *draft, const char *name)
{
    return renameat(folder, draft->name, folder, name) == 0 ? 0 : errno;
}

int profi_identity_of(int folder, const char *name, profi_identity *identity)
{
    struct stat status;
    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return errno;
    *identity = profi_identity_of_stat(&status);
    return 0;
}

int profi_identity_equal(const profi_identity *a, const profi_identity *b)
{
    return a->device == b->device && a->inode == b->inode && a->modified_s == b->modified_s &&
           a->modified_ns == b->modified_ns;
}
