/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clock of every scope: ticks while recording, nanoseconds afterwards.
 *
 * Ticks come from the invariant TSC (x86-64) or the generic timer (arm64)
 * where they can be trusted, else from the vDSO's CLOCK_MONOTONIC.  Which of
 * the two is decided once, before the first scope.  The conversion compares
 * the tick counter with CLOCK_MONOTONIC at two moments as far apart as the
 * process allows, so it gets better the longer a run lasts.
 *
 * Compiled with PROFI_CLOCK_SIMULATED, time stands still but for
 * profi_clock_simulate(), and a tick is a nanosecond.
 */
#ifndef PROFI_CLOCK_H
#define PROFI_CLOCK_H

#include "base.h"
#include <profcore/prof.h>

/* How to choose: PROFCORE_CLOCK. */
typedef enum profi_clock_choice { PROFI_CLOCK_AUTO, PROFI_CLOCK_TSC, PROFI_CLOCK_VDSO } profi_clock_choice;

/* Whether the hot path may read the tick counter itself.  Fixed by profi_clock_init(). */
extern int profi_clock_is_ticks;

#if defined(PROFI_CLOCK_SIMULATED)
extern uint64_t profi_clock_simulated_ticks;
static inline uint64_t profi_clock_ticks(void) { return PROFI_GET(profi_clock_simulated_ticks); }
/* Sets the simulated time in nanoseconds. */
void profi_clock_simulate(uint64_t now_ns);
#elif defined(__x86_64__)
static inline uint64_t profi_clock_ticks(void) { return __builtin_ia32_rdtsc(); }
#elif defined(__aarch64__)
static inline uint64_t profi_clock_ticks(void)
{
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
}
#else
uint64_t profi_clock_monotonic_ns(void);
static inline uint64_t profi_clock_ticks(void) { return profi_clock_monotonic_ns(); }
#endif

/* Decides the source and takes the first calibration point.  Once; later calls do nothing. */
void profi_clock_init(profi_clock_choice choice);

/* Now, in ticks of the chosen source. */
uint64_t profi_clock_now(void);

/* The processor finishes what stands before this, then begins what stands behind. */
static inline void profi_clock_order(void)
{
#if defined(__x86_64__)
    __asm__ volatile("lfence" ::: "memory");
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}

/* The same, not read before what stands before it is done: so that the order of moments is that of a lock's holders. */
static inline uint64_t profi_clock_now_ordered(void)
{
    profi_clock_order();
    return profi_clock_now();
}

/* CLOCK_MONOTONIC. */
uint64_t profi_clock_monotonic_ns(void);

/* The ratio of a tick to a nanosecond, as known at one moment. */
typedef struct profi_clock_scale {
    const char *source;  /* "tsc", "cntvct", "vdso", "simulated" */
    uint64_t hz;         /* ticks a second, rounded */
    uint64_t ns;         /* `ns` nanoseconds are `ticks` ticks */
    uint64_t ticks;
    uint64_t first_ticks, first_ns; /* one moment on both clocks, ns of CLOCK_MONOTONIC */
    int steady;          /* whether the source is known to run at one rate, on all cores */
} profi_clock_scale;

/* The ratio as well as it is known without waiting: two reads of a clock, no system call. */
profi_clock_scale profi_clock_scale_so_far(void);

/* Takes a second calibration point; sleeps up to 10 ms when the first is younger than that. */
profi_clock_scale profi_clock_scale_now(void);

/* Converts, rounding down; exact for any 64-bit number of ticks. */
static inline uint64_t profi_clock_to_ns(const profi_clock_scale *scale, uint64_t ticks)
{
    if (scale->ns == scale->ticks)
        return ticks;
    profi_u128 ns = (profi_u128)ticks * scale->ns / scale->ticks;
    return ns > UINT64_MAX ? UINT64_MAX : (uint64_t)ns;
}

/* The other way, rounding up. */
static inline uint64_t profi_clock_to_ticks(const profi_clock_scale *scale, uint64_t ns)
{
    profi_u128 ticks = ((profi_u128)ns * scale->ticks + scale->ns - 1) / scale->ns;
    return ticks > UINT64_MAX ? UINT64_MAX : (uint64_t)ticks;
}

/* The time of a moment in ticks, as CLOCK_MONOTONIC gives it, rounded down; never later for an earlier moment. */
static inline uint64_t profi_clock_at(const profi_clock_scale *scale, uint64_t ticks)
{
    if (ticks >= scale->first_ticks)
        return scale->first_ns + profi_clock_to_ns(scale, ticks - scale->first_ticks);
    uint64_t before = profi_clock_to_ns(scale, scale->first_ticks - ticks) + 1;
    return before < scale->first_ns ? scale->first_ns - before : 0;
}

/* The moment in ticks that profi_clock_at() gives this time for. */
static inline uint64_t profi_clock_tick_of(const profi_clock_scale *scale, uint64_t ns)
{
    return ns >= scale->first_ns ? scale->first_ticks + profi_clock_to_ticks(scale, ns - scale->first_ns)
                                 : scale->first_ticks - profi_clock_to_ticks(scale, scale->first_ns - ns);
}

/* One moment on the system's clocks, in nanoseconds. */
typedef struct profi_clock_moment {
    uint64_t monotonic_ns, boot_ns, unix_ns;
} profi_clock_moment;
profi_clock_moment profi_clock_moment_now(void);

#endif
