/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded: the n-th allocation fails, once (FAIL_ALLOC=n) or from then on
 * (FAIL_ALLOC=n FAIL_FOR_GOOD=1).
 */
#include <errno.h>
#include <stdlib.h>

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *block, size_t bytes);

long fail_alloc_seen; /* allocations so far, for the program to read */
static long fail_at = -1, for_good;

__attribute__((constructor)) static void configure(void)
{
    const char *at = getenv("FAIL_ALLOC");
    for_good = getenv("FAIL_FOR_GOOD") != NULL;
    fail_at = at ? atol(at) : -1;
}

static int fails(void)
{
    long number = __atomic_add_fetch(&fail_alloc_seen, 1, __ATOMIC_RELAXED);
    if (fail_at <= 0 || (for_good ? number < fail_at : number != fail_at))
        return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t bytes) { return fails() ? NULL : __libc_malloc(bytes); }
void *calloc(size_t count, size_t bytes) { return fails() ? NULL : __libc_calloc(count, bytes); }
void *realloc(void *block, size_t bytes) { return fails() ? NULL : __libc_realloc(block, bytes); }
void *reallocarray(void *block, size_t count, size_t bytes)
{
    size_t total;
    if (__builtin_mul_overflow(count, bytes, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(block, total);
}
