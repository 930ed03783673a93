/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libprofcore for C++11 and later: scopes that are objects, and results that
 * own themselves.  Header only, over the C functions of prof.h and snapshot.h.
 *
 *     #include <profcore/profcore.hpp>
 *
 *     answer service::handle(const request &asked)
 *     {
 *         PROF_METHOD();                              // named "service::handle"
 *         profcore::scope step(PROF_SITE("parse"));
 *         query parsed = parse(asked);
 *         step.phase(PROF_SITE("search"));            // ends one, begins the next
 *         hits found = index_.search(parsed);
 *         step.end();
 *         return render(found);
 *     }
 *
 * The macros of prof.h work in C++ too and are the shortest form where a
 * scope is a block: PROF_FUNCTION, PROF_BLOCK, PROF_SCOPE.  A profcore::scope
 * is for what a block cannot say: it ends early, is a member, moves, has
 * phases, or its name is known at run time only.
 *
 * Failure: every cold call is there twice, as in <filesystem>.  One throws
 * profcore::error; the other takes an error & last, returns the prof_status
 * and throws nothing.  Compiled with -fno-exceptions, only the second is
 * there.  No destructor throws, and nothing about a scope does.
 *
 * Threads: a scope ends on the thread that began it.  Moving it to another
 * thread moves the object, not the scope: its end is ignored there and
 * counted (prof_stats.unmatched_count), and the scope lasts until the one
 * around it ends.  A coroutine may go on elsewhere, and others run on its
 * thread meanwhile: end a scope before co_await, and begin another after it.
 *
 * With PROF_DISABLE defined a scope is an empty shell and PROF_SITE nothing;
 * files with and without it can be linked together.
 */
#ifndef PROFCORE_PROFCORE_HPP
#define PROFCORE_PROFCORE_HPP

#include <profcore/snapshot.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <iterator>
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

namespace detail {

/* Past the end of the bracketed text that begins at `at`; < and > count where `with_angles`. */
inline const char *skip_group(const char *at, bool with_angles) noexcept
{
    int depth = 0;
    for (; *at != '\0'; at++) {
        depth += *at == '(' || *at == '[' || *at == '{' || (with_angles && *at == '<');
        depth -= *at == ')' || *at == ']' || *at == '}' || (with_angles && *at == '>');
        if (depth == 0)
            return at + 1;
    }
    return at;
}

/* Past an operator's name, which begins at `at` with the word itself. */
inline const char *skip_operator(const char *at) noexcept
{
    at += std::strlen("operator");
    if (std::strncmp(at, "()", 2) == 0)
        return at + 2;
    const bool is_conversion = *at == ' ';
    while (*at != '\0' && *at != '(')
        at = is_conversion && *at == '<' ? skip_group(at, true) : at + 1;
    return at;
}

/*
 * Cuts the qualified name out of what __PRETTY_FUNCTION__ holds, begin to
 * end: "float *ns::encoder::encode(int) const" becomes "ns::encoder::encode".
 * What it does not understand it leaves as it is.
 */
inline void cut_name(const char *&begin, const char *&end) noexcept
{
    const char *const pretty = begin, *at = pretty;
    while (*at != '\0') {
        const bool is_word = at == pretty || std::strchr(" :*&", at[-1]) != nullptr;
        if (is_word && std::strncmp(at, "operator", 8) == 0 && std::strchr(" ()<>=!+-*/%^&|~,[\"", at[8]) != nullptr) {
            at = skip_operator(at);
            break;
        }
        if (*at == ' ' && at[1] == '[') /* the values of template parameters */
            break;
        if (*at == ' ' || *at == '*' || *at == '&') {
            begin = ++at;
        } else if (*at == '<' || *at == '{') {
            at = skip_group(at, *at == '<');
        } else if (*at == '(' && (at[1] == '*' || at[1] == '&')) { /* it returns a pointer to a function or array */
            begin = at += 2;
        } else if (*at == '(') {
            const char *const after = skip_group(at, false);
            const char *const rest = std::strncmp(after, " const::", 8) == 0 ? after + 6 : after;
            if (std::strncmp(rest, "::", 2) == 0) /* (anonymous namespace)::, or the function around a lambda */
                at = rest;
            else if (at == begin || (at - begin >= 8 && std::strncmp(at - 8, "decltype", 8) == 0))
                at = after; /* a decltype, before whose bracket gcc writes a blank */
            else
                break;
        } else {
            at++;
        }
    }
    if (at == begin)
        begin = pretty;
    end = at == begin ? pretty + std::strlen(pretty) : at;
}

/* The site of a PROF_METHOD, which allocates nothing: it may be made when memory is short. */
template <std::size_t Size> class method_site {
public:
    method_site(const char (&pretty)[Size], const char *file, std::uint32_t line, std::uint32_t flags) noexcept
        : raw_(prof_site PROF_SITE_INIT(name_, file, line, flags))
    {
        const char *begin = pretty, *end = pretty;
        cut_name(begin, end);
        const std::size_t bytes = static_cast<std::size_t>(end - begin);
        std::memcpy(name_, begin, bytes);
        name_[bytes] = '\0';
    }
    site get() noexcept { return site(raw_); }

private:
    char name_[Size];
    prof_site raw_;
};

} // namespace detail

