/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profcore.hpp: what scopes record as they are moved, thrown through, ended
 * twice and kept in containers; what throws and what does not.  Built in
 * each standard, with PROF_DISABLE, and without exceptions and RTTI: where
 * scopes are compiled away nothing is recorded and all else is the same.
 */
#include "cpp_test.h"

#include <cstdlib>
#include <memory>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

static profcore::function row(const char *name)
{
    profcore::error why;
    profcore::function found;
    profcore::snapshot::take(why).find(name, found);
    found.name = found.file = found.items_unit = ""; /* they went with the snapshot */
    return found;
}

/* Calls of a function as called by another one. */
static std::uint64_t calls_from(const char *caller, const char *name)
{
    profcore::error why;
    profcore::function found;
    const profcore::snapshot taken = profcore::snapshot::take(why);
    if (taken.find(name, found))
        for (const profcore::function &edge : taken.callers(found.id))
            if (std::strcmp(edge.name, caller) == 0)
                return edge.calls;
    return 0;
}

static void check_calls(const char *name, std::uint64_t ended, std::uint64_t open = 0)
{
    const profcore::function found = row(name);
    CHECK_U64(found.calls, (ended + open) * LIVE);
    CHECK_U64(found.open_calls, open * LIVE);
    if (found.calls != (ended + open) * LIVE)
        std::printf("# that was \"%s\"\n", name);
}

/* ---- scopes ---- */

static_assert(!std::is_copy_constructible<profcore::scope>::value && !std::is_copy_assignable<profcore::scope>::value,
              "a scope has one owner");
static_assert(std::is_nothrow_move_constructible<profcore::scope>::value &&
                  std::is_nothrow_move_assignable<profcore::scope>::value,
              "containers move scopes");
static_assert(sizeof(profcore::scope) == sizeof(prof_scope) && sizeof(profcore::site) == sizeof(void *), "one word");
static_assert(!std::is_constructible<profcore::scope, const char *>::value, "a name is no site");
static_assert(!std::is_copy_constructible<profcore::snapshot>::value, "a snapshot has one owner");
static_assert(!std::is_copy_constructible<profcore::recorder>::value, "a recorder has one owner");

TEST(a_scope_ends_with_its_block)
{
    check_clean(record([] {
        for (int i = 0; i < 3; i++) {
            profcore::scope outer(PROF_SITE("block"));
            CHECK(bool(outer) == bool(LIVE));
            profcore::scope inner(PROF_SITE("block inside"));
        }
    }));
    check_calls("block", 3);
    check_calls("block inside", 3);
    CHECK_U64(calls_from("block", "block inside"), 3 * LIVE);
}

TEST(a_scope_ends_once_however_often_it_is_ended)
{
    check_clean(record([] {
        profcore::scope outer(PROF_SITE("around the one ended twice"));
        profcore::scope twice(PROF_SITE("ended twice"));
        twice.end();
        CHECK(!twice);
        twice.end();
        check_calls("ended twice", 1);
        check_calls("around the one ended twice", 0, 1);
    }));
    check_calls("ended twice", 1);
    check_calls("around the one ended twice", 1);
}

static int returns_early(bool is_early)
{
    profcore::scope whole(PROF_SITE("returns early"));
    if (is_early)
        return 1;
    profcore::scope rest(PROF_SITE("the rest"));
    return 2;
}

TEST(an_early_return_ends_its_scopes)
{
    check_clean(record([] { CHECK_I64(returns_early(true) + returns_early(false) + returns_early(true), 4); }));
    check_calls("returns early", 3);
    check_calls("the rest", 1);
}

