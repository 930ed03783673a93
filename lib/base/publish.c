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

/* The folder that the calling thread has open: one at a time. */
static __thread profi_identity held_folder __attribute__((tls_model("initial-exec")));

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
    /* Looked at before it is opened: where it cannot be, no descriptor is left that nobody dares to close. */
    struct stat opened, named;
    int is_there = stat(path, &named) == 0;
    if (!is_there && errno == ENOENT && path[0] != '\0') {
        int error = make_folders(path);
        if (error != 0)
            return profi_fail_errno(err, error, "cannot make the folder \"%s\"", path);
        is_there = stat(path, &named) == 0;
    }
    int fd = is_there ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd < 0)
        return profi_fail_errno(err, errno, "cannot open the folder \"%s\"", path);
    if (fstat(fd, &opened) != 0 || opened.st_dev != named.st_dev || opened.st_ino != named.st_ino)
        return profi_fail_errno(err, EBADF, "cannot open the folder \"%s\"", path); /* the number is the host's by now */
    held_folder = profi_identity_of_stat(&opened);
    *folder = fd;
    return PROF_OK;
}

/* Whether the number still means the folder that this thread opened. */
static int is_held_folder(int folder)
{
    struct stat status;
    return fstat(folder, &status) == 0 && status.st_dev == held_folder.device && status.st_ino == held_folder.inode;
}

void profi_folder_close(int folder)
{
    if (is_held_folder(folder))
        close(folder);
}

/* Whether the number still means this draft. */
static int is_held(const profi_draft *draft, int fd, struct stat *status)
{
    return fd >= 0 && fstat(fd, status) == 0 && status->st_dev == draft->identity.device &&
           status->st_ino == draft->identity.inode;
}

prof_status profi_draft_open(int folder, const char *folder_path, profi_draft *draft, prof_error *err)
{
    static uint32_t serial;
    struct stat status;
    int fd = -1;
    if (!is_held_folder(folder))
        return profi_fail_errno(err, EBADF, "cannot create a file in \"%s\"", folder_path);
    for (int tries = 0; tries < 100 && fd < 0; tries++) {
        uint32_t number = __atomic_fetch_add(&serial, 1u, __ATOMIC_RELAXED);
        snprintf(draft->name, sizeof(draft->name), ".profcore-%ld-%u.tmp", (long)getpid(), (unsigned)number);
        fd = openat(folder, draft->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0 && errno != EEXIST && errno != EINTR)
            break;
    }
    if (fd < 0)
        return profi_fail_errno(err, errno, "cannot create a file in \"%s\"", folder_path);
    /* Not by the number, which may be the host's by now. */
    if (fstatat(folder, draft->name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        int error = errno;
        if (is_held_folder(folder)) {
            unlinkat(folder, draft->name, 0);
            close(fd);
        }
        return profi_fail_errno(err, error, "cannot create a file in \"%s\"", folder_path);
    }
    draft->fd = fd;
    draft->identity = profi_identity_of_stat(&status);
    return PROF_OK;
}

int profi_draft_write(void *user, const void *data, size_t bytes)
{
    const profi_draft *draft = user;
    struct stat status;
    return !is_held(draft, draft->fd, &status) ? EBADF : profi_write_all(draft->fd, data, bytes);
}

profi_identity profi_identity_of_stat(const struct stat *status)
{
    return (profi_identity){ status->st_dev, status->st_ino, status->st_mtim.tv_sec, status->st_mtim.tv_nsec };
}

int profi_draft_close(profi_draft *draft)
{
    struct stat status;
    int fd = draft->fd, error = 0;
    draft->fd = -1;
    if (!is_held(draft, fd, &status))
        return EBADF;
    /* Some file systems cannot sync; a failure to write is another matter. */
    if (fsync(fd) != 0 && errno != EINVAL && errno != EROFS)
        error = errno;
    if (!is_held(draft, fd, &status))
        return EBADF;
    draft->identity = profi_identity_of_stat(&status);
    draft->bytes = (uint64_t)status.st_size;
    if (close(fd) != 0 && errno != EINTR && error == 0)
        error = errno;
    return error;
}

void profi_draft_drop(int folder, profi_draft *draft)
{
    struct stat status;
    if (is_held(draft, draft->fd, &status))
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
