/* SPDX-License-Identifier: Apache-2.0 */
/* Part of profcore.hpp: start, stop, save. */
#ifndef PROFCORE_RECORDER_HPP
#define PROFCORE_RECORDER_HPP

#include <profcore/scope.hpp>

namespace profcore {

/* How to record: set the fields that shall differ from the defaults. */
struct options : prof_options {
    options() noexcept : prof_options(prof_options PROF_OPTIONS_INIT) {}
};

/* What the recorder holds and what it lost. */
struct stats : prof_stats {
    stats() noexcept : prof_stats(prof_stats PROF_STATS_INIT) {}
};

/* As prof_start(), prof_stop(), prof_save(), prof_stats_get(). */
inline prof_status start(const prof_options &how, error &why) noexcept { return prof_start(&how, why.get()); }
inline prof_status start(error &why) noexcept { return prof_start(nullptr, why.get()); }
inline prof_status stop(error &why) noexcept { return prof_stop(why.get()); }
inline prof_status save(error &why) noexcept { return prof_save(why.get()); }
inline stats read_stats() noexcept
{
    stats read;
    prof_stats_get(&read, nullptr);
    return read;
}

#if PROF_CPP_THROWS_
inline void start(const prof_options &how = options())
{
    error why;
    detail::check(start(how, why), why);
}
inline void stop()
{
    error why;
    detail::check(stop(why), why);
}
inline void save()
{
    error why;
    detail::check(save(why), why);
}
#endif

/*
 * Recording while the object lives: prof_start() and prof_stop(), which also
 * saves.  The destructor says nothing of a save that failed: what was
 * recorded is kept, and the exit of the process tries again; stop() says it.
 */
class recorder {
public:
#if PROF_CPP_THROWS_
    PROF_CPP_NODISCARD_ explicit recorder(const prof_options &how = options()) : is_started_(false)
    {
        start(how);
        is_started_ = true;
    }

    /* Ends it now, and throws what saving said. */
    void stop()
    {
        error why;
        detail::check(stop(why), why);
    }
#endif

    /* For who goes on without a profile: on failure it is false, and why says why. */
    PROF_CPP_NODISCARD_ recorder(const prof_options &how, error &why) noexcept
        : is_started_(profcore::start(how, why) == PROF_OK)
    {
    }

    recorder(recorder &&other) noexcept : is_started_(other.is_started_) { other.is_started_ = false; }
    recorder &operator=(recorder &&other) noexcept
    {
        if (this != &other) {
            end();
            is_started_ = other.is_started_;
            other.is_started_ = false;
        }
        return *this;
    }
    ~recorder() { end(); }

    /* Ends it now; PROF_OK where it has ended already. */
    prof_status stop(error &why) noexcept
    {
        const bool was_started = is_started_;
        is_started_ = false;
        return was_started ? profcore::stop(why) : PROF_OK;
    }

    explicit operator bool() const noexcept { return is_started_; }

private:
    bool is_started_;

    void end() noexcept
    {
        if (is_started_)
            prof_stop(nullptr);
        is_started_ = false;
    }
};

} // namespace profcore

#endif
