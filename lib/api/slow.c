/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits by name: see slow.h.  A site's name is compared with the rules when
 * it is first seen, and again when a rule has changed; not at each look.
 */
#include "slow.h"

#include "../base/error.h"
#include "../base/text.h"
#include "../record/record.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef struct rule {
    char pattern[PROFI_SLOW_PATTERN_BYTES];
    uint64_t limit_ns;
    int is_operators;
} rule;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static rule rules[PROFI_SLOW_RULES]; /* the operator's first */
static unsigned rule_count;
static uint64_t changes;

/* What profi_slow_limits() keeps. */
static uint64_t *limits, seen_changes;
static uint32_t limit_count, limit_room;

/* The place of a pattern's rule, or where a new one goes. */
static unsigned find(const char *pattern, size_t bytes, int is_operators)
{
    unsigned end = 0;
    for (unsigned i = 0; i < rule_count; i++) {
        if (rules[i].is_operators != is_operators)
            continue;
        if (strlen(rules[i].pattern) == bytes && memcmp(rules[i].pattern, pattern, bytes) == 0)
            return i;
    }
    while (end < rule_count && rules[end].is_operators >= is_operators)
        end++;
    return end;
}

prof_status profi_slow_set(const char *pattern, size_t bytes, uint64_t limit_ns, int is_operators, prof_error *err)
{
    if (bytes == 0 || bytes >= PROFI_SLOW_PATTERN_BYTES)
        return profi_fail(err, PROF_E_INVALID, "a limit is for a name of 1 to %d bytes", PROFI_SLOW_PATTERN_BYTES - 1);
    pthread_mutex_lock(&lock);
    unsigned at = find(pattern, bytes, is_operators);
    int is_new = at == rule_count || rules[at].is_operators != is_operators ||
                 strlen(rules[at].pattern) != bytes || memcmp(rules[at].pattern, pattern, bytes) != 0;
    int is_full = is_new && rule_count == PROFI_SLOW_RULES;
    if (is_new && !is_full) {
        memmove(&rules[at + 1], &rules[at], (rule_count - at) * sizeof(*rules));
        rules[at] = (rule){ .is_operators = is_operators };
        memcpy(rules[at].pattern, pattern, bytes);
        rule_count++;
    }
    if (!is_full) {
        rules[at].limit_ns = limit_ns;
        changes++;
    }
    pthread_mutex_unlock(&lock);
    return !is_full ? PROF_OK : profi_fail(err, PROF_E_LIMIT, "there are %d limits already", PROFI_SLOW_RULES);
}

uint64_t profi_slow_smallest_ns(void)
{
    uint64_t smallest = UINT64_MAX;
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < rule_count; i++)
        if (rules[i].limit_ns != 0)
            smallest = profi_min_u64(smallest, rules[i].limit_ns);
    pthread_mutex_unlock(&lock);
    return smallest != UINT64_MAX ? smallest : 0;
}

static uint64_t limit_of(const char *name)
{
    for (unsigned i = 0; i < rule_count; i++)
        if (profi_text_fits(name, rules[i].pattern))
            return rules[i].limit_ns;
    return 0;
}

const uint64_t *profi_slow_limits(uint32_t *site_count)
{
    uint32_t count = profi_record_site_count();
    if (count > limit_room || limits == NULL) {
        uint64_t *larger = reallocarray(limits, (size_t)count * 2 + 64, sizeof(*limits));
        if (larger == NULL)
            return NULL;
        limits = larger;
        limit_room = count * 2 + 64;
    }
    pthread_mutex_lock(&lock);
    if (changes != seen_changes)
        limit_count = 0;
    seen_changes = changes;
    for (; limit_count < count; limit_count++)
        limits[limit_count] = limit_of(profi_record_site_view(limit_count).name);
    pthread_mutex_unlock(&lock);
    *site_count = count;
    return limits;
}

void profi_slow_forget(void)
{
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER; /* a thread that the child does not have may have held it */
    rule_count = limit_count = 0;
    changes++;
}
