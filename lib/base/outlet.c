/* SPDX-License-Identifier: Apache-2.0 */
/* See outlet.h. */
#include "outlet.h"

#include "error.h"
#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The number in "fd:3"; -1 where it is none. */
static int given_fd(const char *to)
{
    char *end;
    if (strncmp(to, "fd:", 3) != 0 || to[3] < '0' || to[3] > '9')
        return -1;
    errno = 0;
    unsigned long number = strtoul(to + 3, &end, 10);
    return errno == 0 && *end == '\0' && number <= INT_MAX ? (int)number : -1;
}

prof_status profi_outlet_check(const char *to, prof_error *err)
{
    if (to[0] == '\0' || (strncmp(to, "fd:", 3) == 0 && given_fd(to) < 0))
        return profi_fail(err, PROF_E_INVALID, "neither a descriptor such as fd:3 nor the path of a FIFO");
    if (strlen(to) >= PATH_MAX)
        return profi_fail(err, PROF_E_INVALID, "a path of more than %d bytes", PATH_MAX - 1);
    return PROF_OK;
}

static int remember(profi_outlet *outlet, int fd)
{
    struct stat about;
    if (fstat(fd, &about) != 0)
        return 0;
    outlet->fd = fd;
    outlet->device = about.st_dev;
    outlet->inode = about.st_ino;
    return 1;
}

static int is_still(const profi_outlet *outlet)
{
    struct stat about;
    return outlet->fd >= 0 && fstat(outlet->fd, &about) == 0 && about.st_dev == outlet->device && about.st_ino == outlet->inode;
}

static int is_stream_socket(int fd)
{
    int type = 0;
    socklen_t bytes = sizeof(type);
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) == 0 && type == SOCK_STREAM;
}

/*
 * O_NONBLOCK belongs to what a descriptor shares with its copies, the
 * program's among them.  So a pipe is opened once more; where that may not
 * be, a copy does, and as much at once as a pipe that has room always takes.
 */
static prof_status open_given(profi_outlet *outlet, int given, prof_error *err)
{
    struct stat about;
    int flags = fcntl(given, F_GETFL);
    if (flags < 0 || fstat(given, &about) != 0)
        return profi_fail_errno(err, errno, "fd:%d", given);
    outlet->is_socket = S_ISSOCK(about.st_mode);
    if (!S_ISFIFO(about.st_mode) && !(outlet->is_socket && is_stream_socket(given)))
        return profi_fail(err, PROF_E_INVALID, "fd:%d is neither a pipe nor a stream socket", given);
    if ((flags & O_ACCMODE) == O_RDONLY)
        return profi_fail(err, PROF_E_INVALID, "fd:%d is open for reading only", given);
    int fd = -1;
    if (!outlet->is_socket) {
        char link[64];
        snprintf(link, sizeof(link), "/proc/self/fd/%d", given);
        fd = profi_fd_above_standard(open(link, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
        outlet->may_wait = fd < 0;
    }
    if (fd < 0)
        fd = fcntl(given, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (fd >= 0 && remember(outlet, fd))
        return PROF_OK;
    int error = errno;
    if (fd >= 0)
        close(fd);
    return profi_fail_errno(err, error, "fd:%d", given);
}

static prof_status find_fifo(profi_outlet *outlet, const char *path, prof_error *err)
{
    struct stat about;
    char *real = realpath(path, NULL);
    int ok = real != NULL && stat(real, &about) == 0, error = errno;
    if (ok)
        snprintf(outlet->path, sizeof(outlet->path), "%s", real);
    free(real);
    if (!ok)
        return profi_fail_errno(err, error, "\"%.300s\"", path);
    return S_ISFIFO(about.st_mode) ? PROF_OK : profi_fail(err, PROF_E_INVALID, "\"%.300s\" is no FIFO", path);
}

prof_status profi_outlet_open(profi_outlet *outlet, const char *to, prof_error *err)
{
    *outlet = (profi_outlet){ .fd = -1 };
    prof_status status = profi_outlet_check(to, err);
    if (status != PROF_OK)
        return status;
    int given = given_fd(to);
    return given >= 0 ? open_given(outlet, given, err) : find_fifo(outlet, to, err);
}

/* Looked at before it is opened: a device would notice. */
static int open_fifo(profi_outlet *outlet)
{
    struct stat about;
    if (fstatat(AT_FDCWD, outlet->path, &about, AT_SYMLINK_NOFOLLOW) != 0)
        return errno;
    int fd = S_ISFIFO(about.st_mode) ? open(outlet->path, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY) : -1;
    fd = profi_fd_above_standard(fd);
    if (fd < 0)
        return !S_ISFIFO(about.st_mode) ? EINVAL : errno == ENXIO || errno == EINTR ? EAGAIN : errno;
    if (remember(outlet, fd) && outlet->device == about.st_dev && outlet->inode == about.st_ino)
        return 0;
    profi_outlet_close(outlet);
    return EINVAL;
}

static int send_some(int fd, const void *data, size_t bytes, size_t *written)
{
    ssize_t sent;
    do
        sent = send(fd, data, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    *written = sent > 0 ? (size_t)sent : 0;
    return sent >= 0 ? 0 : errno == ECONNRESET ? EPIPE : errno;
}

int profi_outlet_write(profi_outlet *outlet, const void *data, size_t bytes, size_t *written)
{
    *written = 0;
    if (outlet->fd < 0) {
        int error = outlet->path[0] != '\0' ? open_fifo(outlet) : EBADF;
        if (error != 0)
            return error;
    }
    if (!is_still(outlet))
        return EBADF;
    if (outlet->is_socket)
        return send_some(outlet->fd, data, bytes, written);
    if (outlet->may_wait) {
        struct pollfd room = { .fd = outlet->fd, .events = POLLOUT };
        if (poll(&room, 1, 0) <= 0)
            return EAGAIN;
        bytes = bytes < PIPE_BUF ? bytes : PIPE_BUF;
    }
    return profi_write_some(outlet->fd, data, bytes, written);
}

void profi_outlet_wait(int fd, int most_ms)
{
    struct pollfd room = { .fd = fd, .events = POLLOUT };
    poll(&room, 1, most_ms); /* one below 0 is none */
}

void profi_outlet_close(profi_outlet *outlet)
{
    if (is_still(outlet))
        close(outlet->fd);
    outlet->fd = -1;
    outlet->path[0] = '\0';
}