/* ------------------------------------------------------------------------
 * Start, stop, save
 */

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

/* ------------------------------------------------------------------------
 * Results
 */

/* One row of a snapshot: see prof_function.  Its text belongs to the snapshot. */
struct function : prof_function {
    function() noexcept : prof_function(prof_function PROF_FUNCTION_INIT) {}
    bool has_all(std::uint32_t flags) const noexcept { return (has & flags) == flags; } /* PROF_FUNCTION_HAS_… */
};

/* Rows of a snapshot, by index or by `for`: all functions, or the callers of one.  Valid as long as the snapshot. */
class rows {
public:
    class iterator {
    public:
        typedef std::input_iterator_tag iterator_category;
        typedef function value_type;
        typedef std::ptrdiff_t difference_type;
        typedef const function *pointer;
        typedef function reference;

        iterator(const prof_snapshot *of, bool are_callers, std::uint32_t callee, std::uint32_t index) noexcept
            : of_(of), are_callers_(are_callers), callee_(callee), index_(index)
        {
        }
        function operator*() const noexcept
        {
            function row;
            if ((are_callers_ ? prof_snapshot_caller(of_, callee_, index_, &row, nullptr)
                              : prof_snapshot_function(of_, index_, &row, nullptr)) != PROF_OK)
                row.name = "";
            return row;
        }
        iterator &operator++() noexcept { return ++index_, *this; }
        iterator operator++(int) noexcept
        {
            const iterator before(*this);
            ++index_;
            return before;
        }
        friend bool operator==(const iterator &a, const iterator &b) noexcept { return a.index_ == b.index_; }
        friend bool operator!=(const iterator &a, const iterator &b) noexcept { return a.index_ != b.index_; }

    private:
        const prof_snapshot *of_;
        bool are_callers_;
        std::uint32_t callee_, index_;
    };

    explicit rows(const prof_snapshot *of) noexcept : of_(of), are_callers_(false), callee_(0) {}
    rows(const prof_snapshot *of, std::uint32_t callee) noexcept : of_(of), are_callers_(true), callee_(callee) {}

    std::uint32_t size() const noexcept
    {
        return are_callers_ ? prof_snapshot_caller_count(of_, callee_) : prof_snapshot_function_count(of_);
    }
    bool empty() const noexcept { return size() == 0; }
    iterator begin() const noexcept { return iterator(of_, are_callers_, callee_, 0); }
    iterator end() const noexcept { return iterator(of_, are_callers_, callee_, size()); }

    /* Beyond the last: a row of zeros with an empty name. */
    function operator[](std::uint32_t index) const noexcept { return *iterator(of_, are_callers_, callee_, index); }

private:
    const prof_snapshot *of_;
    bool are_callers_;
    std::uint32_t callee_;
};

/*
 * What was recorded, at one instant: owned, immutable, moved and not copied.
 * One that is empty has no rows.
 */
class snapshot {
public:
    snapshot() noexcept : raw_(nullptr) {}
    explicit snapshot(prof_snapshot *owned) noexcept : raw_(owned) {} /* to be closed by this object */
    snapshot(snapshot &&other) noexcept : raw_(other.release()) {}
    snapshot &operator=(snapshot &&other) noexcept
    {
        if (this != &other) {
            prof_snapshot_close(raw_);
            raw_ = other.release();
        }
        return *this;
    }
    ~snapshot() { prof_snapshot_close(raw_); }

    /* Empty on failure, as is subtree(). */
    static snapshot take(error &why) noexcept
    {
        prof_snapshot *taken = nullptr;
        prof_snapshot_take(&taken, why.get());
        return snapshot(taken);
    }

    /* What ran under one function, with it as the root. */
    snapshot subtree(std::uint32_t id, error &why) const noexcept
    {
        prof_snapshot *made = nullptr;
        prof_snapshot_subtree(raw_, id, &made, why.get());
        return snapshot(made);
    }

    prof_status write_file(const char *format, const char *path, error &why) const noexcept
    {
        return prof_snapshot_write_file(raw_, format, path, why.get());
    }

