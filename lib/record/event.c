/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events beyond scopes, and what belongs to events.  All of it is cells of
 * the calling thread's ring: see ring.h.
 *
 * Runs on the caller's thread on data that it owns.  While it writes, the
 * thread is away: a signal handler's events do not come between, they count
 * as lost.
 */
#include "contexts.h"
#include "listen.h"
#include "roots.h"
#include "work.h"

#include "../base/clock.h"
#include "../base/system.h"

#include <profcore/events.h>
#include <string.h>

/* The thread that may record now; NULL, and counted, where an event is lost. */
static profi_thread *recording_thread(void)
{
    if (!__atomic_load_n(&prof_active, __ATOMIC_ACQUIRE))
        return NULL;
    profi_thread *self = profi_thread_attached();
    if (self == NULL)
        PROFI_RAISE(profi_the_roots->unattached_values, 1u);
    else if (profi_is_busy(self))
        PROFI_RAISE(self->lost_values, 1u);
    return self != NULL && !profi_is_busy(self) ? self : NULL;
}

/* The thread's innermost scope that has a node; the root where there is none. */
static profi_node *innermost(const profi_thread *self)
{
    return self->current == &self->overflow ? self->overflow.parent : self->current;
}

uint32_t profi_event_level_here(const profi_thread *self)
{
    return profi_event_level(innermost(self)->event) + 1;
}

static profi_site *site_if_any(prof_site *handle) { return handle != NULL ? profi_site_of(handle) : NULL; }

static void write_text(profi_thread *self, uint64_t what, const char *text)
{
    enum { MOST_BYTES = 128 };
    uint64_t words[2];
    size_t bytes = text != NULL ? strnlen(text, MOST_BYTES) : 0;
    profi_ring_write_detail(self, what, bytes, profi_clock_now());
    for (size_t done = 0; done < bytes; done += sizeof(words)) {
        memset(words, 0, sizeof(words));
        memcpy(words, text + done, profi_min_u64(sizeof(words), bytes - done));
        profi_ring_write_detail(self, profi_event_what(PROFI_DETAIL_MORE, 0, 0), words[0], words[1]);
    }
}

static void write_argument(profi_thread *self, uint32_t level, const prof_arg *arg)
{
    const profi_site *name = site_if_any(arg->name);
    if (name == NULL)
        return;
    if (arg->type == PROF_ARG_INT)
        profi_ring_write_detail(self, profi_event_what(PROFI_DETAIL_INT, level, name->id), (uint64_t)arg->value.integer,
                                profi_clock_now());
    else if (arg->type == PROF_ARG_DOUBLE)
        profi_ring_write_detail(self, profi_event_what(PROFI_DETAIL_DOUBLE, level, name->id),
                                profi_double_bits(arg->value.number), profi_clock_now());
    else if (arg->type == PROF_ARG_TEXT)
        write_text(self, profi_event_what(PROFI_DETAIL_TEXT, level, name->id), arg->value.text);
}

/* An event that is no scope, behind its arguments. */
static void write_event(profi_thread *self, uint64_t what, uint64_t start, uint64_t end, const prof_arg *args, size_t count)
{
    for (size_t i = 0; args != NULL && i < count; i++)
        write_argument(self, PROFI_EVENT_LEVEL_MAX, &args[i]);
    profi_ring_write(self, what, start, end);
}

/* The thread, if it is inside a scope that leaves an event which details can belong to. */
static profi_thread *thread_in_scope(void)
{
    profi_thread *self = profi_self;
    if (!profi_is_recording() || self == &profi_detached || self == &profi_away || profi_is_busy(self))
        return NULL;
    return self->current->site != NULL && PROFI_GET(self->current->start) != PROFI_UNTIMED ? self : NULL;
}

void prof_args(const prof_arg *args, size_t count)
{
    PROFI_NO_CANCELLATION;
    profi_thread *self = thread_in_scope();
    if (self == NULL || args == NULL)
        return;
    profi_step_away();
    for (size_t i = 0; i < count; i++)
        write_argument(self, profi_event_level(self->current->event), &args[i]);
    profi_come_back(self);
}

