/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The region: a bump pointer, and a list of free pieces for each size.
 *
 *     base                      next                        base + limit
 *      | pieces, in use or free  | never touched, no memory  |
 *
 * Sizes are rounded up to one of four steps per power of two, so the number
 * of lists is small; from 64 bytes on they are whole lines.  A piece of more
 * than 256 bytes wastes less than a fifth, a smaller one less than a line.
 */
#include "region.h"

#include "error.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

enum { CLASSES = 4 * 64, SMALLEST_PIECE = 16, LINE = 64 };

typedef struct free_piece {
    struct free_piece *next;
} free_piece;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *base;
static uint64_t limit, next, used[PROFI_REGION_USES];
static free_piece *free_pieces[CLASSES];

/* The class of a size and the bytes that its pieces have. */
static unsigned size_class(size_t bytes, size_t *rounded)
{
    if (bytes <= LINE) {
        *rounded = (bytes + SMALLEST_PIECE - 1) & ~(size_t)(SMALLEST_PIECE - 1);
        return (unsigned)(*rounded / SMALLEST_PIECE);
    }
    unsigned top = 63u - (unsigned)__builtin_clzll(bytes - 1);
    size_t step = (size_t)1 << (top - 2), stepped = (bytes + step - 1) & ~(step - 1);
    *rounded = (stepped + LINE - 1) & ~(size_t)(LINE - 1);
    return 4 * (top - 6) + (unsigned)(stepped / step); /* 5 to 8 in each octave: after the small classes 1 to 4 */
}

prof_status profi_region_open(uint64_t limit_bytes, prof_error *err)
{
    if (limit_bytes < PROFI_REGION_SMALLEST_BYTES || limit_bytes > PROFI_REGION_LARGEST_BYTES)
        return profi_fail(err, PROF_E_INVALID, "memory of %llu bytes: from 1 MiB to 1 TiB can be set",
                          (unsigned long long)limit_bytes);
    prof_status status = PROF_OK;
    pthread_mutex_lock(&lock);
    if (base == NULL) {
        void *space = mmap(NULL, limit_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (space == MAP_FAILED) {
            status = profi_fail_errno(err, errno, "cannot reserve %llu bytes of address space for recording",
                                      (unsigned long long)limit_bytes);
        } else {
            base = space;
            PROFI_PUT(limit, limit_bytes);
        }
    }
    pthread_mutex_unlock(&lock);
    return status;
}

void *profi_region_alloc(size_t bytes, profi_region_use use)
{
    size_t rounded;
    if (bytes == 0 || bytes > PROFI_REGION_LARGEST_BYTES)
        return NULL;
    unsigned class = size_class(bytes, &rounded);
    void *piece = NULL;
    int is_used = 0; /* what was never handed out is zero, and takes no memory before it is touched */
    pthread_mutex_lock(&lock);
    static const unsigned char parts[PROFI_REGION_USES] = { 1, 4, 2 };
    uint64_t allowed = limit / parts[use];
    if (rounded <= allowed && used[use] <= allowed - rounded) {
        uint64_t at = rounded >= LINE ? (next + LINE - 1) & ~(uint64_t)(LINE - 1) : next;
        if (free_pieces[class] != NULL) {
            piece = free_pieces[class];
            is_used = 1;
            free_pieces[class] = free_pieces[class]->next;
        } else if (at <= limit && rounded <= limit - at) {
            piece = base + at;
            next = at + rounded;
        }
        if (piece != NULL)
            PROFI_ADD(used[use], rounded);
    }
    pthread_mutex_unlock(&lock);
    if (is_used)
        memset(piece, 0, rounded);
    return piece;
}

void profi_region_free(void *piece, size_t bytes, profi_region_use use)
{
    size_t rounded;
    if (piece == NULL)
        return;
    unsigned class = size_class(bytes, &rounded);
    free_piece *freed = piece;
    pthread_mutex_lock(&lock);
    freed->next = free_pieces[class];
    free_pieces[class] = freed;
    PROFI_ADD(used[use], 0 - (uint64_t)rounded);
    pthread_mutex_unlock(&lock);
}

uint64_t profi_region_limit(void)
{
    return PROFI_GET(limit);
}

uint64_t profi_region_used(void)
{
    uint64_t sum = 0;
    for (unsigned use = 0; use < PROFI_REGION_USES; use++)
        sum += PROFI_GET(used[use]);
    return sum;
}

void profi_region_lock(void)
{
    pthread_mutex_lock(&lock);
}

void profi_region_unlock(void)
{
    pthread_mutex_unlock(&lock);
}
