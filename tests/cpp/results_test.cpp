/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profcore.hpp, what is no scope: spans, requests, instants, arguments, flows
 * and counters, seen through the snapshots and timelines that they come to;
 * and these read back and merged.  Built as profcore_test.cpp is.
 */
#include "cpp_test.h"

#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

static_assert(!std::is_copy_constructible<profcore::span>::value && !std::is_copy_assignable<profcore::span>::value,
              "a span has one owner");
static_assert(std::is_nothrow_move_constructible<profcore::span>::value &&
                  std::is_nothrow_move_assignable<profcore::span>::value,
              "requests that hold a span are moved");
static_assert(sizeof(profcore::span) == sizeof(prof_span), "two words");
static_assert(!std::is_constructible<profcore::span, const char *>::value, "a name is no site");
static_assert(!std::is_copy_constructible<profcore::request>::value && !std::is_move_assignable<profcore::request>::value,
              "the request in force is what the block says");
static_assert(!std::is_copy_constructible<profcore::timeline>::value, "a timeline has one owner");

static std::uint64_t spans_ended(const char *name)
{
    profcore::error why;
    const profcore::snapshot taken = profcore::snapshot::take(why);
    for (const profcore::function &each : taken.spans())
        if (std::strcmp(each.name, name) == 0)
            return each.calls;
    return 0;
}

/* ---- the timeline of this process ---- */

struct text_source {
    const std::string &bytes;
    std::size_t at;
    static std::int64_t read(void *of, void *into, std::size_t room)
    {
        text_source &self = *static_cast<text_source *>(of);
        const std::size_t left = self.bytes.size() - self.at, now = room < left ? room : left;
        std::memcpy(into, self.bytes.data() + self.at, now);
        self.at += now;
        return static_cast<std::int64_t>(now);
    }
};

static int append(void *into, const void *data, std::size_t bytes)
{
    static_cast<std::string *>(into)->append(static_cast<const char *>(data), bytes);
    return 0;
}

static std::string pftrace_now()
{
    std::string bytes;
    prof_events_write("pftrace", append, &bytes, nullptr);
    return bytes;
}

static profcore::timeline timeline_now()
{
    profcore::error why;
    const std::string bytes = pftrace_now();
    text_source text = { bytes, 0 };
    const prof_timeline_source source = { text_source::read, &text, "what was recorded" };
    profcore::timeline made = profcore::timeline::read(&source, 1, why);
    CHECK(bool(made) == bool(LIVE) || !bytes.empty());
    return made;
}

/* Where a slice of this name is: its track and index. */
struct place {
    std::uint64_t track, index;
    bool is_found;
};

static place find_slice(const profcore::timeline &in, const char *name, profcore::slice &found)
{
    for (std::uint64_t track = 0; track < in.tracks().size(); track++) {
        std::uint64_t index = 0;
        for (const profcore::slice &each : in.slices(track)) {
            if (std::strcmp(each.name, name) == 0) {
                found = each;
                return place{ track, index, true };
            }
            index++;
        }
    }
    return place{ 0, 0, false };
}

static profcore::slice slice_named(const profcore::timeline &in, const char *name)
{
    profcore::slice found;
    const bool is_found = find_slice(in, name, found).is_found;
    CHECK(is_found == bool(LIVE));
    if (is_found != bool(LIVE))
        std::printf("# that was \"%s\"\n", name);
    return found;
}

/* ---- spans ---- */

TEST(a_span_ends_with_its_object_and_once)
{
    check_clean(record([] {
        {
            profcore::span waits(PROF_SITE("span of a block"));
            CHECK(bool(waits) == bool(LIVE));
            CHECK_U64(spans_ended("span of a block"), 0);
        }
        CHECK_U64(spans_ended("span of a block"), LIVE);
        profcore::span twice(PROF_SITE("span ended twice"));
        twice.end();
        twice.end();
        CHECK(!twice);
    }));
    CHECK_U64(spans_ended("span ended twice"), LIVE);
}