void prof_instant(prof_site *handle, const prof_arg *args, size_t count)
{
    PROFI_NO_CANCELLATION;
    profi_thread *self = handle != NULL ? recording_thread() : NULL;
    if (self == NULL)
        return;
    profi_step_away();
    profi_site *site = profi_site_of(handle);
    uint64_t now = profi_clock_now();
    if (site != NULL && profi_is_listened_to())
        profi_tell_instant(site);
    if (site != NULL)
        write_event(self, profi_event_what(PROFI_EVENT_INSTANT, profi_event_level_here(self), site->id), now, now, args, count);
    else
        PROFI_RAISE(self->lost_values, 1u);
    profi_come_back(self);
}

/* A span's site, from 1, and above it what the listener knows it by. */
enum { SPAN_SITE_BITS = 32 };

static uint32_t site_id_of(prof_span span) { return (uint32_t)span.what - 1; }
static uint32_t listened_of(prof_span span) { return (uint32_t)(span.what >> SPAN_SITE_BITS); }

static int is_made_up(prof_span span)
{
    return site_id_of(span) >= profi_site_count() || (listened_of(span) != 0 && !profi_is_listened_to());
}

/* Also while stopped: what the listener was told of ends for it. */
static void tell_span_end(prof_span span)
{
    if (PROFI_UNLIKELY(listened_of(span) != 0) && !is_made_up(span) && profi_self != &profi_away)
        profi_tell_span_end(listened_of(span));
}

/* Begins at `now`, or, when that is 0, when the site is known. */
static prof_span begin_span(prof_site *handle, uint64_t now)
{
    profi_site *site = NULL;
    if (handle == NULL || !__atomic_load_n(&prof_active, __ATOMIC_ACQUIRE))
        return PROF_SPAN_NONE;
    profi_thread *self = profi_step_away();
    site = self != &profi_away ? profi_site_of(handle) : PROFI_GET(handle->intern);
    profi_come_back(self);
    if (site == NULL) {
        PROFI_RAISE(profi_the_roots->unattached_values, 1u);
        return PROF_SPAN_NONE;
    }
    uint64_t listened = profi_is_listened_to() && self != &profi_away ? profi_tell_span_begin(site) : 0;
    return (prof_span){ (listened << SPAN_SITE_BITS) + site->id + 1, now != 0 ? now : profi_clock_now() };
}

/* One that has ended already, as the macros mark it, or that a caller has made up, is unmatched. */
static void end_span(profi_thread *self, prof_span span, uint64_t now, const prof_arg *args, size_t count)
{
    uint32_t id = site_id_of(span);
    if (PROFI_UNLIKELY(is_made_up(span))) {
        PROFI_RAISE(self->unmatched, 1u);
        return;
    }
    uint64_t start = profi_min_u64(span.start, now);
    profi_step_away();
    if (profi_span_book(self, profi_site_by_id(id), now - start))
        write_event(self, profi_event_what(PROFI_EVENT_SPAN, 0, id), start, now, args, count);
    else
        PROFI_RAISE(self->lost_values, 1u);
    profi_come_back(self);
}

prof_span prof_span_begin(prof_site *handle)
{
    PROFI_NO_CANCELLATION;
    return begin_span(handle, 0);
}

void prof_span_end(prof_span span, const prof_arg *args, size_t count)
{
    PROFI_NO_CANCELLATION;
    if (span.what == 0)
        return;
    uint64_t now = profi_clock_now();
    tell_span_end(span);
    profi_thread *self = recording_thread();
    if (self != NULL)
        end_span(self, span, now, args, count);
}

prof_span prof_span_phase(prof_span span, prof_site *next)
{
    PROFI_NO_CANCELLATION;
    uint64_t now = profi_clock_now();
    tell_span_end(span);
    if (!__atomic_load_n(&prof_active, __ATOMIC_ACQUIRE))
        return PROF_SPAN_NONE;
    profi_thread *self = span.what != 0 ? recording_thread() : NULL;
    if (self != NULL)
        end_span(self, span, now, NULL, 0);
    return begin_span(next, now);
}

static unsigned find_scope(const profi_work_scope *scopes, unsigned count, uint32_t site)
{
    unsigned i = 0;
    while (i < count && scopes[i].site != site)
        i++;
    return i;
}

static PROFI_COLD void number_path(profi_thread *self, profi_node *node)
{
    PROFI_NO_CANCELLATION;
    profi_step_away();
    profi_context_of(node);
    profi_come_back(self);
}

