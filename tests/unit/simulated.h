/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A clock that stands still until a test lets time pass.  A test may say
 * before it includes this when it begins: CLOCK_BEGINS.
 */
#ifndef TEST_SIMULATED_H
#define TEST_SIMULATED_H

#include "base/clock.h"

#ifndef CLOCK_BEGINS
#define CLOCK_BEGINS 1000
#endif

static uint64_t now_ns = CLOCK_BEGINS;

static inline void pass(uint64_t ns)
{
    now_ns += ns;
    profi_clock_simulate(now_ns);
}

#endif
