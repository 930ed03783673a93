/* SPDX-License-Identifier: Apache-2.0 */
/* The same macros in C++, and what only C++ has: exceptions, lambdas, templates, members. */
#include "macros_body.h"

static int thrown_through()
{
    PROF_SCOPE("thrown through") { throw 5; }
    return 0;
}

template <typename T> static T in_template(T value)
{
    PROF_FUNCTION();
    return value;
}

struct service {
    int answer() const
    {
        PROF_FUNCTION();
        auto inner = [] {
            PROF_BLOCK("lambda");
            return 1;
        };
        return inner();
    }
};

static void check_cpp()
{
    prof_options options = PROF_OPTIONS_INIT;
    prof_snapshot *snapshot = nullptr;
    int caught = 0;
    options.flags = PROF_NO_FILES;
    if (prof_start(&options, nullptr) != PROF_OK)
        return;
    try {
        thrown_through();
    } catch (int value) {
        caught = value;
    }
    check(caught == 5 && in_template(2.5) > 2 && in_template(3) == 3 && service().answer() == 1,
          "exceptions_lambdas_templates_and_members_work");
    prof_stop(nullptr);
    prof_snapshot_take(&snapshot, nullptr);
#if !defined(PROF_DISABLE)
    check(calls_of(snapshot, "thrown through") == 1 && calls_of(snapshot, "in_template") == 2 &&
              calls_of(snapshot, "lambda") == 1 && calls_of(snapshot, "answer") == 1,
          "and_record_their_scopes");
#endif
    prof_snapshot_close(snapshot);
}

int main()
{
    check_cpp();
    return run_checks();
}
