/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of scope_bench share: the clock, and the cases that are compiled in another way. */
#ifndef SCOPE_BENCH_H
#define SCOPE_BENCH_H

#include <profcore/prof.h>
#include <stdio.h>
#include <time.h>

enum { BATCH = 20000 };

#define KEEP(value) __asm__ volatile("" : : "r"(value) : "memory")

static inline uint64_t bench_ticks(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t value;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(value));
    return value;
#else
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
#endif
}

#ifdef __cplusplus
extern "C" {
#endif

extern prof_site bench_nest_sites[16];

void bench_inline_flat(void);   /* inline_bench.c: PROF_INLINE */
void bench_inline_nested(void);
void bench_disabled(void);      /* disabled_bench.c: PROF_DISABLE */
void bench_lttng(void);         /* peer_lttng.c, where LTTng-UST is installed */
void bench_microprofile(void);  /* peer_microprofile.cpp, likewise */

/* nvtx_bench.c: `count` figures each of what NVTX adds without a tool, and of a scope with one; 0: they cannot be had. */
struct bench_pair { double ns, ratio; };
int bench_nvtx(const char *program, double *added_ns, double *ratios, double *tool_ns, double *tool_ratios, int count);

#ifdef __cplusplus
}
#endif

#endif
