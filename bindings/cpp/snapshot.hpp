/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Part of profcore.hpp: results, of this process, read from files, or merged.
 *
 *     const profcore::snapshot a = profcore::snapshot::read_file("one.json");
 *     const profcore::snapshot b = profcore::snapshot::read_file("two.json");
 *     for (const profcore::function &row : profcore::snapshot::merge({ &a, &b }))
 *         std::printf("%s: %llu calls\n", row.name, (unsigned long long)row.calls);
 */
#ifndef PROFCORE_SNAPSHOT_HPP
#define PROFCORE_SNAPSHOT_HPP

#include <profcore/recorder.hpp>
#include <profcore/rows.hpp>
#include <profcore/snapshot.h>

#include <initializer_list>
#include <memory>
#include <new>

namespace profcore {

/* One row of a snapshot: see prof_function.  Its text belongs to the snapshot. */
struct function : prof_function {
    function() noexcept : prof_function(prof_function PROF_FUNCTION_INIT) { name = ""; }
    bool has_all(std::uint32_t flags) const noexcept { return (has & flags) == flags; } /* PROF_FUNCTION_HAS_… */
};

/* The values of one counter: see prof_counter_row.  Its text belongs to the snapshot. */
struct counter_row : prof_counter_row {
    counter_row() noexcept : prof_counter_row(prof_counter_row PROF_COUNTER_ROW_INIT) { name = ""; }
};

/* A kind of memory, and a place that allocated: see prof_memory_info and prof_place.  Their text belongs to the snapshot. */
struct memory_row : prof_memory_info {
    memory_row() noexcept : prof_memory_info(prof_memory_info PROF_MEMORY_INFO_INIT) { name = ""; }
};
struct place_row : prof_place {
    place_row() noexcept : prof_place(prof_place PROF_PLACE_INIT) { path = ""; }
};

/* Where a snapshot comes from: see prof_about.  Its text belongs to the snapshot. */
struct snapshot_about : prof_about {
    snapshot_about() noexcept : prof_about(prof_about PROF_ABOUT_INIT) {}
    bool has_all(std::uint32_t flags) const noexcept { return (has & flags) == flags; } /* PROF_ABOUT_HAS_… */
};

namespace detail {

template <typename Row> struct snapshot_table {
    typedef prof_snapshot source;
    typedef Row row;
    typedef std::uint32_t index;
};
struct functions : snapshot_table<function> {
    static index count(const source *of, index) noexcept { return prof_snapshot_function_count(of); }
    static void read(const source *of, index, index at, row &read) noexcept { prof_snapshot_function(of, at, &read, nullptr); }
};
struct callers : snapshot_table<function> {
    static index count(const source *of, index within) noexcept { return prof_snapshot_caller_count(of, within); }
    static void read(const source *of, index within, index at, row &read) noexcept
    {
        prof_snapshot_caller(of, within, at, &read, nullptr);
    }
};
struct callees : snapshot_table<function> {
    static index count(const source *of, index within) noexcept { return prof_snapshot_callee_count(of, within); }
    static void read(const source *of, index within, index at, row &read) noexcept
    {
        prof_snapshot_callee(of, within, at, &read, nullptr);
    }
};
struct spans : snapshot_table<function> {
    static index count(const source *of, index) noexcept { return prof_snapshot_span_count(of); }
    static void read(const source *of, index, index at, row &read) noexcept { prof_snapshot_span(of, at, &read, nullptr); }
};
struct counters : snapshot_table<counter_row> {
    static index count(const source *of, index) noexcept { return prof_snapshot_counter_count(of); }
    static void read(const source *of, index, index at, row &read) noexcept { prof_snapshot_counter(of, at, &read, nullptr); }
};
struct memories : snapshot_table<memory_row> {
    static index count(const source *of, index) noexcept { return prof_snapshot_memory_count(of); }
    static void read(const source *of, index, index at, row &read) noexcept { prof_snapshot_memory(of, at, &read, nullptr); }
};
struct places : snapshot_table<place_row> {
    static index count(const source *of, index) noexcept { return prof_snapshot_place_count(of); }
    static void read(const source *of, index, index at, row &read) noexcept { prof_snapshot_place(of, at, &read, nullptr); }
};

} // namespace detail

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

    /* Empty on failure, as are the others that make a snapshot. */
    static snapshot take(error &why) noexcept
    {
        prof_snapshot *taken = nullptr;
        prof_snapshot_take(&taken, why.get());
        return snapshot(taken);
    }

    /* From a file, or a file's bytes, which messages call `what`: a .json, any .prof, the table of a .pftrace. */
    static snapshot read_file(const char *path, error &why) noexcept
    {
        prof_snapshot *made = nullptr;
        prof_snapshot_read_file(path, &made, why.get());
        return snapshot(made);
    }
    static snapshot read(const std::string &bytes, const char *what, error &why) noexcept
    {
        prof_snapshot *made = nullptr;
        prof_snapshot_read(bytes.data(), bytes.size(), what, &made, why.get());
        return snapshot(made);
    }

