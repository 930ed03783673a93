/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Part of profcore.hpp: why calls fail, places in the program, and scopes
 * that are objects.
 */
#ifndef PROFCORE_SCOPE_HPP
#define PROFCORE_SCOPE_HPP

#include <profcore/prof.h>

#include <cstdint>
#include <cstring>
#include <exception>
#include <string>

#if defined(__cpp_exceptions) || defined(__EXCEPTIONS)
#define PROF_CPP_THROWS_ 1
#else
#define PROF_CPP_THROWS_ 0
#endif

/* `profcore::scope(site);` without a name would end at once. */
#if __cplusplus >= 201703L && defined(__has_cpp_attribute)
#if __has_cpp_attribute(nodiscard) >= 201603L
#define PROF_CPP_NODISCARD_ [[nodiscard]]
#endif
#endif
#if !defined(PROF_CPP_NODISCARD_)
#define PROF_CPP_NODISCARD_
#endif

namespace profcore {

/* ------------------------------------------------------------------------
 * Errors
 */

/* Why a cold call failed: thrown, or filled in by the calls that do not throw.  Copying it cannot fail. */
class __attribute__((visibility("default"))) error : public std::exception {
public:
    error() noexcept : raw_(prof_error PROF_ERROR_INIT) {}

    /* PROF_E_…; PROF_OK while nothing has failed. */
    prof_status status() const noexcept { return raw_.status; }

    /* What and where: one line of text. */
    const char *what() const noexcept override { return raw_.message; }

    /* For functions of the C headers, which take it last. */
    prof_error *get() noexcept { return &raw_; }

    /* For those of one's own: at most 503 bytes of text are kept. */
    void set(prof_status status, const char *text) noexcept
    {
        raw_.status = status;
        std::strncpy(raw_.message, text, sizeof raw_.message - 1);
    }

private:
    prof_error raw_;
};

#if PROF_CPP_THROWS_
namespace detail {
inline void check(prof_status status, const error &why)
{
    if (status != PROF_OK)
        throw why;
}
} // namespace detail
#endif

/* ------------------------------------------------------------------------
 * Sites and scopes
 */

/*
 * A place that opens scopes: a handle, copied freely, valid as long as the
 * process.  PROF_SITE("name") makes one for the line on which it stands.
 *
 * For names known at run time only: the same name, file and line give the
 * same site, so keep it rather than ask for it each time, which takes a lock
 * and a search.  Names should be few, such as routes or models: each keeps
 * memory for good.
 */
class site {
public:
    /* None: a scope on it records nothing. */
    site() noexcept : raw_(nullptr) {}

    /* A site of one's own, usually static. */
    site(prof_site &own) noexcept : raw_(&own) {}

#if PROF_CPP_THROWS_
    /* flags: PROF_SITE_…; file: may be a null pointer. */
    explicit site(const std::string &name, std::uint32_t flags = 0, const char *file = nullptr, std::uint32_t line = 0)
        : raw_(nullptr)
    {
        error why;
        detail::check(prof_site_get(name.data(), name.size(), file, line, flags, &raw_, why.get()), why);
    }
#endif

    /* Without an exception: on failure the site is none. */
    site(const std::string &name, error &why, std::uint32_t flags = 0, const char *file = nullptr,
         std::uint32_t line = 0) noexcept
        : raw_(nullptr)
    {
        prof_site_get(name.data(), name.size(), file, line, flags, &raw_, why.get());
    }

    prof_site *get() const noexcept { return raw_; }
    explicit operator bool() const noexcept { return raw_ != nullptr; }

private:
    prof_site *raw_;
};

/* Whether anything is being recorded now. */
inline bool is_recording() noexcept
{
    return __atomic_load_n(&prof_active, __ATOMIC_RELAXED) != 0;
}

/* Files that define PROF_DISABLE have another type here, so that they link with those that do not. */
#if defined(PROF_DISABLE)
inline namespace disabled {
#else
inline namespace enabled {
#endif

/*
 * An open scope, which ends with the object.  One word; costs what the
 * macros cost, with PROF_INLINE too.
 *
 * Scopes nest: end them in the reverse order of their beginning.  Ending an
 * outer one ends those inside it and counts them as repaired.  So put them
 * in a container only to take them out at the back, and use phase(), not
 * assignment, for a successor: the right side of `s = scope(next)` begins
 * inside s.
 */
class scope {
public:
    /* Holds none. */
    scope() noexcept : raw_(PROF_SCOPE_NONE) {}

    PROF_CPP_NODISCARD_ explicit scope(site at) noexcept
        : raw_(PROF_IF_LIVE_(at.get() != nullptr && is_recording() ? PROF_CALL_(begin)(at.get()) : PROF_SCOPE_NONE,
                             PROF_SCOPE_NONE))
    {
        (void)at;
    }

    /* A name is no place: write scope(PROF_SITE("name")). */
    explicit scope(const char *) = delete;

    scope(scope &&other) noexcept : raw_(other.raw_) { other.raw_ = PROF_SCOPE_NONE; }

    /* Ends the scope that this one held. */
    scope &operator=(scope &&other) noexcept
    {
        if (this != &other) {
            end();
            raw_ = other.raw_;
            other.raw_ = PROF_SCOPE_NONE;
        }
        return *this;
    }

    ~scope() { end(); }

    /* Ends it now; again, or where none was begun, it does nothing. */
    void end() noexcept
    {
        PROF_IF_LIVE_(if (raw_.place != 0) PROF_CALL_(end)(raw_), (void)0);
        raw_ = PROF_SCOPE_NONE;
    }

    /* Ends it and begins its successor in its place, on one clock read.  With site() it only ends. */
    void phase(site next) noexcept
    {
        if (next.get() == nullptr)
            end();
        else
            PROF_IF_LIVE_(if (raw_.place != 0 || is_recording()) raw_ = PROF_CALL_(phase)(raw_, next.get()), (void)0);
    }

    /* Whether it holds one: not after end() or a move, and not where recording was stopped when it began. */
    explicit operator bool() const noexcept { return raw_.place != 0; }

    /* Hands the token over to the caller, who ends it with prof_end(). */
    prof_scope release() noexcept
    {
        const prof_scope released = raw_;
        raw_ = PROF_SCOPE_NONE;
        return released;
    }

private:
    prof_scope raw_;
};

} // namespace enabled or disabled

} // namespace profcore

/*
 * PROF_SITE("name")          A profcore::site for the line on which it stands.
 * PROF_SITE_WITH("name", flags)
 *                            The name is a string constant.
 */
#define PROF_SITE(name) PROF_SITE_WITH(name, 0u)
#define PROF_SITE_WITH(name, flags) (PROF_IF_LIVE_(PROF_CPP_SITE_(name, flags), ::profcore::site()))
#define PROF_CPP_SITE_(name, flags)                                                     \
    []() -> ::profcore::site {                                                          \
        static prof_site prof_site_ = PROF_SITE_INIT(name, __FILE__, __LINE__, flags); \
        return prof_site_;                                                              \
    }()

#endif
