/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events beyond scopes: what stands on the timeline beside them.
 *
 *     PROF_INSTANT("cache miss");                     something happened
 *     PROF_ARGS(PROF_INT("batch", n), PROF_TEXT("model", name));   about the innermost scope
 *     PROF_REQUEST(id);                               all of this block is for one request
 *     PROF_FLOW(id);  …  PROF_FLOW_END(id);           one thing's way over threads, through scopes
 *     prof_span wait = PROF_SPAN_BEGIN("queue wait");  …  PROF_SPAN_END(wait);   on any thread
 *
 * They go into the event rings as scopes do, so a .pftrace has them, and they
 * cost nothing where they are not used.  PROFCORE_MODE=tree keeps no events.
 * Of spans the tables and the .json have how many ended, how long they took
 * and percentiles, also then.
 *
 * The phases of a request to a language model, and its tokens:
 *
 *     r->phase = PROF_SPAN_BEGIN("queue wait");            as it comes in
 *     r->token = PROF_SPAN_BEGIN("time to first token");
 *     PROF_SPAN_PHASE(r->phase, "prefill");                a thread takes it up
 *     PROF_SPAN_PHASE(r->phase, "decode");
 *     PROF_SPAN_PHASE(r->token, "time between tokens");    after each token
 *     PROF_SPAN_END(r->phase);                             it is answered
 *
 * What begins with the last token never ends, and so is no time between two.
 */
#ifndef PROFCORE_EVENTS_H
#define PROFCORE_EVENTS_H

#include <profcore/prof.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------
 * The functions
 */

/* What a prof_arg holds. */
#define PROF_ARG_INT 0u
#define PROF_ARG_DOUBLE 1u
#define PROF_ARG_TEXT 2u

typedef union prof_arg_value {
    int64_t integer;
    double number;
    const char *text; /* UTF-8; copied, the first 128 bytes */
} prof_arg_value;

/* A named value that says more about an event. */
typedef struct prof_arg {
    prof_site *name;   /* of which only the name counts; PROF_SITE_INIT, usually static */
    uint32_t type;     /* PROF_ARG_… */
    uint32_t reserved; /* 0 */
    prof_arg_value value;
} prof_arg;

/*
 * Says more about the calling thread's innermost scope: up to eight
 * arguments of a scope are shown.  Ignored where no scope is open.
 *
 *   args     `count` of them; what their texts point to is copied.
 *   threads  Any, at once, without locks but for a name's first use.
 *   memory   A cell of the event ring each, of a text one more for 16 bytes.
 *   since    0.1
 */
PROF_API void prof_args(const prof_arg *args, size_t count);

/*
 * Records that something happened just now, in the innermost scope.
 *
 *   site     As for prof_begin(); its flags mean nothing here.  NULL records nothing.
 *   args     `count` arguments of the event; NULL where that is 0.
 *   threads  As prof_args().
 *   since    0.1
 */
PROF_API void prof_instant(prof_site *site, const prof_arg *args, size_t count);

/*
 * Something with a duration that is no scope: it may overlap others, and end
 * on another thread than it began.  A value to be kept with the request, 16
 * bytes; all zero is PROF_SPAN_NONE, whose end is ignored.  The macros leave
 * in a variable that its span has ended: to end that again counts as
 * unmatched.
 */
typedef struct prof_span {
    uint64_t what, start;
} prof_span;

#if defined(__cplusplus)
#define PROF_SPAN_NONE (prof_span{0, 0})
#else
#define PROF_SPAN_NONE ((prof_span){0, 0})
#endif

/*
 * Begins a span.
 *
 *   site     As for prof_begin(); its flags mean nothing here.
 *   returns  What prof_span_end() needs; nothing is kept of a span that never
 *            ends.  PROF_SPAN_NONE while stopped and where memory is spent.
 *   threads  Any, at once, without locks but for a site's first use.
 *   since    0.1
 */
PROF_API prof_span prof_span_begin(prof_site *site);