TEST(a_span_moves_to_another_thread_and_ends_there)
{
    check_clean(record([] {
        profcore::span waits(PROF_SITE("moved span")), kept;
        kept = std::move(waits);
        CHECK(!waits); /* NOLINT: it is what is tested */
        std::thread([](profcore::span arrived) { CHECK(bool(arrived) == bool(LIVE)); }, std::move(kept)).join();
        CHECK(!kept); /* NOLINT */
        CHECK_U64(spans_ended("moved span"), LIVE);
        profcore::span over(PROF_SITE("span assigned over")), &alias = over;
        over = std::move(alias);
        CHECK_U64(spans_ended("span assigned over"), 0);
        over = profcore::span();
        CHECK_U64(spans_ended("span assigned over"), LIVE);
    }));
}

TEST(the_phases_of_a_span_follow_each_other_without_a_gap)
{
    check_clean(record([] {
        profcore::span step;
        step.phase(PROF_SITE("queue"));
        step.phase(PROF_SITE("prefill"));
        step.phase(PROF_SITE("decode"));
        step.phase(profcore::site());
        CHECK(!step);
    }));
    const profcore::timeline seen = timeline_now();
    const profcore::slice queue = slice_named(seen, "queue"), prefill = slice_named(seen, "prefill"),
                          decode = slice_named(seen, "decode");
    CHECK_U64(queue.end_ns, prefill.start_ns);
    CHECK_U64(prefill.end_ns, decode.start_ns);
    CHECK_U64(queue.kind, LIVE ? PROF_SLICE_SPAN : 0);
}

TEST(a_span_that_is_forgotten_leaves_no_trace_and_one_released_is_the_callers)
{
    check_clean(record([] {
        profcore::span given_up(PROF_SITE("given up"));
        given_up.forget();
        CHECK(!given_up);
        profcore::span owner(PROF_SITE("released span"));
        const prof_span token = owner.release();
        owner.end();
        CHECK_U64(spans_ended("released span"), 0);
        profcore::span again(token);
    }));
    CHECK_U64(spans_ended("given up"), 0);
    CHECK_U64(spans_ended("released span"), LIVE);
}

TEST(while_stopped_nothing_begins)
{
    profcore::error why;
    profcore::counter idle("counter while stopped", why);
    {
        profcore::span never(PROF_SITE("span while stopped"));
        CHECK(!never);
        never.phase(PROF_SITE("span while stopped"));
        CHECK(!never);
        profcore::request none(7);
        profcore::instant(PROF_SITE("instant while stopped"));
        profcore::annotate({ profcore::arg(PROF_SITE("n"), 1) });
        profcore::flow(3);
        profcore::flow_end(3);
        idle.set(1);
    }
    check_clean(record([] { profcore::scope after(PROF_SITE("after the stop")); }));
    CHECK_U64(spans_ended("span while stopped"), 0);
    CHECK_U64(slice_named(timeline_now(), "after the stop").request.low, 0);
}

/* ---- requests ---- */

static profcore::request returned_request()
{
    return profcore::request(77);
}

TEST(scopes_carry_the_request_of_their_block)
{
    check_clean(record([] {
        profcore::request outer(profcore::request_id(0x4bf92f3577b34da6u, 0xa3ce929d0e0e4736u));
        {
            profcore::scope of_outer(PROF_SITE("of the outer request"));
        }
        {
            profcore::request inner(12);
            profcore::scope of_inner(PROF_SITE("of the inner request"));
        }
        {
            profcore::scope of_outer(PROF_SITE("of the outer one again"));
        }
        outer.end();
        {
            profcore::scope of_none(PROF_SITE("of no request"));
        }
        {
            profcore::request from_function = returned_request();
            profcore::request moved(std::move(from_function));
            profcore::scope of_moved(PROF_SITE("of a moved request"));
        }
        profcore::scope of_none(PROF_SITE("of no request any more"));
    }));
    const profcore::timeline seen = timeline_now();
    const char *const outer[] = { "of the outer request", "of the outer one again" };
    for (const char *name : outer) {
        CHECK_U64(slice_named(seen, name).request.high, 0x4bf92f3577b34da6u * LIVE);
        CHECK_U64(slice_named(seen, name).request.low, 0xa3ce929d0e0e4736u * LIVE);
    }
    CHECK_U64(slice_named(seen, "of the inner request").request.low, 12 * LIVE);
    CHECK_U64(slice_named(seen, "of the inner request").request.high, 0);
    CHECK_U64(slice_named(seen, "of a moved request").request.low, 77 * LIVE);
    CHECK_U64(slice_named(seen, "of no request").request.low, 0);
    CHECK_U64(slice_named(seen, "of no request any more").request.low, 0);
}

