/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See contexts.h.  Entries lie in pages that never move, so that they are read
 * without the lock; they are made under it.  On the heap, 24 bytes each.
 */
#include "contexts.h"

#include <pthread.h>
#include <stdlib.h>

typedef struct entry {
    uint32_t around, site;
    uint32_t next; /* in its chain; 0: the last */
    uint64_t lost_calls;
} entry;

enum { PAGE = 1024, PAGES = PROFI_CONTEXTS_MOST / PAGE, CHAINS = 1 << 12 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static entry *pages[PAGES];
static uint32_t chains[CHAINS];
static uint32_t count; /* stored with release after its entry */

static entry *entry_of(uint32_t number) { return &pages[(number - 1) / PAGE][(number - 1) % PAGE]; }

/* Under the lock. */
static uint32_t find_or_make(uint32_t around, uint32_t site)
{
    uint32_t *chain = &chains[profi_mix64((uint64_t)around << 32 | site) % CHAINS];
    for (uint32_t number = *chain; number != 0; number = entry_of(number)->next)
        if (entry_of(number)->around == around && entry_of(number)->site == site)
            return number;
    if (count == PROFI_CONTEXTS_MOST)
        return PROFI_CONTEXT_LOST;
    entry **page = &pages[count / PAGE];
    if (*page == NULL && (*page = calloc(PAGE, sizeof(**page))) == NULL)
        return PROFI_CONTEXT_LOST;
    *entry_of(count + 1) = (entry){ .around = around, .site = site, .next = *chain };
    *chain = count + 1;
    PROFI_RELEASE(count, count + 1);
    return count;
}

/*
 * Gives numbers to those around first, as many at a time as there is room to
 * remember the way.  A node that gets none is not asked again.
 */
uint32_t profi_context_of(profi_node *node)
{
    enum { AT_ONCE = 64, DEEPEST = 4096 };
    while (node->context == PROFI_CONTEXT_NONE) {
        profi_node *way[AT_ONCE], *at = node;
        unsigned steps = 0;
        for (; at->site != NULL && at->context == PROFI_CONTEXT_NONE && steps < DEEPEST; at = at->parent)
            way[steps++ % AT_ONCE] = at;
        int is_lost = steps == DEEPEST || at->context == PROFI_CONTEXT_LOST;
        pthread_mutex_lock(&lock);
        for (unsigned left = steps < AT_ONCE ? steps : AT_ONCE; left > 0; left--) {
            profi_node *next = way[--steps % AT_ONCE];
            next->context = is_lost ? PROFI_CONTEXT_LOST : find_or_make(next->parent->context, next->site->id);
            is_lost = next->context == PROFI_CONTEXT_LOST;
        }
        pthread_mutex_unlock(&lock);
    }
    return node->context;
}

uint32_t profi_context_count(void) { return PROFI_ACQUIRE(count); }

profi_context_view profi_context(uint32_t number)
{
    const entry *from = entry_of(number);
    return (profi_context_view){ from->around, from->site, PROFI_GET(from->lost_calls) };
}

void profi_context_lose_call(uint32_t number)
{
    if (number != PROFI_CONTEXT_LOST)
        __atomic_fetch_add(&entry_of(number)->lost_calls, 1u, __ATOMIC_RELAXED);
}

void profi_contexts_lock(void) { pthread_mutex_lock(&lock); }
void profi_contexts_unlock(void) { pthread_mutex_unlock(&lock); }

void profi_contexts_forget_calls(void)
{
    for (uint32_t number = 1; number <= count; number++)
        entry_of(number)->lost_calls = 0;
}