    /* As if all had been recorded in one process: merge({ &a, &b }), or a container of snapshots or pointers to them. */
    template <typename Snapshots = std::initializer_list<const snapshot *>>
    static snapshot merge(const Snapshots &all, error &why) noexcept
    {
        const std::size_t count = static_cast<std::size_t>(std::distance(std::begin(all), std::end(all)));
        const std::unique_ptr<const prof_snapshot *[]> raw(new (std::nothrow) const prof_snapshot *[count + 1]);
        prof_snapshot *made = nullptr;
        std::size_t at = 0;
        if (raw == nullptr) {
            why.set(PROF_E_NO_MEMORY, "profcore::snapshot::merge: no memory for a list of the snapshots");
            return snapshot();
        }
        for (const auto &each : all)
            raw[at++] = raw_of(each);
        prof_snapshot_merge(raw.get(), count, &made, why.get());
        return snapshot(made);
    }

    /* What ran under one function, with it as the root. */
    snapshot subtree(std::uint32_t id, error &why) const noexcept
    {
        prof_snapshot *made = nullptr;
        prof_snapshot_subtree(raw_, id, &made, why.get());
        return snapshot(made);
    }

    /* The same with what recording took, as measured, taken off the times. */
    snapshot subtract_cost(error &why) const noexcept
    {
        prof_snapshot *made = nullptr;
        prof_snapshot_subtract_cost(raw_, &made, why.get());
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
        const prof_status status = prof_snapshot_write(raw_, format, sort, detail::append, &written, why.get());
        if (status == PROF_OK)
            bytes.swap(written);
        return status;
    }

#if PROF_CPP_THROWS_
    static snapshot take()
    {
        error why;
        return checked(take(why), why);
    }
    static snapshot read_file(const char *path)
    {
        error why;
        return checked(read_file(path, why), why);
    }
    static snapshot read(const std::string &bytes, const char *what = nullptr)
    {
        error why;
        return checked(read(bytes, what, why), why);
    }
    template <typename Snapshots = std::initializer_list<const snapshot *>> static snapshot merge(const Snapshots &all)
    {
        error why;
        return checked(merge(all, why), why);
    }
    snapshot subtree(std::uint32_t id) const
    {
        error why;
        return checked(subtree(id, why), why);
    }
    snapshot subtract_cost() const
    {
        error why;
        return checked(subtract_cost(why), why);
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
    rows<detail::functions> functions() const & noexcept { return rows<detail::functions>(raw_); }
    rows<detail::callers> callers(std::uint32_t id) const & noexcept { return rows<detail::callers>(raw_, id); }
    rows<detail::callees> callees(std::uint32_t id) const & noexcept { return rows<detail::callees>(raw_, id); }
    std::uint32_t size() const noexcept { return functions().size(); }
    bool empty() const noexcept { return size() == 0; }
    function operator[](std::uint32_t id) const noexcept { return functions()[id]; }
    rows<detail::functions>::iterator begin() const noexcept { return functions().begin(); }
    rows<detail::functions>::iterator end() const noexcept { return functions().end(); }

    /* Spans, which are no functions: of their rows name, calls, cumulative_ns, min_ns and max_ns are set. */
    rows<detail::spans> spans() const & noexcept { return rows<detail::spans>(raw_); }
    rows<detail::counters> counters() const & noexcept { return rows<detail::counters>(raw_); }

    /* What allocators told: the kinds of memory, and where what is still allocated is from. */
    rows<detail::memories> memories() const & noexcept { return rows<detail::memories>(raw_); }
    rows<detail::places> places() const & noexcept { return rows<detail::places>(raw_); }

    /* A snapshot without a name is gone before its rows are read: give it one. */
    rows<detail::functions> functions() const && = delete;
    rows<detail::callers> callers(std::uint32_t id) const && = delete;
    rows<detail::callees> callees(std::uint32_t id) const && = delete;
    rows<detail::spans> spans() const && = delete;
    rows<detail::counters> counters() const && = delete;
    rows<detail::memories> memories() const && = delete;
    rows<detail::places> places() const && = delete;

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
    bool span_percentile(std::uint32_t span, double share, std::uint64_t &ns) const noexcept
    {
        return prof_snapshot_span_percentile(raw_, span, share, &ns, nullptr) == PROF_OK;
    }
    bool span_histogram(std::uint32_t span, std::uint64_t (&counts)[PROF_BUCKET_COUNT]) const noexcept
    {
        return prof_snapshot_span_histogram(raw_, span, counts, nullptr) == PROF_OK;
    }
    stats counts() const noexcept
    {
        stats read;
        prof_snapshot_stats(raw_, &read, nullptr);
        return read;
    }
    snapshot_about about() const noexcept
    {
        snapshot_about read;
        prof_snapshot_about(raw_, &read, nullptr);
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

    static const prof_snapshot *raw_of(const snapshot &one) noexcept { return one.raw_; }
    static const prof_snapshot *raw_of(const snapshot *one) noexcept { return one != nullptr ? one->raw_ : nullptr; }
#if PROF_CPP_THROWS_
    static snapshot checked(snapshot made, const error &why)
    {
        detail::check(why.status(), why);
        return made;
    }
#endif
};

} // namespace profcore

#endif