    /* A file's bytes in memory: format "txt", "prof", "json", "html"; sort as for prof_snapshot_write(). */
    prof_status write(const char *format, const char *sort, std::string &bytes, error &why) const noexcept
    {
        std::string written;
        const prof_status status = prof_snapshot_write(raw_, format, sort, append, &written, why.get());
        if (status == PROF_OK)
            bytes.swap(written);
        return status;
    }

#if PROF_CPP_THROWS_
    static snapshot take()
    {
        error why;
        prof_snapshot *taken = nullptr;
        detail::check(prof_snapshot_take(&taken, why.get()), why);
        return snapshot(taken);
    }
    snapshot subtree(std::uint32_t id) const
    {
        error why;
        prof_snapshot *made = nullptr;
        detail::check(prof_snapshot_subtree(raw_, id, &made, why.get()), why);
        return snapshot(made);
    }
    void write_file(const char *format, const char *path) const
    {
        error why;
        detail::check(write_file(format, path, why), why);
    }
    std::string write(const char *format, const char *sort = nullptr) const
    {
        error why;
        std::string bytes;
        detail::check(write(format, sort, bytes, why), why);
        return bytes;
    }
#endif

    /* The functions, by id, which is their index; a `for` over the snapshot itself goes through them too. */
    rows functions() const noexcept { return rows(raw_); }
    rows callers(std::uint32_t id) const noexcept { return rows(raw_, id); }
    std::uint32_t size() const noexcept { return functions().size(); }
    bool empty() const noexcept { return size() == 0; }
    function operator[](std::uint32_t id) const noexcept { return functions()[id]; }
    rows::iterator begin() const noexcept { return functions().begin(); }
    rows::iterator end() const noexcept { return functions().end(); }

    /* Finds a function by name; false where there is none, and the row is as it was. */
    bool find(const char *name, function &row) const noexcept
    {
        std::uint32_t id = 0;
        if (prof_snapshot_find(raw_, name, &id, nullptr) != PROF_OK)
            return false;
        row = functions()[id];
        return true;
    }

    /* False where there are too few calls for that share, or no histogram: see prof_snapshot_percentile(). */
    bool percentile(std::uint32_t id, double share, std::uint64_t &ns) const noexcept
    {
        return prof_snapshot_percentile(raw_, id, share, &ns, nullptr) == PROF_OK;
    }
    bool histogram(std::uint32_t id, std::uint64_t (&counts)[PROF_BUCKET_COUNT]) const noexcept
    {
        return prof_snapshot_histogram(raw_, id, counts, nullptr) == PROF_OK;
    }
    stats counts() const noexcept
    {
        stats read;
        prof_snapshot_stats(raw_, &read, nullptr);
        return read;
    }

    /* For functions of snapshot.h that have no form here. */
    const prof_snapshot *get() const noexcept { return raw_; }
    prof_snapshot *release() noexcept
    {
        prof_snapshot *const released = raw_;
        raw_ = nullptr;
        return released;
    }
    explicit operator bool() const noexcept { return raw_ != nullptr; }

private:
    prof_snapshot *raw_;

    /* Called from C, which no exception may pass. */
    static int append(void *into, const void *data, std::size_t bytes) noexcept
    {
        enum { no_memory = 12 }; /* ENOMEM */
        std::string &text = *static_cast<std::string *>(into);
#if PROF_CPP_THROWS_
        try {
            text.append(static_cast<const char *>(data), bytes);
        } catch (...) {
            return no_memory;
        }
#else
        text.append(static_cast<const char *>(data), bytes);
#endif
        return 0;
    }
};

} // namespace profcore

/* ------------------------------------------------------------------------
 * The macros of C++, beside those of prof.h
 */

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

/*
 * PROF_METHOD();             The rest of this function is a scope with its full
 *                            name, namespace and class included: where
 *                            PROF_FUNCTION() gives "encode", this gives
 *                            "ns::encoder::encode".
 * PROF_METHOD_SAVE();        As PROF_FUNCTION_SAVE().
 * PROF_METHOD_WITH(flags);
 */
#define PROF_METHOD() PROF_METHOD_WITH(0u)
#define PROF_METHOD_SAVE() PROF_METHOD_WITH(PROF_SITE_SAVE | PROF_SITE_RSS)
#define PROF_METHOD_WITH(flags) \
    const ::profcore::scope PROF_ID_(prof_method_)((PROF_IF_LIVE_(PROF_METHOD_SITE_(flags), ::profcore::site())))
#define PROF_METHOD_SITE_(flags)                                                            \
    (::profcore::is_recording() ? __extension__({                                           \
        static ::profcore::detail::method_site<sizeof(__PRETTY_FUNCTION__)> prof_site_(      \
            __PRETTY_FUNCTION__, __FILE__, __LINE__, flags);                                \
        prof_site_.get();                                                                   \
    })                                                                                      \
                                : ::profcore::site())

#endif /* PROFCORE_PROFCORE_HPP */