/* ---- instants, arguments, flows ---- */

static void check_argument(const profcore::timeline &in, const place &of, std::uint64_t number, const char *name,
                           std::int64_t integer, double value, const char *text)
{
    prof_timeline_argument row = PROF_TIMELINE_ARGUMENT_INIT;
    REQUIRE(prof_timeline_argument_get(in.get(), of.track, of.index, number, &row, nullptr) == PROF_OK);
    CHECK_STR(row.name, name);
    CHECK_U64(row.type, text != nullptr ? PROF_ARG_TEXT : value > 0 || value < 0 ? PROF_ARG_DOUBLE : PROF_ARG_INT);
    if (text != nullptr)
        CHECK_STR(row.text, text);
    else if (row.type == PROF_ARG_DOUBLE)
        CHECK(!(row.number < value) && !(row.number > value));
    else
        CHECK_I64(row.integer, integer);
}

TEST(instants_spans_and_scopes_say_more)
{
    check_clean(record([] {
        profcore::scope around(PROF_SITE("says more"));
        const std::string model = "small";
        profcore::annotate({ profcore::arg(PROF_SITE("batch"), std::size_t(9)), profcore::arg(PROF_SITE("share"), 0.5),
                             profcore::arg(PROF_SITE("model"), model), profcore::arg(PROF_SITE("user"), "me") });
        profcore::instant(PROF_SITE("cache miss"));
        profcore::instant(PROF_SITE("evicted"), { profcore::arg(PROF_SITE("bytes"), -3) });
        profcore::span answered(PROF_SITE("answered"));
        answered.end({ profcore::arg(PROF_SITE("tokens"), 12u) });
        profcore::instant(profcore::site()); /* nothing */
    }));
    const profcore::timeline seen = timeline_now();
    profcore::slice found;
    CHECK_U64(slice_named(seen, "cache miss").argument_count, 0);
    if (!LIVE)
        return;
    const place scope = find_slice(seen, "says more", found);
    CHECK_U64(found.argument_count, 4);
    check_argument(seen, scope, 0, "batch", 9, 0, nullptr);
    check_argument(seen, scope, 1, "share", 0, 0.5, nullptr);
    check_argument(seen, scope, 2, "model", 0, 0, "small");
    check_argument(seen, scope, 3, "user", 0, 0, "me");
    const place instant = find_slice(seen, "evicted", found);
    CHECK_U64(found.kind, PROF_SLICE_INSTANT);
    check_argument(seen, instant, 0, "bytes", -3, 0, nullptr);
    const place span = find_slice(seen, "answered", found);
    check_argument(seen, span, 0, "tokens", 12, 0, nullptr);
}

TEST(a_flow_goes_through_scopes_to_its_last_station)
{
    check_clean(record([] {
        for (int i = 0; i < 2; i++) { /* two flows: after its last station the id is free */
            {
                profcore::scope from(PROF_SITE("flows from"));
                profcore::flow(0xabcdef01u);
            }
            profcore::scope to(PROF_SITE("flows to"));
            profcore::flow_end(0xabcdef01u);
        }
    }));
    profcore::error why;
    std::string chrome;
    const profcore::timeline seen = timeline_now();
    if (seen)
        CHECK_I64(seen.write("chrome", chrome, why), PROF_OK);
    std::size_t begun = 0;
    for (std::size_t at = 0; (at = chrome.find("\"ph\":\"s\"", at)) != std::string::npos; at++)
        begun++;
    CHECK_U64(begun, 2 * LIVE);
}

