/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of rules for single calls, PROFCORE_SAVE_IF and
 * prof_options.save_if:
 *
 *     rules     = rule { "," [blanks] rule }
 *     rule      = name condition
 *     name      = as reports show it; in double quotes where it holds a comma
 *     condition = ">" number unit | "/" whole-number
 *     unit      = "ns" | "us" | "ms" | "s"
 *
 * Two rules for one name are one with both conditions.
 */
#ifndef PROFI_SAVE_RULES_H
#define PROFI_SAVE_RULES_H

#include <profcore/prof.h>

/* Takes one rule; a condition that it has not is 0. */
typedef prof_status (*profi_save_rule_callback)(const char *name, size_t name_bytes, uint64_t slower_than_ns,
                                                uint64_t every_nth, prof_error *err);

/* Reads rules; `take` may be NULL, to check them only.  PROF_E_INVALID names the part that is wrong. */
prof_status profi_save_rules_read(const char *text, profi_save_rule_callback take, prof_error *err);

/*
 * The same for the limits of PROFCORE_SLOW, in which a name may be a pattern
 * and a number without a unit is milliseconds:
 *
 *     condition = "=" number [unit]
 *
 * Each is given to `take` as slower_than_ns.
 */
prof_status profi_slow_rules_read(const char *text, profi_save_rule_callback take, prof_error *err);

#endif
