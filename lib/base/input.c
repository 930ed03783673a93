/* SPDX-License-Identifier: Apache-2.0 */
/* Reading of whole files: see input.h. */
#include "input.h"

#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *kind_of(mode_t mode)
{
    return S_ISDIR(mode) ? "a folder" : S_ISFIFO(mode) ? "a pipe" : S_ISSOCK(mode) ? "a socket" : "a device";
}

static prof_status too_large(const char *path, size_t most_bytes, prof_error *err)
{
    return profi_fail(err, PROF_E_LIMIT, "\"%.300s\" has more than %zu bytes", path, most_bytes);
}

/* Reads to the end; what fstat() said may be wrong by then, and is always wrong in /proc. */
static prof_status read_all(int fd, const char *path, size_t expected, size_t most_bytes, char **data, size_t *bytes,
                            prof_error *err)
{
    size_t room = expected + 1, used = 0;
    char *text = malloc(room);
    while (text != NULL) {
        ssize_t count = read(fd, text + used, room - used);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0) {
            *data = text;
            *bytes = used;
            if (count == 0)
                return PROF_OK;
            int error = errno;
            free(text);
            return profi_fail_errno(err, error, "cannot read \"%.300s\"", path);
        }
        used += (size_t)count;
        if (used > most_bytes) {
            free(text);
            return too_large(path, most_bytes, err);
        }
        if (used == room) {
            char *larger = realloc(text, room *= 2);
            if (larger == NULL)
                break;
            text = larger;
        }
    }
    free(text);
    return profi_fail(err, PROF_E_NO_MEMORY, "no memory to read \"%.300s\"", path);
}

/* Opens a regular file, of which fstat() gives *about. */
static prof_status open_regular(const char *path, int *opened, struct stat *about, prof_error *err)
{
    /* Without O_NONBLOCK the opening of a pipe would wait for whoever writes to it. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, about) != 0) {
        int error = errno;
        if (fd >= 0)
            close(fd);
        return profi_fail_errno(err, error, "cannot read \"%.300s\"", path);
    }
    if (!S_ISREG(about->st_mode)) {
        close(fd);
        return profi_fail(err, PROF_E_IO, "cannot read \"%.300s\": it is %s", path, kind_of(about->st_mode));
    }
    *opened = fd;
    return PROF_OK;
}

prof_status profi_input_open(const char *path, int *fd, prof_error *err)
{
    struct stat about;
    return open_regular(path, fd, &about, err);
}

prof_status profi_input_read(const char *path, size_t most_bytes, char **data, size_t *bytes, prof_error *err)
{
    struct stat about;
    int fd;
    prof_status status = open_regular(path, &fd, &about, err);
    if (status != PROF_OK)
        return status;
    if (about.st_size > 0 && (uint64_t)about.st_size > most_bytes)
        status = too_large(path, most_bytes, err);
    else
        status = read_all(fd, path, about.st_size > 0 ? (size_t)about.st_size : 4095, most_bytes, data, bytes, err);
    close(fd);
    return status;
}