TEST(phases_follow_each_other_without_a_gap)
{
    check_clean(record([] {
        profcore::scope around(PROF_SITE("around phases"));
        profcore::scope step(PROF_SITE("phase 1"));
        step.phase(PROF_SITE("phase 2"));
        step.phase(PROF_SITE("phase 3"));
        CHECK(bool(step) == bool(LIVE));
        step.phase(profcore::site());
        CHECK(!step);
        step.phase(PROF_SITE("phase 4"));
    }));
    const char *const names[] = { "phase 1", "phase 2", "phase 3", "phase 4" };
    for (const char *name : names) {
        check_calls(name, 1);
        CHECK_U64(calls_from("around phases", name), LIVE);
    }
}

TEST(a_moved_scope_ends_once_and_where_it_came_to)
{
    check_clean(record([] {
        profcore::scope kept;
        {
            profcore::scope made(PROF_SITE("moved"));
            profcore::scope constructed(std::move(made));
            CHECK(!made); /* NOLINT: it is what is tested */
            kept = std::move(constructed);
            CHECK(!constructed);
        }
        check_calls("moved", 0, 1);
        kept.end();
        check_calls("moved", 1);
    }));
}

TEST(assigning_ends_the_scope_that_was_held)
{
    check_clean(record([] {
        profcore::scope outer(PROF_SITE("assigned from")), held(PROF_SITE("assigned over"));
        held = profcore::scope();
        check_calls("assigned over", 1);
        held = std::move(outer);
        check_calls("assigned from", 0, 1);
    }));
    check_calls("assigned from", 1);
}

TEST(a_scope_assigned_to_itself_stays_open)
{
    check_clean(record([] {
        profcore::scope self(PROF_SITE("assigned to itself")), &alias = self;
        self = std::move(alias);
        CHECK(bool(self) == bool(LIVE));
        check_calls("assigned to itself", 0, 1);
    }));
    check_calls("assigned to itself", 1);
}

static profcore::scope made_elsewhere()
{
    return profcore::scope(PROF_SITE("returned"));
}

struct request {
    profcore::scope whole;
    request() : whole(PROF_SITE("member")) {}
};

TEST(functions_return_scopes_and_classes_hold_them)
{
    check_clean(record([] {
        std::unique_ptr<request> held(new request);
        {
            profcore::scope got = made_elsewhere();
            check_calls("returned", 0, 1);
        }
        check_calls("returned", 1);
        check_calls("member", 0, 1);
        held.reset();
        check_calls("member", 1);
    }));
    CHECK_U64(calls_from("member", "returned"), LIVE);
}

TEST(a_vector_grows_and_is_emptied_from_the_back)
{
    check_clean(record([] {
        std::vector<profcore::scope> stack;
        for (int i = 0; i < 20; i++)
            stack.emplace_back(PROF_SITE("in a vector"));
        check_calls("in a vector", 0, 20);
        while (!stack.empty())
            stack.pop_back();
    }));
    check_calls("in a vector", 20);
    CHECK_U64(calls_from("in a vector", "in a vector"), 19 * LIVE);
}

TEST(scopes_ended_from_the_outermost_are_repaired_and_each_counts_once)
{
    const profcore::stats counts = record([] {
        std::vector<profcore::scope> stack;
        for (int i = 0; i < 5; i++)
            stack.emplace_back(PROF_SITE("wrong order"));
        for (profcore::scope &each : stack)
            each.end();
    });
    CHECK_U64(counts.repaired_count, 4 * LIVE);
    CHECK_U64(counts.unmatched_count, 4 * LIVE);
    check_calls("wrong order", 5);
}

TEST(a_scope_moved_to_another_thread_ends_nothing_there)
{
    const profcore::stats counts = record([] {
        profcore::scope around(PROF_SITE("around the one that left"));
        profcore::scope leaving(PROF_SITE("left its thread"));
        std::thread([](profcore::scope arrived) { arrived.end(); }, std::move(leaving)).join();
        check_calls("left its thread", 0, 1);
    });
    CHECK_U64(counts.unmatched_count, LIVE);
    CHECK_U64(counts.repaired_count, LIVE);
    check_calls("left its thread", 1);
    check_calls("around the one that left", 1);
}

