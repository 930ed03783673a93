/* SPDX-License-Identifier: Apache-2.0 */
/* See kept_file.h. */
#include "kept_file.h"

#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* 1: it is; 0: it is not, or no more; -1: that cannot be told, so it is neither used nor given up. */
static int is_kept(const profi_kept_file *file, int fd)
{
    struct stat status;
    if (fd < 0)
        return 0;
    if (fstat(fd, &status) != 0)
        return errno == EBADF ? 0 : -1;
    return status.st_dev == PROFI_GET(file->device) && status.st_ino == PROFI_GET(file->inode);
}

static void reopen(profi_kept_file *file, const char *path)
{
    struct stat status;
    int old = file->fd, fd = profi_fd_above_standard(open(path, O_RDONLY | O_CLOEXEC));
    if (is_kept(file, old) == 1) /* inherited over a fork: ours to close */
        close(old);
    if (fd >= 0 && fstat(fd, &status) != 0) {
        close(fd); /* it could not be told from another later */
        fd = -1;
    }
    if (fd >= 0) {
        PROFI_PUT(file->device, (uint64_t)status.st_dev);
        PROFI_PUT(file->inode, (uint64_t)status.st_ino);
        PROFI_PUT(file->owner, getpid());
    }
    __atomic_store_n(&file->fd, fd, __ATOMIC_RELEASE); /* after what it is compared with */
}

/* The descriptor to read, or -1.  A lock that a fork left held only makes each reading open the file. */
static int descriptor(profi_kept_file *file, const char *path)
{
    int fd = __atomic_load_n(&file->fd, __ATOMIC_ACQUIRE);
    int kept = is_kept(file, fd);
    if (PROFI_LIKELY(PROFI_GET(file->owner) == getpid() && kept == 1))
        return fd;
    if (kept < 0 || pthread_mutex_trylock(&file->lock) != 0)
        return -1;
    kept = is_kept(file, file->fd);
    if (kept == 0 || (kept == 1 && file->owner != getpid()))
        reopen(file, path);
    fd = kept >= 0 ? file->fd : -1;
    pthread_mutex_unlock(&file->lock);
    return fd;
}

int profi_kept_file_read(profi_kept_file *file, const char *path, char *text, size_t room)
{
    int fd = descriptor(file, path);
    ssize_t bytes = fd >= 0 ? pread(fd, text, room - 1, 0) : -1;
    if (bytes <= 0)
        return profi_read_text(path, text, room);
    text[bytes] = '\0';
    return 1;
}
