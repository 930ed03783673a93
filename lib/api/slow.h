/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which scopes are to be over within which time: the rules by name, and the
 * limit of each site that follows from them.
 */
#ifndef PROFI_SLOW_H
#define PROFI_SLOW_H

#include "../base/base.h"
#include <profcore/prof.h>

enum { PROFI_SLOW_RULES = 64, PROFI_SLOW_PATTERN_BYTES = 256 };

/*
 * Adds a rule, or gives the one of the same pattern another limit; 0: such
 * scopes have none.  The first that matches a name counts: those of the
 * operator, then those in code, in the order in which they came.
 */
prof_status profi_slow_set(const char *pattern, size_t bytes, uint64_t limit_ns, int is_operators, prof_error *err);

/* The smallest of all limits; 0: there is none. */
uint64_t profi_slow_smallest_ns(void);

/*
 * The limits of all sites there are by now, in nanoseconds, 0 for none, by
 * their ids; NULL when memory is spent.  For one thread, which has it until it
 * asks again.
 */
const uint64_t *profi_slow_limits(uint32_t *site_count);

/* In a forked child: there are no rules. */
void profi_slow_forget(void);

#endif