/* The number of a path, which its node remembers from the first time on. */
static uint32_t context_of(profi_thread *self, profi_node *node)
{
    if (node->site != NULL && node->context == PROFI_CONTEXT_NONE)
        number_path(self, node);
    return node->context != PROFI_CONTEXT_LOST ? node->context : PROFI_WORK_NO_PATH;
}

profi_work_path profi_work_path_of(uint32_t context)
{
    const profi_context_view view = profi_context(context);
    return (profi_work_path){ view.around, view.site };
}

unsigned profi_work_scopes(profi_work_scope *scopes, unsigned room, int *is_cut, uint32_t *context)
{
    enum { LEVELS_MOST = 1000 }; /* however deep a recursion is: a launch does not wait for it */
    profi_thread *self = profi_self;
    unsigned count = 0, levels = 0;
    *is_cut = 0;
    *context = PROFI_WORK_NO_PATH;
    if (self == &profi_detached || self == &profi_away || profi_is_busy(self))
        return 0;
    *context = context_of(self, innermost(self));
    for (const profi_node *node = innermost(self); node->site != NULL; node = node->parent) {
        unsigned at = find_scope(scopes, count, node->site->id);
        if (at == room || ++levels > LEVELS_MOST) {
            *is_cut = 1;
            break;
        }
        scopes[at] = (profi_work_scope){ node->site->id, PROFI_GET(node->start) };
        count += at == count;
    }
    return count;
}

void profi_work_record(const profi_work *work)
{
    PROFI_NO_CANCELLATION;
    profi_thread *self = recording_thread();
    if (self == NULL)
        return;
    profi_step_away();
    profi_site *site = site_if_any(work->what);
    const profi_site *track = site_if_any(work->track), *name = site_if_any(work->argument);
    if (site != NULL && track != NULL && profi_span_book(self, site, work->end - work->start)) {
        if (work->flow != 0)
            profi_ring_write_detail(self, profi_event_what(PROFI_DETAIL_FLOW_END, PROFI_EVENT_LEVEL_MAX, 0), work->flow, work->end);
        if (name != NULL)
            profi_ring_write_detail(self, profi_event_what(PROFI_DETAIL_INT, PROFI_EVENT_LEVEL_MAX, name->id), work->argument_value, work->end);
        profi_ring_write(self, profi_event_span(site->id, track->id), work->start, work->end);
    } else {
        PROFI_RAISE(self->lost_values, 1u);
    }
    profi_come_back(self);
}

static void write_flow(unsigned kind, uint64_t id)
{
    profi_thread *self = thread_in_scope();
    if (self == NULL || id == 0)
        return;
    profi_step_away();
    profi_ring_write_detail(self, profi_event_what(kind, profi_event_level(self->current->event), 0), id, profi_clock_now());
    profi_come_back(self);
}

void prof_flow(uint64_t id)
{
    write_flow(PROFI_DETAIL_FLOW, id);
}

void prof_flow_end(uint64_t id)
{
    write_flow(PROFI_DETAIL_FLOW_END, id);
}

static prof_request change_request(profi_thread *self, prof_request to)
{
    uint64_t *at = self->ring.request;
    prof_request before = { at[0], at[1] };
    if (before.low == to.low && before.high == to.high)
        return before;
    profi_step_away();
    at[0] = to.low;
    at[1] = to.high;
    profi_ring_write_detail(self, profi_event_what(PROFI_DETAIL_REQUEST, 0, 0), to.low, to.high);
    profi_come_back(self);
    return before;
}

prof_request prof_request_begin(prof_request request)
{
    PROFI_NO_CANCELLATION;
    profi_thread *self = __atomic_load_n(&prof_active, __ATOMIC_ACQUIRE) ? profi_thread_attached() : NULL;
    return self != NULL && !profi_is_busy(self) ? change_request(self, request) : (prof_request){ 0, 0 };
}

/* Also while stopped: what follows the next start is not for this request any more. */
void prof_request_end(prof_request previous)
{
    PROFI_NO_CANCELLATION;
    profi_thread *self = profi_self;
    if (self != &profi_detached && self != &profi_away && !profi_is_busy(self))
        change_request(self, previous);
}
