/* SPDX-License-Identifier: Apache-2.0 */
/* Storage that a large part of may lie on disk: see spool.h. */
#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

size_t profi_spool_most_in_memory = (size_t)64 << 20;

static int open_file(void)
{
    char path[4096];
    const char *folder = secure_getenv("TMPDIR");
    if (folder == NULL || folder[0] == '\0')
        folder = "/tmp";
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd;
    if ((size_t)snprintf(path, sizeof(path), "%s/profcore-XXXXXX", folder) >= sizeof(path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

/* From memory to a file; what was there comes along. */
static int move_to_file(profi_spool *spool, size_t bytes)
{
    int fd = open_file();
    if (fd < 0)
        return errno;
    int error = posix_fallocate(fd, 0, (off_t)bytes);
    void *data = error == 0 ? mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (data == MAP_FAILED) {
        error = error ? error : errno;
        close(fd);
        return error;
    }
    if (spool->room != 0)
        memcpy(data, spool->data, spool->room);
    free(spool->data);
    *spool = (profi_spool){ data, bytes, fd + 1 };
    return 0;
}

static int grow_file(profi_spool *spool, size_t bytes)
{
    int error = posix_fallocate(spool->file - 1, (off_t)spool->room, (off_t)(bytes - spool->room));
    if (error != 0)
        return error;
    void *data = mremap(spool->data, spool->room, bytes, MREMAP_MAYMOVE);
    if (data == MAP_FAILED)
        return errno;
    spool->data = data;
    spool->room = bytes;
    return 0;
}

int profi_spool_reserve(profi_spool *spool, size_t bytes)
{
    if (bytes <= spool->room)
        return 0;
    if (bytes > SIZE_MAX / 4)
        return ENOMEM;
    if (bytes < 2 * spool->room)
        bytes = 2 * spool->room;
    bytes = (bytes + 0xffff) & ~(size_t)0xffff;
    if (spool->file != 0)
        return grow_file(spool, bytes);
    if (bytes > profi_spool_most_in_memory)
        return move_to_file(spool, bytes);
    void *data = realloc(spool->data, bytes);
    if (data == NULL)
        return ENOMEM;
    spool->data = data;
    spool->room = bytes;
    return 0;
}

void profi_spool_fini(profi_spool *spool)
{
    if (spool->file != 0) {
        munmap(spool->data, spool->room);
        close(spool->file - 1);
    } else {
        free(spool->data);
    }
    *spool = (profi_spool){ 0 };
}