/*
 * Ends a span: once, on any thread.
 *
 * What is neither PROF_SPAN_NONE nor from here is ignored and counted as
 * unmatched, as prof_end() does.  Nothing is kept of an open span, so nobody
 * can tell that it has ended already: to end another copy of it makes one
 * more, that began when it did.  PROF_SPAN_END marks what it ends.
 *
 *   span     From prof_span_begin() or prof_span_phase().
 *   args     `count` arguments of the span; NULL where that is 0.
 *   threads  As prof_args().
 *   memory   A cell of the event ring; on a thread's first end of a site's
 *            spans what its figures need, without which the span counts as lost.
 *   since    0.1
 */
PROF_API void prof_span_end(prof_span span, const prof_arg *args, size_t count);

/*
 * Ends a span and begins its successor on one clock read: the phases of a
 * request follow each other without a gap.
 *
 *   span     From prof_span_begin() or prof_span_phase(); PROF_SPAN_NONE: there is none to end.
 *   next     As for prof_span_begin(); NULL: there is no successor.
 *   returns  The successor, as prof_span_begin() does.
 *   threads  As prof_span_begin().
 *   since    0.1
 */
PROF_API prof_span prof_span_phase(prof_span span, prof_site *next);

/*
 * Makes the calling thread's innermost scope a station of a flow: scopes with
 * the same id are connected by arrows in the order of their starts.  Any
 * number of flows may pass through one scope, such as the N requests of a
 * batch.  Ignored where no scope is open.
 *
 *   id       The program's own, the same at each station; not 0.
 *   threads  As prof_args().
 *   since    0.1
 */
PROF_API void prof_flow(uint64_t id);

/* The same for its last station: after it the id is free for another flow.  Since 0.1. */
PROF_API void prof_flow_end(uint64_t id);

/* The id of a request: a number of the program's own, or a W3C trace id of 128 bits.  All zero: none. */
typedef struct prof_request {
    uint64_t low, high;
} prof_request;

/*
 * All that the calling thread records from here on is for this request: each
 * event that ends or happens until the prof_request_end() carries its id.
 *
 *   returns  The one that was in force, for prof_request_end().
 *   threads  Any, at once, without locks.  A request that goes on on another
 *            thread is named there again.
 *   since    0.1
 */
PROF_API prof_request prof_request_begin(prof_request request);

/* Lets what was in force before be so again.  Since 0.1. */
PROF_API void prof_request_end(prof_request previous);

/* ------------------------------------------------------------------------
 * The macros: GNU C, C99 or C++11, as those of prof.h.  While stopped each
 * costs a load and a branch; with PROF_DISABLE they leave nothing, and their
 * arguments are not evaluated.  Names are string constants.
 */
#if defined(__GNUC__)

/*
 * PROF_ARGS(PROF_INT("tokens", 9), PROF_DOUBLE("share", 0.5), PROF_TEXT("user", name));
 *                           About the innermost scope.
 */
#define PROF_ARGS(...) PROF_IF_LIVE_(PROF_WITH_ARGS_(prof_args(PROF_GIVEN_), __VA_ARGS__), (void)(__VA_ARGS__))

/*
 * PROF_INSTANT("name");
 * PROF_INSTANT_ARGS("name", PROF_INT("size", 12), …);
 */
#define PROF_INSTANT(name) \
    PROF_IF_LIVE_(prof_is_active_() ? prof_instant(PROF_SITE_(name, 0u), NULL, 0) : (void)0, (void)0)
#define PROF_INSTANT_ARGS(name, ...) \
    PROF_IF_LIVE_(PROF_WITH_ARGS_(prof_instant(PROF_SITE_(name, 0u), PROF_GIVEN_), __VA_ARGS__), (void)(__VA_ARGS__))

/*
 * prof_span span = PROF_SPAN_BEGIN("queue wait");  and, on any thread, once:
 * PROF_SPAN_END(span);  or
 * PROF_SPAN_END_ARGS(span, PROF_INT("tokens", 12), …);  or
 * PROF_SPAN_PHASE(span, "prefill");  which begins its successor: `span` is that one from then on.
 * `span` is a variable that can be written.  A static one begins as { 0 }, which is PROF_SPAN_NONE.
 */
#define PROF_SPAN_BEGIN(name) \
    PROF_IF_LIVE_((prof_is_active_() ? prof_span_begin(PROF_SITE_(name, 0u)) : PROF_SPAN_NONE), PROF_SPAN_NONE)
