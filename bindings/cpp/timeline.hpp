/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Part of profcore.hpp: timelines that were written.
 *
 *     const profcore::timeline one = profcore::timeline::read_file("service_1747928899.pftrace");
 *     for (const profcore::slice &each : one.slices(0))
 *         std::printf("%*s%s\n", int(each.depth), "", each.name);
 *     one.write_file("chrome", "service.trace.json");
 */
#ifndef PROFCORE_TIMELINE_HPP
#define PROFCORE_TIMELINE_HPP

#include <profcore/snapshot.hpp>
#include <profcore/timeline.h>

namespace profcore {

/* What a timeline holds: see prof_timeline_about.  The text of this and of the rows below belongs to the timeline. */
struct timeline_about : prof_timeline_about {
    timeline_about() noexcept : prof_timeline_about(prof_timeline_about PROF_TIMELINE_ABOUT_INIT) {}
};

struct process : prof_timeline_process {
    process() noexcept : prof_timeline_process(prof_timeline_process PROF_TIMELINE_PROCESS_INIT) { name = ""; }
};

/* A thread, or what else has slices that follow or enclose each other. */
struct track : prof_timeline_track {
    track() noexcept : prof_timeline_track(prof_timeline_track PROF_TIMELINE_TRACK_INIT) { name = ""; }
};

/* A scope, a span, an instant or a value: see prof_timeline_slice. */
struct slice : prof_timeline_slice {
    slice() noexcept : prof_timeline_slice(prof_timeline_slice PROF_TIMELINE_SLICE_INIT) { name = ""; }
    bool has_ended() const noexcept { return end_ns != UINT64_MAX; }
};

namespace detail {

inline timeline_about about(const prof_timeline *of) noexcept
{
    timeline_about read;
    prof_timeline_about_get(of, &read, nullptr);
    return read;
}

template <typename Row> struct timeline_table {
    typedef prof_timeline source;
    typedef Row row;
    typedef std::uint64_t index;
};
struct processes : timeline_table<process> {
    static index count(const source *of, index) noexcept { return about(of).process_count; }
    static void read(const source *of, index, index at, row &read) noexcept
    {
        if (at <= UINT32_MAX)
            prof_timeline_process_get(of, static_cast<std::uint32_t>(at), &read, nullptr);
    }
};
struct tracks : timeline_table<track> {
    static index count(const source *of, index) noexcept { return about(of).track_count; }
    static void read(const source *of, index, index at, row &read) noexcept { prof_timeline_track_get(of, at, &read, nullptr); }
};
struct slices : timeline_table<slice> {
    static index count(const source *of, index within) noexcept
    {
        track of_these;
        prof_timeline_track_get(of, within, &of_these, nullptr);
        return of_these.slice_count;
    }
    static void read(const source *of, index within, index at, row &read) noexcept
    {
        prof_timeline_slice_get(of, within, at, &read, nullptr);
    }
};

} // namespace detail

/* A file of single events: owned, immutable, moved and not copied.  One that is empty has no rows. */
class timeline {
public:
    timeline() noexcept : raw_(nullptr) {}
    explicit timeline(prof_timeline *owned) noexcept : raw_(owned) {} /* to be closed by this object */
    timeline(timeline &&other) noexcept : raw_(other.release()) {}
    timeline &operator=(timeline &&other) noexcept
    {
        if (this != &other) {
            prof_timeline_close(raw_);
            raw_ = other.release();
        }
        return *this;
    }
    ~timeline() { prof_timeline_close(raw_); }

    /* Any .pftrace or stream, of any size; empty on failure. */
    static timeline read_file(const char *path, error &why) noexcept
    {
        prof_timeline *made = nullptr;
        prof_timeline_read_file(path, &made, why.get());
        return timeline(made);
    }

    /* Of several, one: see prof_timeline_read(). */
    static timeline read(const prof_timeline_source *sources, std::size_t count, error &why) noexcept
    {
        prof_timeline *made = nullptr;
        prof_timeline_read(sources, count, &made, why.get());
        return timeline(made);
    }

    /* The table of its scopes; empty on failure. */
    profcore::snapshot snapshot(error &why) const noexcept
    {
        prof_snapshot *made = nullptr;
        prof_timeline_snapshot(raw_, &made, why.get());
        return profcore::snapshot(made);
    }

    /* For the page that "html" writes of the snapshot. */
    prof_status add_slowest(profcore::snapshot &to, error &why) const noexcept
    {
        prof_snapshot *const raw = to.release();
        const prof_status status = prof_timeline_add_slowest(raw_, raw, why.get());
        to = profcore::snapshot(raw);
        return status;
    }

    prof_status write_file(const char *format, const char *path, error &why) const noexcept
    {
        return prof_timeline_write_file(raw_, format, path, why.get());
    }

    /* A file's bytes in memory: format "pftrace", "chrome", "nvtxt". */
    prof_status write(const char *format, std::string &bytes, error &why) const noexcept
    {
        std::string written;
        const prof_status status = prof_timeline_write(raw_, format, detail::append, &written, why.get());
        if (status == PROF_OK)
            bytes.swap(written);
        return status;
    }

#if PROF_CPP_THROWS_
    static timeline read_file(const char *path)
    {
        error why;
        timeline made = read_file(path, why);
        detail::check(why.status(), why);
        return made;
    }
    static timeline read(const prof_timeline_source *sources, std::size_t count)
    {
        error why;
        timeline made = read(sources, count, why);
        detail::check(why.status(), why);
        return made;
    }
    profcore::snapshot snapshot() const
    {
        error why;
        profcore::snapshot made = snapshot(why);
        detail::check(why.status(), why);
        return made;
    }
    void add_slowest(profcore::snapshot &to) const
    {
        error why;
        detail::check(add_slowest(to, why), why);
    }
    void write_file(const char *format, const char *path) const
    {
        error why;
        detail::check(write_file(format, path, why), why);
    }
    std::string write(const char *format) const
    {
        error why;
        std::string bytes;
        detail::check(write(format, bytes, why), why);
        return bytes;
    }
#endif

    timeline_about about() const noexcept { return detail::about(raw_); }
    rows<detail::processes> processes() const & noexcept { return rows<detail::processes>(raw_); }
    rows<detail::tracks> tracks() const & noexcept { return rows<detail::tracks>(raw_); }

    /* Of one track, in the order of starts, a scope before those inside it. */
    rows<detail::slices> slices(std::uint64_t track) const & noexcept { return rows<detail::slices>(raw_, track); }

    /* A timeline without a name is gone before its rows are read: give it one. */
    rows<detail::processes> processes() const && = delete;
    rows<detail::tracks> tracks() const && = delete;
    rows<detail::slices> slices(std::uint64_t track) const && = delete;

    /* For functions of timeline.h that have no form here. */
    const prof_timeline *get() const noexcept { return raw_; }
    prof_timeline *release() noexcept
    {
        prof_timeline *const released = raw_;
        raw_ = nullptr;
        return released;
    }
    explicit operator bool() const noexcept { return raw_ != nullptr; }

private:
    prof_timeline *raw_;
};

} // namespace profcore

#endif
