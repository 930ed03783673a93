/* SPDX-License-Identifier: Apache-2.0 */
/* The file of an index: see index_file.h. */
#include "index_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vocab.h"

enum { VERSION = 1 };
#define UNIT_TOLERANCE 1e-3

typedef struct header {
    char magic[8];
    uint32_t version; /* another byte order shows here */
    uint32_t dimensions;
    uint64_t count;
    uint64_t build_ns;
    content_hash key;
    content_hash check; /* of the fields before it, and the vectors */
} header;

static const char magic[8] = { 'P', 'R', 'O', 'F', 'R', 'A', 'G', '\n' };

_Static_assert(sizeof(header) == 64, "the file's layout has no padding");

static content_hash check_of(const header *h, const float *vectors, size_t bytes)
{
    content_hasher hasher;
    content_hasher_init(&hasher);
    content_hasher_add(&hasher, h, offsetof(header, check));
    content_hasher_add(&hasher, vectors, bytes);
    return content_hasher_result(&hasher);
}

/* ------------------------------------------------------------------------
 * Writing
 */

static int write_all(int file, const void *data, size_t bytes)
{
    const char *at = data;
    while (bytes > 0) {
        const ssize_t written = write(file, at, bytes);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return -1;
        at += written;
        bytes -= (size_t)written;
    }
    return 0;
}

static prof_status cannot(const char *path, const char *what, prof_error *err)
{
    return vocab_fail(err, PROF_E_IO, "%s: %s: %s", path, what, strerror(errno));
}

prof_status index_file_write(const char *path, const stored_index *stored, prof_error *err)
{
    PROF_FUNCTION();
    char beside[PATH_MAX];
    const size_t bytes = stored->count * stored->dimensions * sizeof *stored->vectors;
    header h = { .version = VERSION, .dimensions = stored->dimensions, .count = stored->count,
                 .build_ns = stored->build_ns, .key = stored->key };
    memcpy(h.magic, magic, sizeof magic);
    h.check = check_of(&h, stored->vectors, bytes);
    if ((size_t)snprintf(beside, sizeof beside, "%s.%ld", path, (long)getpid()) >= sizeof beside)
        return vocab_fail(err, PROF_E_LIMIT, "%.200s: the path is too long", path);
    const int file = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (file < 0)
        return cannot(beside, "cannot be made", err);
    prof_status status = PROF_OK;
    if (write_all(file, &h, sizeof h) != 0 || write_all(file, stored->vectors, bytes) != 0 || fsync(file) != 0)
        status = cannot(beside, "cannot be written", err);
    if (close(file) != 0 && status == PROF_OK)
        status = cannot(beside, "cannot be written", err);
    if (status == PROF_OK && rename(beside, path) != 0)
        status = cannot(path, "cannot be put in place", err);
    if (status != PROF_OK)
        unlink(beside);
    PROF_ITEMS_UNIT(sizeof h + bytes, "bytes");
    return status;
}

/* ------------------------------------------------------------------------
 * Reading
 */

static prof_status damaged(const char *path, const char *what, prof_error *err)
{
    return vocab_fail(err, PROF_E_FORMAT, "%s: %s", path, what);
}

static prof_status check_header(const char *path, const header *h, uint64_t file_bytes, const stored_index *wanted,
                                prof_error *err)
{
    if (memcmp(h->magic, magic, sizeof magic) != 0)
        return damaged(path, "is not an index of this service", err);
    if (h->version != VERSION)
        return damaged(path, "is an index of another version, or of another kind of machine", err);
    if (!content_hash_equal(h->key, wanted->key) || h->dimensions != wanted->dimensions || h->count != wanted->count)
        return damaged(path, "was made from other documents, or by another model", err);
    if (file_bytes != sizeof *h + h->count * h->dimensions * sizeof(float))
        return damaged(path, "is cut short, or too long", err);
    return PROF_OK;
}

static prof_status check_vectors(const char *path, const header *h, const float *vectors, prof_error *err)
{
    if (!content_hash_equal(h->check, check_of(h, vectors, h->count * h->dimensions * sizeof *vectors)))
        return damaged(path, "is damaged: its bytes do not match its hash", err);
    for (uint64_t i = 0; i < h->count; i++) {
        double square = 0.0;
        for (uint32_t at = 0; at < h->dimensions; at++)
            square += (double)vectors[at] * (double)vectors[at];
        if (!(fabs(square - 1.0) <= UNIT_TOLERANCE)) /* NaN too */
            return damaged(path, "holds a vector that is not of unit length", err);
        vectors += h->dimensions;
    }
    return PROF_OK;
}

static int read_all(int file, void *data, size_t bytes)
{
    char *at = data;
    while (bytes > 0) {
        const ssize_t got = read(file, at, bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0)
            errno = EIO; /* it became shorter meanwhile */
        if (got <= 0)
            return -1;
        at += got;
        bytes -= (size_t)got;
    }
    return 0;
}

static prof_status read_open(int file, const char *path, stored_index *stored, prof_error *err)
{
    header h;
    struct stat found;
    if (fstat(file, &found) != 0)
        return cannot(path, "cannot be read", err);
    if (!S_ISREG(found.st_mode) || (uint64_t)found.st_size < sizeof h)
        return damaged(path, "is not an index of this service", err);
    if (read_all(file, &h, sizeof h) != 0)
        return cannot(path, "cannot be read", err);
    prof_status status = check_header(path, &h, (uint64_t)found.st_size, stored, err);
    if (status != PROF_OK)
        return status;
    const size_t bytes = h.count * h.dimensions * sizeof(float);
    float *const vectors = malloc(bytes);
    if (vectors == NULL)
        return vocab_fail(err, PROF_E_NO_MEMORY, "%s: no memory for its %zu bytes", path, bytes);
    status = read_all(file, vectors, bytes) != 0 ? cannot(path, "cannot be read", err)
                                                 : check_vectors(path, &h, vectors, err);
    if (status != PROF_OK) {
        free(vectors);
        return status;
    }
    stored->build_ns = h.build_ns;
    stored->vectors = vectors;
    PROF_ITEMS_UNIT(sizeof h + bytes, "bytes");
    return PROF_OK;
}

prof_status index_file_read(const char *path, stored_index *stored, prof_error *err)
{
    PROF_FUNCTION();
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0 && errno == ENOENT)
        return vocab_fail(err, PROF_E_NOT_FOUND, "%s: there is no such file", path);
    if (file < 0)
        return cannot(path, "cannot be opened", err);
    const prof_status status = read_open(file, path, stored, err);
    close(file);
    return status;
}