TEST(a_released_token_is_the_callers_to_end)
{
    check_clean(record([] {
        profcore::scope owner(PROF_SITE("released"));
        const prof_scope token = owner.release();
        owner.end();
        check_calls("released", 0, 1);
        prof_end(token);
    }));
    check_calls("released", 1);
}

TEST(a_stopped_recorder_records_nothing)
{
    {
        profcore::scope never(PROF_SITE("while stopped"));
        CHECK(!never);
        never.phase(PROF_SITE("while stopped"));
        CHECK(!never);
        PROF_METHOD();
    }
    check_clean(record([] { profcore::scope none((profcore::site())); }));
    check_calls("while stopped", 0);
}

TEST(a_scope_open_when_recording_stops_is_recorded_to_its_end)
{
    profcore::scope left;
    record([&left] { left = profcore::scope(PROF_SITE("outlasts the recorder")); });
    check_calls("outlasts the recorder", 0, 1);
    left.end();
    check_calls("outlasts the recorder", 1);
}

#if PROF_CPP_THROWS_
/* ---- exceptions ---- */

static void throws_at(int depth)
{
    profcore::scope level(PROF_SITE("thrown through"));
    if (depth == 0)
        throw depth;
    PROF_BLOCK("and a macro's");
    throws_at(depth - 1);
}

TEST(an_exception_ends_the_scopes_that_it_passes)
{
    check_clean(record([] {
        profcore::scope around(PROF_SITE("catches"));
        for (int i = 0; i < 10; i++)
            try {
                throws_at(3);
                CHECK(0);
            } catch (int) {
                profcore::scope handling(PROF_SITE("handles"));
            }
    }));
    check_calls("thrown through", 40);
    check_calls("and a macro's", 30);
    check_calls("handles", 10);
    check_calls("catches", 1);
    CHECK_U64(calls_from("catches", "handles"), 10 * LIVE);
    CHECK_U64(calls_from("catches", "thrown through"), 10 * LIVE);
}

struct half_made {
    profcore::scope first;
    half_made() : first(PROF_SITE("member of what was never made"))
    {
        profcore::scope in_constructor(PROF_SITE("in its constructor"));
        throw 1;
    }
};

TEST(a_constructor_that_throws_ends_scopes_and_members)
{
    check_clean(record([] {
        try {
            half_made never;
            CHECK(0);
        } catch (int) {
        }
    }));
    check_calls("member of what was never made", 1);
    check_calls("in its constructor", 1);
}

struct unwinds {
    ~unwinds() { profcore::scope last(PROF_SITE("while unwinding")); }
};

TEST(a_destructor_that_runs_while_unwinding_may_record)
{
    check_clean(record([] {
        try {
            unwinds local;
            throw 1;
        } catch (int) {
        }
    }));
    check_calls("while unwinding", 1);
}

TEST(a_failure_is_thrown_with_its_status_and_text)
{
    int caught = 0;
    try {
        profcore::stop();
    } catch (const std::exception &base) {
        CHECK_HAS(base.what(), "prof_stop");
        caught++;
    }
    try {
        profcore::options how = quiet();
        how.memory_bytes = 1;
        profcore::start(how);
    } catch (const profcore::error &why) {
        CHECK_I64(why.status(), PROF_E_INVALID);
        CHECK(std::strlen(why.what()) > 0);
        caught++;
    }
    try {
        profcore::site nameless("");
    } catch (const profcore::error &why) {
        CHECK_I64(why.status(), PROF_E_INVALID);
        caught++;
    }
    record([] {});
    try {
        profcore::snapshot::take().write("no such format");
    } catch (const profcore::error &why) {
        CHECK_HAS(why.what(), "no such format");
        caught++;
    }
    try {
        profcore::snapshot::take().subtree(1000000);
    } catch (const profcore::error &) {
        caught++;
    }
    try {
        profcore::snapshot::take().write_file("txt", "/no/such/folder/file.txt");
    } catch (const profcore::error &why) {
        CHECK_I64(why.status(), PROF_E_IO);
        caught++;
    }
    CHECK_I64(caught, 6);
}

