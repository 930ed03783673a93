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
 *
 * In a file it is two such arenas: sites, which a forked child goes on using,
 * have one of their own, private to the process.  Both together are capped.
 */
#include "region.h"

#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

enum { CLASSES = 4 * 64, SMALLEST_PIECE = 16, LINE = 64 };

typedef struct free_piece {
    struct free_piece *next;
} free_piece;

typedef struct arena {
    char *base;
    uint64_t limit, next;
    free_piece *free_pieces[CLASSES];
} arena;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t limit, used[PROFI_REGION_USES];
static arena pieces, site_pieces; /* the latter only in a file */
static profi_region_head *head;   /* of the file, while it is ours */
static size_t head_bytes;

static arena *arena_of(profi_region_use use)
{
    return use == PROFI_REGION_SITE && site_pieces.base != NULL ? &site_pieces : &pieces;
}

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

static prof_status check_limit(uint64_t limit_bytes, prof_error *err)
{
    if (limit_bytes < PROFI_REGION_SMALLEST_BYTES || limit_bytes > PROFI_REGION_LARGEST_BYTES)
        return profi_fail(err, PROF_E_INVALID, "memory of %llu bytes: from 1 MiB to 1 TiB can be set",
                          (unsigned long long)limit_bytes);
    return PROF_OK;
}

/* Address space that takes memory when it is touched; `at` is where, and replaced, or NULL. */
static void *map_memory(void *at, uint64_t bytes)
{
    return mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (at ? MAP_FIXED : 0), -1, 0);
}

static prof_status cannot_reserve(uint64_t bytes, prof_error *err)
{
    return profi_fail_errno(err, errno, "cannot reserve %llu bytes of address space for recording", (unsigned long long)bytes);
}

prof_status profi_region_open(uint64_t limit_bytes, prof_error *err)
{
    prof_status status = check_limit(limit_bytes, err);
    if (status != PROF_OK)
        return status;
    pthread_mutex_lock(&lock);
    if (pieces.base == NULL) {
        void *space = map_memory(NULL, limit_bytes);
        if (space == MAP_FAILED) {
            status = cannot_reserve(limit_bytes, err);
        } else {
            pieces = (arena){ .base = space, .limit = limit_bytes };
            PROFI_PUT(limit, limit_bytes);
        }
    }
    pthread_mutex_unlock(&lock);
    return status;
}

/* Both arenas, or none. */
static prof_status map_file(int fd, uint64_t limit_bytes, prof_error *err)
{
    int error = posix_fallocate(fd, 0, (off_t)limit_bytes);
    if (error != 0)
        return profi_fail_errno(err, error, "cannot reserve %llu bytes of disk", (unsigned long long)limit_bytes);
    void *space = mmap(NULL, limit_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (space == MAP_FAILED)
        return cannot_reserve(limit_bytes, err);
    void *sites = map_memory(NULL, limit_bytes);
    if (sites == MAP_FAILED) {
        prof_status status = cannot_reserve(limit_bytes, err);
        munmap(space, limit_bytes);
        return status;
    }
    pieces = (arena){ .base = space, .limit = limit_bytes, .next = head_bytes };
    site_pieces = (arena){ .base = sites, .limit = limit_bytes };
    return PROF_OK;
}

prof_status profi_region_open_file(int fd, uint64_t limit_bytes, size_t bytes_of_head, prof_error *err)
{
    prof_status status = check_limit(limit_bytes, err);
    if (status != PROF_OK)
        return status;
    pthread_mutex_lock(&lock);
    if (pieces.base != NULL)
        status = profi_fail(err, PROF_E_BUSY, "there is memory for recording already");
    head_bytes = bytes_of_head;
    if (status == PROF_OK)
        status = map_file(fd, limit_bytes, err);
    if (status == PROF_OK) {
        head = (profi_region_head *)(void *)pieces.base;
        *head = (profi_region_head){ (uintptr_t)pieces.base, limit_bytes, pieces.next };
        PROFI_PUT(limit, limit_bytes);
    }
    pthread_mutex_unlock(&lock);
    return status;
}

void *profi_region_file_head(void)
{
    return head;
}

int profi_region_renew(void)
{
    if (head == NULL)
        return 0;
    head = NULL;
    char *base = pieces.base;
    int ok = map_memory(base, limit) != MAP_FAILED;
    pieces = (arena){ .base = base, .limit = ok ? limit : 0, .next = head_bytes };
    for (unsigned use = 0; use < PROFI_REGION_USES; use++)
        if (use != PROFI_REGION_SITE)
            used[use] = 0;
    return ok ? 1 : -1;
}

/* The next piece that was never handed out; NULL when the cap is reached.  Under the lock. */
static void *cut_piece(arena *from, uint64_t rounded)
{
    uint64_t at = rounded >= LINE ? (from->next + LINE - 1) & ~(uint64_t)(LINE - 1) : from->next;
    uint64_t elsewhere = from == &pieces ? site_pieces.next : pieces.next;
    if (elsewhere > from->limit || at > from->limit - elsewhere || rounded > from->limit - elsewhere - at)
        return NULL;
    from->next = at + rounded;
    if (head != NULL)
        PROFI_PUT(head->next, pieces.next);
    return from->base + at;
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
    static const unsigned char parts[PROFI_REGION_USES] = { 1, 4, 2, 1 };
    uint64_t allowed = limit / parts[use];
    if (rounded <= allowed && used[use] <= allowed - rounded) {
        arena *from = arena_of(use);
        if (from->free_pieces[class] != NULL) {
            piece = from->free_pieces[class];
            is_used = 1;
            from->free_pieces[class] = from->free_pieces[class]->next;
        } else {
            piece = cut_piece(from, rounded);
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
    arena *to = arena_of(use);
    freed->next = to->free_pieces[class];
    to->free_pieces[class] = freed;
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
