/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small service in C++: PROFCORE=1 ./cpp_service
 *
 * It keeps an index of documents and answers requests by their route.  Shown
 * are scopes with the name of their class, phases, a site for each route,
 * which is known at run time only, exceptions that leave scopes, and a
 * snapshot that the program reads itself.
 */
#include <cstdio>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <profcore/profcore.hpp>

namespace example {

struct request {
    std::string route, body;
};

class index {
public:
    void add(const std::string &text)
    {
        PROF_METHOD(); /* "example::index::add" */
        std::istringstream words(text);
        std::string word;
        std::size_t count = 0;
        for (; words >> word; count++)
            documents_with_[word].insert(size_);
        size_++;
        PROF_ITEMS_UNIT(count, "words");
    }

    std::size_t count(const std::string &word) const
    {
        PROF_METHOD();
        const auto found = documents_with_.find(word);
        return found == documents_with_.end() ? 0 : found->second.size();
    }

private:
    std::map<std::string, std::set<std::size_t>> documents_with_;
    std::size_t size_ = 0;
};

class service {
public:
    std::string handle(const request &asked)
    {
        profcore::scope whole(site_of(asked.route));
        profcore::scope step(PROF_SITE("check"));
        if (asked.body.empty())
            throw std::invalid_argument(asked.route + " without a body"); /* both scopes end */
        step.phase(PROF_SITE("work"));
        std::string answer = "added";
        if (asked.route == "POST /documents")
            index_.add(asked.body);
        else
            answer = std::to_string(index_.count(asked.body));
        step.phase(PROF_SITE("render"));
        return "{\"answer\": \"" + answer + "\"}";
    }

private:
    /* Asked for once: to find a site by name takes a lock and a search. */
    profcore::site site_of(const std::string &route)
    {
        const auto known = sites_.find(route);
        if (known != sites_.end())
            return known->second;
        profcore::error why;
        const profcore::site made(route, why); /* none on failure: the request goes on without a scope */
        return sites_[route] = made;
    }

    index index_;
    std::map<std::string, profcore::site> sites_;
};

/* What the service can tell about itself, without a file. */
static void report()
{
    profcore::error why;
    const profcore::snapshot taken = profcore::snapshot::take(why);
    if (!taken)
        std::fprintf(stderr, "cpp_service: no report: %s\n", why.what());
    std::printf("%-24s %8s %10s\n", "route", "calls", "p99");
    for (const profcore::function &row : taken) {
        std::uint64_t ns = 0;
        if (row.file != nullptr) /* not one of a run-time name */
            continue;
        std::printf("%-24s %8llu ", row.name, static_cast<unsigned long long>(row.calls));
        if (taken.percentile(row.id, 0.99, ns))
            std::printf("%7.1f us\n", static_cast<double>(ns) / 1000.0);
        else
            std::printf("%10s\n", "-"); /* too few calls */
    }
}

static void serve()
{
    PROF_METHOD();
    service served;
    std::size_t answered = 0, refused = 0;
    for (int i = 0; i < 2000; i++) {
        const std::string number = std::to_string(i % 50);
        const request requests[] = { { "POST /documents", "word" + number + " and some other words" },
                                     { "GET /count", "word" + number },
                                     { "GET /count", i % 100 == 0 ? "" : "words" } };
        for (const request &each : requests)
            try {
                served.handle(each);
                answered++;
            } catch (const std::invalid_argument &) {
                refused++;
            }
    }
    std::printf("%zu requests answered, %zu refused\n", answered, refused);
}

} // namespace example

int main()
{
    profcore::options how;
    how.flags = PROF_NO_FILES; /* files only where the environment asks for them */
    profcore::error why;
    profcore::recorder recording(how, why);
    if (!recording)
        std::fprintf(stderr, "cpp_service: not profiled: %s\n", why.what());
    example::serve();
    if (recording)
        example::report();
    return 0;
}