TEST(a_recorder_that_could_not_start_leaves_none_running)
{
    profcore::options how = quiet();
    how.sort = "no such key";
    try {
        profcore::recorder recording(how);
        CHECK(0);
    } catch (const profcore::error &why) {
        CHECK_HAS(why.what(), "no such key");
    }
    CHECK(!profcore::is_recording());
}

TEST(the_throwing_forms_do_what_they_say_when_nothing_fails)
{
    {
        profcore::recorder recording(quiet());
        profcore::site named(std::string("throwing forms"), PROF_SITE_RSS, "form.cpp", 7);
        profcore::scope open(named);
        open.end();
        recording.stop();
        recording.stop(); /* it has ended */
    }
    profcore::start(quiet());
    profcore::stop();
    const profcore::snapshot taken = profcore::snapshot::take();
    CHECK(taken.write("json").find("\"throwing forms\"") != std::string::npos || !LIVE);
    CHECK(taken.write("txt", "calls").find("Ordered by: call count") != std::string::npos);
    profcore::function found;
    CHECK(taken.find("throwing forms", found) == bool(LIVE));
    if (LIVE) {
        CHECK_STR(found.file, "form.cpp");
        CHECK_U64(found.line, 7);
        CHECK_U64(taken.subtree(found.id).size(), 1);
    }
}
#endif

/* ---- failures without exceptions ---- */

TEST(a_failure_is_told_where_nothing_is_thrown)
{
    profcore::error why;
    CHECK_I64(why.status(), PROF_OK);
    CHECK_I64(profcore::stop(why), PROF_E_INVALID);
    CHECK_I64(why.status(), PROF_E_INVALID);
    CHECK_HAS(why.what(), "prof_stop");
    const profcore::error copied = why;
    CHECK_STR(copied.what(), why.what());

    profcore::error bad_name, bad_option, bad_format;
    const profcore::site nameless(std::string(), bad_name);
    CHECK(!nameless && bad_name.status() == PROF_E_INVALID);
    profcore::options how = quiet();
    how.sort = "no such key";
    const profcore::recorder recording(how, bad_option);
    CHECK(!recording && !profcore::is_recording());
    CHECK_HAS(bad_option.what(), "no such key");

    std::string bytes = "as it was";
    const profcore::snapshot taken = profcore::snapshot::take(why);
    CHECK_I64(taken.write("no such format", nullptr, bytes, bad_format), PROF_E_INVALID);
    CHECK_STR(bytes.c_str(), "as it was");
    CHECK(!taken.subtree(1000000, why));
    CHECK_I64(taken.write_file("txt", "/no/such/folder/file.txt", why), PROF_E_IO);
}

TEST(an_empty_snapshot_answers_everything)
{
    profcore::snapshot none;
    profcore::function found;
    profcore::error why;
    std::uint64_t ns = 0;
    std::string bytes;
    CHECK(!none && none.empty() && none.get() == nullptr);
    CHECK(none.begin() == none.end());
    CHECK(!none.find("nothing", found) && !none.percentile(0, 0.5, ns));
    CHECK_STR(none[3].name, "");
    CHECK(none.callers(0).empty());
    CHECK(none.write("txt", nullptr, bytes, why) != PROF_OK && !none.subtree(0, why));
}

/* ---- recorders ---- */

TEST(a_recorder_stops_with_its_block_and_nests_by_count)
{
    profcore::error why;
    {
        profcore::recorder outer(quiet(), why);
        {
            profcore::recorder inner(quiet(), why);
            CHECK(profcore::is_recording());
        }
        CHECK(profcore::is_recording());
        profcore::recorder taken(std::move(outer));
        CHECK(taken && !outer); /* NOLINT */
        profcore::recorder over(quiet(), why), &alias = over;
        over = std::move(alias);
        CHECK(over);
        over = std::move(taken);
        CHECK(over && !taken && profcore::is_recording());
        CHECK_I64(over.stop(why), PROF_OK);
        CHECK(!over && !profcore::is_recording());
        CHECK_I64(over.stop(why), PROF_OK);
        CHECK_I64(why.status(), PROF_OK);
    }
    CHECK(!profcore::is_recording());
}

