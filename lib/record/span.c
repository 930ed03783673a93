/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spans by site: how many ended, how long they took, and a histogram, kept
 * for each thread that ends them and merged when a snapshot is taken.  The
 * spans themselves are cells of the rings: event.c.
 *
 * Runs on the caller's thread on data that it owns, as scopes do: after a
 * thread's first span of a site there is no lock, no allocation and no
 * atomic read-modify-write.
 */
#include "cold.h"

#include "../base/region.h"
#include "../base/system.h"
#include "roots.h"

enum { HISTOGRAM_BYTES = PROFI_BUCKET_COUNT * sizeof(uint64_t) };

static profi_span_total *find(const profi_thread *thread, const profi_site *site)
{
    profi_entry *e = profi_table_first(&thread->spans, site->id);
    return e != NULL ? PROFI_OBJECT_OF(e, profi_span_total, by_site) : NULL;
}

static void add(profi_thread *thread, profi_span_total *span)
{
    span->next = thread->first_span;
    profi_table_add(&thread->spans, &span->by_site, span->site->id);
    __atomic_store_n(&thread->first_span, span, __ATOMIC_RELEASE);
}

static profi_span_total *make(profi_thread *thread, profi_site *site)
{
    profi_span_total *span = profi_region_alloc(sizeof(*span), PROFI_REGION_TREE);
    if (span == NULL)
        return NULL;
    span->site = site;
    span->min = UINT64_MAX;
    span->histogram = profi_region_alloc(HISTOGRAM_BYTES, PROFI_REGION_HISTOGRAM);
    add(thread, span);
    return span;
}

static void free_span(profi_span_total *span)
{
    profi_region_free(span->histogram, HISTOGRAM_BYTES, PROFI_REGION_HISTOGRAM);
    profi_region_free(span, sizeof(*span), PROFI_REGION_TREE);
}

int profi_span_book(profi_thread *self, profi_site *site, uint64_t duration)
{
    profi_span_total *span = find(self, site);
    if (PROFI_UNLIKELY(span == NULL))
        span = make(self, site);
    if (span == NULL)
        return 0;
    if (span->histogram != NULL)
        PROFI_ADD(span->histogram[profi_bucket_of(duration)], 1u);
    PROFI_ADD(span->total, duration);
    if (duration < PROFI_GET(span->min))
        PROFI_PUT(span->min, duration);
    if (duration > PROFI_GET(span->max))
        PROFI_PUT(span->max, duration);
    __atomic_store_n(&span->count, span->count + 1, __ATOMIC_RELEASE); /* last: who sees it sees extremes */
    return 1;
}

/* ---- threads that end ---- */

/* Where the process is killed in the middle of it, what has not been moved is where it was, and nothing is there twice. */
static void move_histogram(uint64_t *into, uint64_t *from)
{
    for (unsigned i = PROFI_BUCKET_FIRST; i < PROFI_BUCKET_COUNT; i++) {
        uint64_t count = from[i];
        PROFI_PUT(from[i], 0u);
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        PROFI_PUT(into[i], into[i] + count);
    }
}

/* A histogram that lacks some of the spans is given up: the percentiles would be of the others. */
static void merge(profi_span_total *into, const profi_span_total *from)
{
    into->count += from->count;
    into->total += from->total;
    into->min = profi_min_u64(into->min, from->min);
    into->max = profi_max_u64(into->max, from->max);
    if (into->histogram != NULL && from->histogram != NULL)
        move_histogram(into->histogram, from->histogram);
    if (from->histogram == NULL) {
        profi_region_free(into->histogram, HISTOGRAM_BYTES, PROFI_REGION_HISTOGRAM);
        into->histogram = NULL;
    }
}

/* The same, so that who finds the process killed in the middle of it knows whether they are there: see roots.h. */
static void move_figures(profi_fold *fold, profi_span_total *into, profi_span_total *from)
{
    fold->span_from = from;
    fold->calls = into->count;
    fold->total = into->total;
    fold->min = into->min;
    fold->max = into->max;
    __atomic_store_n(&fold->span_into, into, __ATOMIC_RELEASE);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    merge(into, from);
}

void profi_spans_fold_begin(const profi_thread *from)
{
    profi_fold *fold = &profi_the_roots->fold;
    fold->span = fold->span_next = from->first_span;
}

void profi_spans_fold(profi_thread *into, profi_thread *from)
{
    profi_fold *fold = &profi_the_roots->fold;
    for (profi_span_total *span = from->first_span, *next; span != NULL; span = next) {
        profi_span_total *same = find(into, span->site);
        next = span->next;
        __atomic_store_n(&fold->span_next, next, __ATOMIC_RELEASE);
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        if (same == NULL)
            add(into, span);
        else
            move_figures(fold, same, span);
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        __atomic_store_n(&fold->span, next, __ATOMIC_RELEASE);
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        __atomic_store_n(&fold->span_into, NULL, __ATOMIC_RELEASE);
        if (same != NULL)
            free_span(span);
    }
    profi_table_fini(&from->spans);
}

void profi_spans_drop(profi_thread *thread)
{
    for (profi_span_total *span = thread->first_span, *next; span != NULL; span = next) {
        next = span->next;
        free_span(span);
    }
}