/* ---- counters ---- */

TEST(counters_of_one_name_are_one)
{
    profcore::error why;
    check_clean(record([&why] {
        profcore::counter depth("depth of the queue", why), same(std::string("depth of ") + "the queue", why);
        CHECK(bool(depth) && bool(same));
        depth.set(3);
        same.set(5);
        PROF_COUNTER("depth of the queue", 4);
        profcore::error bad;
        profcore::counter nameless(std::string(), bad);
        CHECK(!nameless && bad.status() == PROF_E_INVALID);
        nameless.set(1);
    }));
    const profcore::snapshot taken = profcore::snapshot::take(why);
    unsigned found = 0;
    for (const profcore::counter_row &each : taken.counters())
        if (std::strcmp(each.name, "depth of the queue") == 0) {
            found++;
            CHECK_U64(each.count, 3);
            CHECK(each.last > 3.5 && each.last < 4.5 && each.max > 4.5 && each.min < 3.5);
        }
    CHECK_U64(found, LIVE);
    CHECK_STR(taken.counters()[taken.counters().size()].name, "");
}

/* ---- snapshots that were read and merged ---- */

static void record_calls(int count)
{
    record([count] {
        for (int i = 0; i < count; i++) {
            profcore::scope caller(PROF_SITE("merged caller"));
            profcore::scope callee(PROF_SITE("merged callee"));
            profcore::span span(PROF_SITE("merged span"));
        }
    });
}

TEST(snapshots_are_read_back_and_merged)
{
    profcore::error why;
    std::string bytes;
    record_calls(25);
    const profcore::snapshot taken = profcore::snapshot::take(why);
    CHECK_I64(taken.write("json", nullptr, bytes, why), PROF_OK);
    profcore::snapshot read = profcore::snapshot::read(bytes, "the summary", why);
    REQUIRE(bool(read));
    CHECK_U64(read.size(), taken.size());
    CHECK(read.about().has_all(PROF_ABOUT_HAS_PID) && read.about().pid == taken.about().pid);

    const profcore::snapshot *const pointers[] = { &taken, &read };
    std::vector<profcore::snapshot> owned;
    const profcore::snapshot braces = profcore::snapshot::merge({ &taken, &read }, why);
    const profcore::snapshot of_pointers = profcore::snapshot::merge(pointers, why);
    owned.push_back(std::move(read));
    owned.push_back(profcore::snapshot::take(why));
    const profcore::snapshot of_owned = profcore::snapshot::merge(owned, why);
    const profcore::snapshot *const merged[] = { &braces, &of_pointers, &of_owned };
    for (const profcore::snapshot *each : merged) {
        profcore::function once, twice;
        CHECK_U64(each->about().process_count, 2);
        CHECK(taken.find("merged callee", once) == bool(LIVE) && each->find("merged callee", twice) == bool(LIVE));
        CHECK_U64(twice.calls, 2 * once.calls);
        CHECK_U64(once.calls, 25 * LIVE);
    }

    profcore::error none, missing;
    CHECK(!profcore::snapshot::merge({ &taken, nullptr }, missing));
    CHECK_I64(missing.status(), PROF_E_INVALID);
    CHECK(!profcore::snapshot::merge(std::vector<profcore::snapshot>(), none));
    CHECK_I64(none.status(), PROF_E_INVALID);
}

