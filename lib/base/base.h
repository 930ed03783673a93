/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every file of the library may use: compiler words, relaxed access to
 * fields that another thread reads, and small integer helpers.
 *
 * This header knows nothing of scopes, files or probes.
 */
#ifndef PROFI_BASE_H
#define PROFI_BASE_H

#include <stddef.h>
#include <stdint.h>

#define PROFI_LIKELY(x) __builtin_expect(!!(x), 1)
#define PROFI_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define PROFI_COLD __attribute__((cold, noinline))
#define PROFI_PRINTF(format_index, first) __attribute__((format(printf, format_index, first)))
#define PROFI_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/*
 * A field with one writer that other threads read: both sides use these, so
 * that no access is a data race.  GET and PUT order nothing; where order
 * matters the code says so with an acquire or a release.
 */
#define PROFI_GET(field) __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define PROFI_PUT(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELAXED)
#define PROFI_ACQUIRE(field) __atomic_load_n(&(field), __ATOMIC_ACQUIRE)
#define PROFI_RELEASE(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELEASE)
#define PROFI_ADD(field, value) PROFI_PUT(field, PROFI_GET(field) + (value))

__extension__ typedef unsigned __int128 profi_u128;

static inline uint64_t profi_min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline uint64_t profi_max_u64(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* A double in a field of 64 bits, for relaxed access. */
static inline uint64_t profi_double_bits(double value)
{
    uint64_t bits;
    __builtin_memcpy(&bits, &value, sizeof(bits));
    return bits;
}
static inline double profi_bits_double(uint64_t bits)
{
    double value;
    __builtin_memcpy(&value, &bits, sizeof(value));
    return value;
}

/* Spreads the bits of x over the whole word; good enough for tables whose size is a power of two. */
static inline uint64_t profi_mix64(uint64_t x)
{
    x ^= x >> 32;
    x *= 0x9e3779b97f4a7c15u;
    x ^= x >> 29;
    x *= 0xbf58476d1ce4e5b9u;
    return x ^ (x >> 32);
}

#endif