/* ---- results ---- */

TEST(rows_come_by_index_and_by_for)
{
    record([] {
        for (int i = 0; i < 30; i++) {
            profcore::scope counted(PROF_SITE("rows"));
            PROF_ITEMS_UNIT(2, "pieces");
        }
    });
    profcore::error why;
    profcore::snapshot taken = profcore::snapshot::take(why);
    std::uint32_t count = 0;
    for (const profcore::function &each : taken) {
        CHECK_U64(each.id, count);
        CHECK_STR(taken[count].name, each.name);
        count++;
    }
    CHECK_U64(count, taken.size());
    CHECK_STR(taken[count].name, "");
    CHECK_U64(std::distance(taken.begin(), taken.end()), count);

    profcore::function found;
    CHECK(!taken.find("never opened", found));
    CHECK_U64(found.calls, 0);
    if (!LIVE)
        return;
    REQUIRE(taken.find("rows", found));
    std::uint64_t ns = 0, counts[PROF_BUCKET_COUNT], sum = 0;
    CHECK_U64(found.calls, 30);
    CHECK(found.has_all(PROF_FUNCTION_HAS_ITEMS | PROF_FUNCTION_HAS_EXTREMES) && !found.has_all(PROF_FUNCTION_HAS_RSS));
    CHECK_U64(found.items, 60);
    CHECK_STR(found.items_unit, "pieces");
    CHECK(taken.percentile(found.id, 0.5, ns) && ns >= found.min_ns && ns <= found.max_ns);
    CHECK(!taken.percentile(found.id, 0.99, ns)); /* too few calls */
    REQUIRE(taken.histogram(found.id, counts));
    for (std::uint64_t each : counts)
        sum += each;
    CHECK_U64(sum, 30);
    CHECK(taken.counts().memory_used_bytes > 0);

    profcore::snapshot moved(std::move(taken));
    CHECK(moved && !taken && taken.empty()); /* NOLINT */
    taken = std::move(moved);
    CHECK(taken && !moved);
    profcore::snapshot &alias = taken;
    taken = std::move(alias);
    CHECK(taken && taken.size() == count);
    std::string bytes;
    CHECK_I64(taken.write("prof", nullptr, bytes, why), PROF_OK);
    CHECK(bytes.size() > 100);
    prof_snapshot_close(taken.release());
    CHECK(!taken);
}

TEST(a_site_of_a_run_time_name_is_found_again)
{
    profcore::error why;
    const std::string with_zero("nul\0here", 8);
    const profcore::site first(std::string("GET ") + "/users", why), again("GET /users", why), other("GET /", why);
    CHECK(first && first.get() == again.get() && first.get() != other.get());
    CHECK(!profcore::site(with_zero, why));
    check_clean(record([&] {
        for (int i = 0; i < 4; i++)
            profcore::scope handled(i % 2 == 0 ? first : again);
    }));
    check_calls("GET /users", 4);
    static prof_site own = PROF_SITE_INIT("a site of one's own", "own.cpp", 1, 0);
    check_clean(record([&] { profcore::scope opened(own); }));
    check_calls("a site of one's own", 1);
}

/* ---- names ---- */

namespace deep {
namespace {
struct hidden {
    int member() const
    {
        PROF_METHOD();
        return 1;
    }
};
} // namespace
template <typename T> struct holder {
    T held;
    explicit holder(T first) : held(first) { PROF_METHOD_WITH(PROF_SITE_RSS); }
    bool operator<(const holder &other) const
    {
        PROF_METHOD();
        return held < other.held;
    }
    void save() { PROF_METHOD_SAVE(); }
};
static int function()
{
    PROF_METHOD();
    return 1;
}
} // namespace deep