TEST(rows_of_callees_and_spans_come_by_index_and_by_for)
{
    profcore::error why;
    record_calls(25);
    const profcore::snapshot taken = profcore::snapshot::take(why);
    profcore::function caller;
    CHECK(taken.find("merged caller", caller) == bool(LIVE));
    if (!LIVE)
        return;
    CHECK_U64(taken.callees(caller.id).size(), 1);
    CHECK_STR(taken.callees(caller.id)[0].name, "merged callee");
    CHECK_U64(taken.callees(caller.id)[0].calls, caller.calls);
    CHECK_STR(taken.callees(caller.id)[1].name, "");
    std::uint64_t ns = 0, counts[PROF_BUCKET_COUNT], sum = 0;
    for (const profcore::function &span : taken.spans())
        if (std::strcmp(span.name, "merged span") == 0) {
            CHECK(taken.span_percentile(span.id, 0.5, ns) && ns >= span.min_ns && ns <= span.max_ns);
            CHECK(!taken.span_percentile(span.id, 0.999, ns)); /* too few */
            REQUIRE(taken.span_histogram(span.id, counts));
            for (std::uint64_t each : counts)
                sum += each;
            CHECK_U64(sum, span.calls);
        }
    CHECK_U64(sum, caller.calls);
    const profcore::snapshot less = taken.subtract_cost(why);
    CHECK(less && less.about().has_all(PROF_ABOUT_COST_IS_SUBTRACTED) && !less.subtract_cost(why));
}

TEST(what_cannot_be_read_says_so)
{
    profcore::error why;
    CHECK(!profcore::snapshot::read("no profile", nullptr, why));
    CHECK_I64(why.status(), PROF_E_FORMAT);
    CHECK_HAS(why.what(), "the data");
    profcore::error no_file, no_timeline;
    CHECK(!profcore::snapshot::read_file("/no/such/file.json", no_file));
    CHECK_I64(no_file.status(), PROF_E_IO);
    CHECK(!profcore::timeline::read_file("/no/such/file.pftrace", no_timeline));
    CHECK_I64(no_timeline.status(), PROF_E_IO);
    const profcore::timeline none;
    std::string bytes = "as it was";
    CHECK(!none && none.tracks().empty() && none.processes().empty() && none.slices(0).empty() && none.get() == nullptr);
    CHECK(none.write("chrome", bytes, why) != PROF_OK && !none.snapshot(why));
    CHECK(none.write_file("chrome", "/no/such/folder/file", why) != PROF_OK);
    CHECK_STR(bytes.c_str(), "as it was");
    CHECK_STR(none.tracks()[5].name, "");
    CHECK_STR(none.processes()[UINT64_MAX].name, "");
}

/* ---- timelines ---- */

static char blocks[100];

TEST(memory_is_counted_by_place_and_a_leak_is_named)
{
    profcore::error why;
    profcore::memory counted("arena", why), same("arena", why), nothing;
    CHECK(counted && same && !nothing && why.status() == PROF_OK);
    nothing.allocated(blocks, 8);
    profcore::memory_mark();
    check_clean(record([&counted, &same] {
        profcore::scope scope(PROF_SITE("keeps"));
        for (int i = 0; i < 5; i++)
            counted.allocated(&blocks[i], 16);
        CHECK_I64(static_cast<std::int64_t>(same.freed(&blocks[4])), 16);
    }));
    CHECK_I64(profcore::memory_check(5, why), PROF_OK);
    CHECK_I64(profcore::memory_check(4, why), PROF_E_LIMIT);
    CHECK_HAS(why.what(), "4 blocks (64 B) of arena");
    const profcore::snapshot taken = profcore::snapshot::take(why);
    bool is_found = false;
    CHECK_I64(static_cast<std::int64_t>(taken.memories().size()), 1);
    for (const profcore::memory_row &row : taken.memories())
        CHECK(std::strcmp(row.name, "arena") == 0 && row.live_bytes == 64 && row.allocated_count == 5);
    for (const profcore::place_row &row : taken.places())
        is_found |= std::strcmp(row.path, LIVE ? "keeps" : "") == 0 && row.live_count == 4 && row.is_marked == 1;
    CHECK(is_found);
    for (char &block : blocks)
        counted.freed(&block);
    profcore::error refused;
    CHECK(!profcore::memory("", refused));
    CHECK_I64(refused.status(), PROF_E_INVALID);
}

