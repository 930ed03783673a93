/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters: values over time, kept for each thread and site, merged when a
 * snapshot is taken.
 *
 * Runs on the caller's thread on data that it owns, as scopes do: after a
 * thread's first value of a site there is no lock, no allocation and no
 * atomic read-modify-write.
 */
#include "cold.h"
#include "record.h"
#include "roots.h"

#include "../base/region.h"
#include "../base/system.h"

#include <math.h>

static profi_counter *find(const profi_thread *thread, const profi_site *site)
{
    profi_entry *e = profi_table_first(&thread->counters, site->id);
    return e != NULL ? PROFI_OBJECT_OF(e, profi_counter, by_site) : NULL;
}

static void add(profi_thread *thread, profi_counter *counter)
{
    counter->next = thread->first_counter;
    profi_table_add(&thread->counters, &counter->by_site, counter->site->id);
    __atomic_store_n(&thread->first_counter, counter, __ATOMIC_RELEASE);
}

static profi_counter *find_or_make(profi_thread *thread, profi_site *site)
{
    profi_counter *counter = find(thread, site);
    if (PROFI_LIKELY(counter != NULL))
        return counter;
    PROFI_NO_CANCELLATION;
    counter = profi_region_alloc(sizeof(*counter), PROFI_REGION_TREE);
    if (counter == NULL)
        return NULL;
    counter->site = site;
    counter->min = profi_double_bits(INFINITY);
    counter->max = profi_double_bits(-INFINITY);
    add(thread, counter);
    return counter;
}

static void count(profi_thread *self, profi_counter *counter, double value)
{
    uint64_t now = profi_clock_now();
    if (!isfinite(value)) {
        PROFI_ADD(counter->not_finite_count, 1u);
        return;
    }
    PROFI_ADD(counter->count, 1u);
    PROFI_PUT(counter->sum, profi_double_bits(profi_bits_double(counter->sum) + value));
    PROFI_PUT(counter->last, profi_double_bits(value));
    PROFI_PUT(counter->last_tick, now);
    if (value < profi_bits_double(counter->min))
        PROFI_PUT(counter->min, profi_double_bits(value));
    if (value > profi_bits_double(counter->max))
        PROFI_PUT(counter->max, profi_double_bits(value));
    profi_ring_write(self, profi_event_what(PROFI_EVENT_COUNTER, profi_event_level_here(self), counter->site->id),
                     profi_double_bits(value), now);
}

/* The value of ours alone, which others add up. */
void profi_counter_event(prof_site *handle, double value) { profi_counter_event_at(handle, value, profi_clock_now()); }

void profi_counter_event_at(prof_site *handle, double value, uint64_t tick)
{
    profi_thread *self = __atomic_load_n(&prof_active, __ATOMIC_ACQUIRE) ? profi_thread_attached() : NULL;
    profi_site *site = self != NULL && !profi_is_busy(self) ? profi_site_of(handle) : NULL;
    if (site != NULL)
        profi_ring_write(self, profi_event_what(PROFI_EVENT_COUNTER, profi_event_level_here(self), site->id),
                         profi_double_bits(value), tick);
}

void profi_counter_events_lost(uint64_t count)
{
    profi_thread *self = profi_thread_attached();
    if (self != NULL)
        PROFI_RAISE(self->lost_values, count);
}

void prof_counter(prof_site *handle, double value)
{
    if (handle == NULL || !__atomic_load_n(&prof_active, __ATOMIC_ACQUIRE))
        return;
    profi_thread *self = profi_thread_attached();
    if (self == NULL) {
        PROFI_RAISE(profi_the_roots->unattached_values, 1u);
        return;
    }
    profi_site *site = profi_is_busy(self) ? NULL : profi_site_of(handle);
    profi_step_away(); /* a signal handler's values of the same counter do not come between */
    profi_counter *counter = site != NULL ? find_or_make(self, site) : NULL;
    if (counter != NULL)
        count(self, counter, value);
    else
        PROFI_RAISE(self->lost_values, 1u);
    profi_come_back(self);
}

/* ---- threads that end ---- */

static void merge(profi_counter *into, const profi_counter *from)
{
    into->count += from->count;
    into->not_finite_count += from->not_finite_count;
    into->sum = profi_double_bits(profi_bits_double(into->sum) + profi_bits_double(from->sum));
    if (from->count != 0 && from->last_tick >= into->last_tick) {
        into->last = from->last;
        into->last_tick = from->last_tick;
    }
    into->min = profi_double_bits(fmin(profi_bits_double(into->min), profi_bits_double(from->min)));
    into->max = profi_double_bits(fmax(profi_bits_double(into->max), profi_bits_double(from->max)));
}

void profi_counters_fold(profi_thread *into, profi_thread *from)
{
    for (profi_counter *counter = from->first_counter, *next; counter != NULL; counter = next) {
        profi_counter *same = find(into, counter->site);
        next = counter->next;
        if (same == NULL) {
            add(into, counter);
            continue;
        }
        merge(same, counter);
        profi_region_free(counter, sizeof(*counter), PROFI_REGION_TREE);
    }
    profi_table_fini(&from->counters);
}

void profi_counters_drop(profi_thread *thread)
{
    for (profi_counter *counter = thread->first_counter, *next; counter != NULL; counter = next) {
        next = counter->next;
        profi_region_free(counter, sizeof(*counter), PROFI_REGION_TREE);
    }
}