#define PROF_SPAN_END(span) PROF_IF_LIVE_(prof_span_end(prof_span_take_(&(span)), NULL, 0), (void)(span))
#define PROF_SPAN_END_ARGS(span, ...) \
    PROF_IF_LIVE_(PROF_WITH_ARGS_(prof_span_end(prof_span_take_(&(span)), PROF_GIVEN_), __VA_ARGS__), (void)((void)(span), __VA_ARGS__))
#define PROF_SPAN_PHASE(span, name) PROF_IF_LIVE_((span) = prof_span_phase_((span), PROF_SITE_(name, 0u)), (void)(span))

#define PROF_FLOW(id) PROF_IF_LIVE_(prof_is_active_() ? prof_flow(id) : (void)0, (void)sizeof(id))
#define PROF_FLOW_END(id) PROF_IF_LIVE_(prof_is_active_() ? prof_flow_end(id) : (void)0, (void)sizeof(id))

/*
 * PROF_REQUEST(number);     A declaration: from here to the end of the block.  Put
 *                           it before the scopes that are to carry the id.
 * PROF_REQUEST_TRACE(high, low);  the two halves of a W3C trace id.
 */
#define PROF_REQUEST(number) PROF_REQUEST_TRACE(0, number)
#define PROF_REQUEST_TRACE(high, low) \
    const prof_request PROF_ID_(prof_request_) __attribute__((cleanup(prof_request_leave_), unused)) = \
        PROF_IF_LIVE_(prof_request_enter_((high), (low)), ((void)sizeof(high), (void)sizeof(low), prof_request_none_()))

#define PROF_INT(name, value) PROF_IF_LIVE_(prof_arg_int_(PROF_SITE_NAMED_(name), (int64_t)(value)), (void)sizeof(value))
#define PROF_DOUBLE(name, value) PROF_IF_LIVE_(prof_arg_double_(PROF_SITE_NAMED_(name), (double)(value)), (void)sizeof(value))
#define PROF_TEXT(name, value) PROF_IF_LIVE_(prof_arg_text_(PROF_SITE_NAMED_(name), (value)), (void)sizeof(value))

/* What the macros expand to; not for use by name. */
#define PROF_GIVEN_ prof_given_, sizeof(prof_given_) / sizeof(prof_given_[0])
#define PROF_WITH_ARGS_(call, ...)                        \
    do {                                                  \
        if (prof_is_active_()) {                          \
            const prof_arg prof_given_[] = { __VA_ARGS__ }; \
            call;                                         \
        }                                                 \
    } while (0)
static inline prof_arg prof_arg_int_(prof_site *name, int64_t value)
{
    prof_arg arg = { name, PROF_ARG_INT, 0u, { value } };
    return arg;
}

static inline prof_arg prof_arg_double_(prof_site *name, double value)
{
    prof_arg arg = { name, PROF_ARG_DOUBLE, 0u, { 0 } };
    arg.value.number = value;
    return arg;
}

static inline prof_arg prof_arg_text_(prof_site *name, const char *value)
{
    prof_arg arg = { name, PROF_ARG_TEXT, 0u, { 0 } };
    arg.value.text = value;
    return arg;
}

/* The span, once: what is left of it is no number of a site. */
static inline prof_span prof_span_take_(prof_span *span)
{
    const prof_span taken = *span;
    if (taken.what != 0)
        span->what = UINT64_MAX;
    return taken;
}

static inline prof_span prof_span_phase_(prof_span span, prof_site *next)
{
    (void)next;
    return PROF_IF_LIVE_(span.what != 0 || prof_is_active_() ? prof_span_phase(span, next) : span, span);
}

static inline prof_request prof_request_none_(void)
{
    prof_request none = { 0, 0 };
    return none;
}

static inline prof_request prof_request_enter_(uint64_t high, uint64_t low)
{
    prof_request request = { low, high };
    return prof_is_active_() ? prof_request_begin(request) : prof_request_none_();
}

static inline void prof_request_leave_(const prof_request *previous)
{
    PROF_IF_LIVE_(prof_request_end(*previous), (void)previous);
}

#endif /* __GNUC__ */

#ifdef __cplusplus
}
#endif

#endif /* PROFCORE_EVENTS_H */
