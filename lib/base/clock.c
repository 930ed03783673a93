/* SPDX-License-Identifier: Apache-2.0 */
/* Choice and calibration of the clock: see clock.h. */
#include "clock.h"

#include "system.h"

#include <pthread.h>
#include <string.h>
#include <time.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

int profi_clock_is_ticks;

static uint64_t system_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t profi_clock_monotonic_ns(void)
{
    return system_ns(CLOCK_MONOTONIC);
}

#if defined(PROFI_CLOCK_SIMULATED)

uint64_t profi_clock_simulated_ticks;

void profi_clock_simulate(uint64_t now_ns)
{
    PROFI_PUT(profi_clock_simulated_ticks, now_ns);
}

void profi_clock_init(profi_clock_choice choice)
{
    /* A test may ask for the path without ticks; time stays simulated on both. */
    profi_clock_is_ticks = choice != PROFI_CLOCK_VDSO;
}

uint64_t profi_clock_now(void)
{
    return profi_clock_ticks();
}

profi_clock_scale profi_clock_scale_so_far(void)
{
    return (profi_clock_scale){ .source = "simulated", .hz = 1000000000u, .ns = 1, .ticks = 1, .steady = 1 };
}

profi_clock_scale profi_clock_scale_now(void)
{
    return profi_clock_scale_so_far();
}

profi_clock_moment profi_clock_moment_now(void)
{
    uint64_t now = profi_clock_ticks();
    return (profi_clock_moment){ now, now, system_ns(CLOCK_REALTIME) };
}

#else

profi_clock_moment profi_clock_moment_now(void)
{
    return (profi_clock_moment){ profi_clock_monotonic_ns(), system_ns(CLOCK_BOOTTIME), system_ns(CLOCK_REALTIME) };
}

/* A moment on both clocks. */
typedef struct moment {
    uint64_t ticks, ns;
} moment;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static profi_clock_choice choice_made;
static int source_is_steady;
static moment first_moment;

#if defined(__x86_64__)
#define TICK_SOURCE "tsc"

/*
 * The kernel's verdict counts: it watches the TSC against other clocks and
 * over all cores.  Under a hypervisor it may prefer the host's clock, which
 * is itself a scaled TSC, as long as it still lists the TSC as available.
 */
static int ticks_are_steady(void)
{
    unsigned eax, ebx, ecx, edx;
    if (!__get_cpuid(0x80000007u, &eax, &ebx, &ecx, &edx) || !(edx & 1u << 8))
        return 0;
    char current[64], available[256];
    if (!profi_read_text("/sys/devices/system/clocksource/clocksource0/current_clocksource", current, sizeof(current)))
        return 0;
    if (strcmp(current, "tsc\n") == 0)
        return 1;
    if (strcmp(current, "kvm-clock\n") != 0 && strncmp(current, "hyperv_clocksource", 18) != 0)
        return 0;
    return profi_read_text("/sys/devices/system/clocksource/clocksource0/available_clocksource", available,
                     sizeof(available)) &&
           strstr(available, "tsc") != NULL;
}
#elif defined(__aarch64__)
#define TICK_SOURCE "cntvct"
/* The architecture promises one constant-rate counter for all cores. */
static int ticks_are_steady(void) { return 1; }
#else
#define TICK_SOURCE "vdso"
#define HAS_NO_TICKS
static int ticks_are_steady(void) { return 0; }
#endif

/* Of a few tries, the one in which the two reads were closest together. */
static moment moment_now(void)
{
    moment best = { 0, 0 };
    uint64_t best_gap = UINT64_MAX;
    for (int i = 0; i < 8; i++) {
        uint64_t before = profi_clock_ticks();
        uint64_t ns = profi_clock_monotonic_ns();
        uint64_t gap = profi_clock_ticks() - before;
        if (gap < best_gap) {
            best_gap = gap;
            best = (moment){ before + gap / 2, ns };
        }
    }
    return best;
}

static void init_once(void)
{
    source_is_steady = choice_made == PROFI_CLOCK_VDSO ? 1 : ticks_are_steady();
    profi_clock_is_ticks = choice_made == PROFI_CLOCK_TSC || (choice_made == PROFI_CLOCK_AUTO && source_is_steady);
#if defined(HAS_NO_TICKS)
    profi_clock_is_ticks = 0;
#endif
    if (!profi_clock_is_ticks)
        source_is_steady = 1;
    else
        first_moment = moment_now();
}

void profi_clock_init(profi_clock_choice choice)
{
    choice_made = choice;
    pthread_once(&once, init_once);
}

uint64_t profi_clock_now(void)
{
    return profi_clock_is_ticks ? profi_clock_ticks() : profi_clock_monotonic_ns();
}

profi_clock_scale profi_clock_scale_so_far(void)
{
    profi_clock_scale scale = { .source = "vdso", .hz = 1000000000u, .ns = 1, .ticks = 1, .steady = 1 };
    if (!profi_clock_is_ticks)
        return scale;
    moment now = moment_now();
    scale.source = TICK_SOURCE;
    scale.first_ticks = first_moment.ticks;
    scale.first_ns = first_moment.ns;
    scale.ns = profi_max_u64(now.ns - first_moment.ns, 1);
    scale.ticks = now.ticks - first_moment.ticks;
    scale.steady = source_is_steady && scale.ticks != 0;
    if (scale.ticks == 0)
        scale.ticks = scale.ns;
    scale.hz = (uint64_t)((profi_u128)scale.ticks * 1000000000u / scale.ns);
    return scale;
}

profi_clock_scale profi_clock_scale_now(void)
{
    enum { SHORTEST_NS = 10000000 };
    profi_clock_scale scale = profi_clock_scale_so_far();
    if (!profi_clock_is_ticks || scale.ns >= SHORTEST_NS)
        return scale;
    struct timespec rest = { 0, (long)(SHORTEST_NS - scale.ns) };
    nanosleep(&rest, NULL);
    return profi_clock_scale_so_far();
}

#endif
