/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Part of profcore.hpp: what stands on the timeline beside scopes.
 *
 *     struct job {                                  // made by the thread that accepts
 *         profcore::request_id id;
 *         profcore::span phase;
 *     };
 *     made.phase = profcore::span(PROF_SITE("queue wait"));
 *
 *     profcore::request serving(made.id);           // on the thread that takes it up
 *     profcore::scope whole(PROF_SITE("serve"));
 *     made.phase.phase(PROF_SITE("prefill"));
 *     profcore::annotate({ profcore::arg(PROF_SITE("tokens"), count) });
 *
 * The macros of events.h work in C++ too.  Nothing here throws, but for the
 * name of a counter.  While stopped each costs a load and a branch.
 */
#ifndef PROFCORE_EVENTS_HPP
#define PROFCORE_EVENTS_HPP

#include <profcore/events.h>
#include <profcore/scope.hpp>

#include <initializer_list>
#include <type_traits>

namespace profcore {

/*
 * A named value, for annotate(), instant() and span::end(): a number, or text
 * that need only last until that call.  Of the site only the name counts.
 */
template <typename Number>
inline typename std::enable_if<std::is_integral<Number>::value, prof_arg>::type arg(site name, Number value) noexcept
{
    return prof_arg_int_(name.get(), static_cast<std::int64_t>(value));
}
inline prof_arg arg(site name, double value) noexcept { return prof_arg_double_(name.get(), value); }
inline prof_arg arg(site name, const char *value) noexcept { return prof_arg_text_(name.get(), value); }
inline prof_arg arg(site name, const std::string &value) noexcept { return arg(name, value.c_str()); }

/* Several of them, in braces. */
typedef std::initializer_list<prof_arg> args;

/* The id of a request: a number of the program's own, or a W3C trace id in two halves.  All zero: none. */
struct request_id : prof_request {
    request_id() noexcept : prof_request() {}
    explicit request_id(std::uint64_t number) noexcept : request_id(0, number) {}
    request_id(std::uint64_t trace_high, std::uint64_t trace_low) noexcept : prof_request()
    {
        low = trace_low;
        high = trace_high;
    }
};

/* As with scopes: files that define PROF_DISABLE have other types here. */
#if defined(PROF_DISABLE)
inline namespace disabled {
#else
inline namespace enabled {
#endif

/* As prof_args(): says more about the calling thread's innermost scope. */
inline void annotate(args given) noexcept
{
    (void)given;
    PROF_IF_LIVE_(if (is_recording()) prof_args(given.begin(), given.size()), (void)0);
}

/* As prof_instant(): something happened just now. */
inline void instant(site at, args given = {}) noexcept
{
    (void)at;
    (void)given;
    PROF_IF_LIVE_(if (is_recording()) prof_instant(at.get(), given.begin(), given.size()), (void)0);
}

/* As prof_flow() and prof_flow_end(): the innermost scope is a station, or the last one, of the flow `id`. */
inline void flow(std::uint64_t id) noexcept
{
    (void)id;
    PROF_IF_LIVE_(if (is_recording()) prof_flow(id), (void)0);
}
inline void flow_end(std::uint64_t id) noexcept
{
    (void)id;
    PROF_IF_LIVE_(if (is_recording()) prof_flow_end(id), (void)0);
}

/*
 * A time that is no scope: it may overlap others, and end on another thread
 * than it began.  It ends with the object, so it is moved into what it
 * belongs to, such as the request that waits.  Two words; objects of several
 * threads' are the program's to lock, as any others.
 */
class span {
public:
    /* Holds none. */
    span() noexcept : raw_() {}

    PROF_CPP_NODISCARD_ explicit span(site at) noexcept
        : raw_(PROF_IF_LIVE_(is_recording() ? prof_span_begin(at.get()) : PROF_SPAN_NONE, PROF_SPAN_NONE))
    {
        (void)at;
    }

    /* One that C code has begun, or release() has given away. */
    explicit span(prof_span begun) noexcept : raw_(begun) {}

    /* A name is no place: write span(PROF_SITE("name")). */
    explicit span(const char *) = delete;

    span(span &&other) noexcept : raw_(other.release()) {}

    /* Ends the span that this one held. */
    span &operator=(span &&other) noexcept
    {
        if (this != &other) {
            end();
            raw_ = other.release();
        }
        return *this;
    }

    ~span() { end(); }

    /* Ends it now; again, or where none was begun, it does nothing. */
    void end(args given = {}) noexcept
    {
        (void)given;
        PROF_IF_LIVE_(if (raw_.what != 0) prof_span_end(raw_, given.begin(), given.size()), (void)0);
        forget();
    }

    /* Ends it and begins its successor, on one clock read.  With site() it only ends. */
    void phase(site next) noexcept
    {
        (void)next;
        PROF_IF_LIVE_(if (raw_.what != 0 || is_recording()) raw_ = prof_span_phase(raw_, next.get()), (void)0);
    }

    /* It never ends, and leaves no trace: for what was given up, or the time after the last token. */
    void forget() noexcept { raw_ = prof_span(); }

    /* Hands it over to the caller, who ends it with prof_span_end(). */
    prof_span release() noexcept
    {
        const prof_span released = raw_;
        forget();
        return released;
    }

    explicit operator bool() const noexcept { return raw_.what != 0; }

private:
    prof_span raw_;
};

/*
 * All that the calling thread records while the object lives is for this
 * request; after it, for the one that was in force before.  One to a block,
 * made before the scopes that are to carry the id, and ended on its thread.
 */
class request {
public:
    PROF_CPP_NODISCARD_ explicit request(prof_request id) noexcept : previous_(), is_begun_(false)
    {
        (void)id;
        PROF_IF_LIVE_(if (is_recording()) { previous_ = prof_request_begin(id); is_begun_ = true; }, (void)0);
    }
    PROF_CPP_NODISCARD_ explicit request(std::uint64_t number) noexcept : request(request_id(number)) {}

    /* For functions that return one.  No assignment: its right side would begin inside the left one. */
    request(request &&other) noexcept : previous_(other.previous_), is_begun_(other.is_begun_) { other.is_begun_ = false; }
    request &operator=(request &&) = delete;

    ~request() { end(); }

    /* Ends it now; again it does nothing. */
    void end() noexcept
    {
        PROF_IF_LIVE_(if (is_begun_) prof_request_end(previous_), (void)0);
        is_begun_ = false;
    }

private:
    prof_request previous_;
    bool is_begun_;
};

/*
 * A number that goes up and down over time.  The same name is the same
 * counter, wherever it is made, and the same as of PROF_COUNTER.  Keep it:
 * making one takes a lock and a search.
 */
class counter {
public:
#if PROF_CPP_THROWS_
    explicit counter(const std::string &name) : at_(name) {}
#endif

    /* Without an exception: on failure its values go nowhere. */
    counter(const std::string &name, error &why) noexcept : at_(name, why) {}

    void set(double value) noexcept
    {
        (void)value;
        PROF_IF_LIVE_(if (at_ && is_recording()) prof_counter(at_.get(), value), (void)0);
    }

    explicit operator bool() const noexcept { return bool(at_); }

private:
    site at_;
};

} // namespace enabled or disabled

} // namespace profcore

#endif