TEST(a_timeline_becomes_a_table)
{
    record([] {
        profcore::scope outer(PROF_SITE("outer of the timeline"));
        profcore::scope inner(PROF_SITE("inner of the timeline"));
    });
    profcore::error why;
    profcore::timeline seen = timeline_now();
    if (!LIVE)
        return;
    REQUIRE(bool(seen));
    CHECK_STR(seen.about().producer, "profcore");
    CHECK_U64(seen.processes().size(), 1);
    CHECK_I64(seen.processes()[0].pid, profcore::snapshot::take(why).about().pid);
    const profcore::slice outer = slice_named(seen, "outer of the timeline"), inner = slice_named(seen, "inner of the timeline");
    CHECK_U64(inner.depth, outer.depth + 1);
    CHECK(inner.start_ns >= outer.start_ns && inner.end_ns <= outer.end_ns && inner.has_ended());
    profcore::function found;
    CHECK(seen.snapshot(why).find("inner of the timeline", found));
    CHECK_U64(found.calls, 1);
    profcore::snapshot table = seen.snapshot(why);
    std::string with, without;
    CHECK_I64(table.write("html", nullptr, without, why), PROF_OK);
    CHECK_I64(seen.add_slowest(table, why), PROF_OK);
    CHECK_I64(table.write("html", nullptr, with, why), PROF_OK);
    CHECK(without.find("\"slowest\": null") != std::string::npos && with.find("\"slowest\": null") == std::string::npos);

    profcore::timeline moved(std::move(seen));
    CHECK(moved && !seen); /* NOLINT */
    seen = std::move(moved);
    CHECK(seen && !moved); /* NOLINT */
    prof_timeline_close(seen.release());
    CHECK(!seen);
}

#if PROF_CPP_THROWS_
TEST(the_throwing_forms_throw_what_the_others_say)
{
    record_calls(1);
    int caught = 0;
    const profcore::snapshot taken = profcore::snapshot::take();
    const std::string json = taken.write("json");
    const profcore::snapshot again = profcore::snapshot::read(json);
    CHECK_U64(profcore::snapshot::merge({ &taken, &again }).about().process_count, 2);
    CHECK(bool(taken.subtract_cost()));
    profcore::counter named("a counter that throws");
    try {
        profcore::snapshot::read("no profile", "its name");
    } catch (const profcore::error &why) {
        CHECK_HAS(why.what(), "its name");
        caught++;
    }
    try {
        profcore::snapshot::read_file("/no/such/file");
    } catch (const profcore::error &why) {
        CHECK_I64(why.status(), PROF_E_IO);
        caught++;
    }
    try {
        profcore::snapshot::merge(std::vector<profcore::snapshot>());
    } catch (const profcore::error &) {
        caught++;
    }
    try {
        taken.subtract_cost().subtract_cost();
    } catch (const profcore::error &) {
        caught++;
    }
    try {
        profcore::timeline::read_file("/no/such/file");
    } catch (const profcore::error &why) {
        CHECK_I64(why.status(), PROF_E_IO);
        caught++;
    }
    try {
        profcore::counter nameless("");
    } catch (const profcore::error &why) {
        CHECK_I64(why.status(), PROF_E_INVALID);
        caught++;
    }
    try {
        profcore::timeline().write("chrome");
    } catch (const profcore::error &) {
        caught++;
    }
    try {
        profcore::timeline().write_file("chrome", "/no/such/folder/file");
    } catch (const profcore::error &) {
        caught++;
    }
    try {
        profcore::timeline().snapshot();
    } catch (const profcore::error &) {
        caught++;
    }
    try {
        profcore::timeline::read(nullptr, 0);
    } catch (const profcore::error &) {
        caught++;
    }
    try {
        profcore::memory nameless("");
    } catch (const profcore::error &why) {
        CHECK_I64(why.status(), PROF_E_INVALID);
        caught++;
    }
    try {
        profcore::memory_check(0);
    } catch (const profcore::error &) {
        caught++;
    }
    CHECK_I64(caught, 12);
}
#endif

int main(int argc, char **argv) { return test_main(argc, argv); }