TEST(a_method_is_named_with_its_class_and_namespace)
{
    check_clean(record([] {
        deep::holder<int> one(1), two(2);
        CHECK(one < two && deep::function() + deep::function() == 2 && deep::hidden().member() == 1);
        two.save();
    }));
    check_calls("deep::function", 2);
    profcore::error why;
    const profcore::snapshot taken = profcore::snapshot::take(why);
    unsigned found = 0;
    for (const profcore::function &each : taken) {
        const std::string name = each.name;
        found += name == "deep::holder<T>::holder" || name == "deep::holder<int>::holder" ? 1 : 0;
        found += name == "deep::holder<T>::operator<" || name == "deep::holder<int>::operator<" ? 10 : 0;
        found += name == "deep::{anonymous}::hidden::member" || name == "deep::(anonymous namespace)::hidden::member" ? 100 : 0;
        found += (name == "deep::holder<T>::save" || name == "deep::holder<int>::save") && each.has_all(PROF_FUNCTION_HAS_RSS) ? 1000 : 0;
    }
    CHECK_U64(found, 1111 * LIVE);
}

TEST(the_name_is_cut_out_of_what_either_compiler_writes)
{
    static const struct {
        const char *pretty, *name;
    } cases[] = {
        { "int main()", "main" },
        { "main", "main" },
        { "", "" },
        { "virtual float *ns::encoder::encode(const std::string &, int) const", "ns::encoder::encode" },
        { "std::map<int, std::vector<int> > ns::f(std::map<int, int>)", "ns::f" },
        { "ns::enc<T>::~enc() [with T = std::vector<int>]", "ns::enc<T>::~enc" },
        { "ns::enc<std::vector<int>>::enc(T) [T = std::vector<int>]", "ns::enc<std::vector<int>>::enc" },
        { "bool ns::enc<T>::operator<(const ns::enc<T>&) const [with T = int]", "ns::enc<T>::operator<" },
        { "std::ostream &operator<<(std::ostream &, const ns::a &)", "operator<<" },
        { "void ns::enc::operator()(int)", "ns::enc::operator()" },
        { "T &ns::enc<int>::operator*() [T = int]", "ns::enc<int>::operator*" },
        { "int &ns::vec::operator[](size_t)", "ns::vec::operator[]" },
        { "ns::enc<T>::operator std::function<void(int)>() [with T = int]", "ns::enc<T>::operator std::function<void(int)>" },
        { "static void *ns::enc::operator new(size_t)", "ns::enc::operator new" },
        { "void operators::run()", "operators::run" },
        { "const char *const &ns::(anonymous namespace)::hid::h()", "ns::(anonymous namespace)::hid::h" },
        { "const char* const& ns::{anonymous}::hid::h()", "ns::{anonymous}::hid::h" },
        { "void (* ns::fp(int))(double)", "ns::fp" },
        { "int (&ns::arr())[3]", "ns::arr" },
        { "decltype ((a + 1)) ns::dt(A) [with A = int; decltype ((a + 1)) = int]", "ns::dt" },
        { "decltype(auto) ns::da(int)", "ns::da" },
        { "<dependent type> ns::dt(A) [A = int]", "ns::dt" },
        { "main()::<lambda(auto:1)> [with auto:1 = int]", "main()::<lambda(auto:1)>" },
        { "ns::a::f(int) const::<lambda(int)>", "ns::a::f(int) const::<lambda(int)>" },
        { "auto ns::f(int)::(anonymous class)::operator()(int) const", "ns::f(int)::(anonymous class)::operator()" },
    };
    for (const auto &each : cases) {
        const char *begin = each.pretty, *end = begin;
        profcore::detail::cut_name(begin, end);
        const std::string name(begin, end);
        CHECK_STR(name.c_str(), each.name);
    }
}

int main(int argc, char **argv) { return test_main(argc, argv); }
