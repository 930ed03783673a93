#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every way to end a program, with scopes wherever it can still run.

usage: ends_check.py ENDS_MAIN [SANITIZED]
"""
import collections
import json
import os
import signal
import sys

from exits_common import calls_in, drafts, results, run, summary
from tap_cases import case, check, finish

program, sanitized = os.path.abspath(sys.argv[1]), sys.argv[2:] != [""]
# Before ours nothing is recorded yet; what runs after ours is not in the file any more.  Of two keys whose destructors
# run in three rounds each, the one after ours comes too late in the third: that scope counts as lost.
ALWAYS = {"constructor": 1, "in_main": 1, "thread_main": 1, "key_destructor": 5}
AT_END = {"at_exit": 1, "destructor": 1}


def end(folder, mode, **variables):
    done = run(folder, program, mode, limit_s=60, **{"PROFCORE": "1", **variables})
    check(not drafts(folder), drafts(folder))
    for path in results(folder):
        if not path.endswith(".trace.json"):
            calls_in(path)
    return done


def slices_in(path):
    with open(path, encoding="utf-8") as text:
        return dict(collections.Counter(event["name"] for event in json.load(text)["traceEvents"] if event["ph"] == "B"))


def ends_normally(folder, mode, wanted, code=7, **variables):
    done = end(folder, mode, **variables)
    check(done.returncode == code and done.stdout.endswith("after all\n"), done)
    check(summary(folder) == wanted, (summary(folder), wanted))


@case("scopes_count_from_the_first_constructor_to_the_last_destructor_and_harm_nothing_before_and_after")
def _(folder):
    ends_normally(folder, "once", {**ALWAYS, **AT_END})


@case("a_program_may_start_before_the_librarys_own_constructor")
def _(folder):
    ends_normally(folder, "start", {**ALWAYS, **AT_END, "before_all_started": 1}, PROFCORE="")


@case("without_a_start_every_call_before_in_and_after_main_is_harmless")
def _(folder):
    done = end(folder, "once", PROFCORE="")
    check(done.returncode == 7 and done.stdout == "after all\n" and not results(folder), done)


@case("scopes_after_the_stop_are_not_recorded_and_one_open_at_the_stop_is_to_its_end")
def _(folder):
    done = end(folder, "stopped", PROFCORE="")
    check(done.returncode == 7, done)
    check(summary(folder) == {"while_started": 1, "open_at_stop": 1}, summary(folder))


@case("threads_that_still_record_when_main_returns_do_no_harm")
def _(folder):
    done = end(folder, "detached")
    check(done.returncode == 7, done)
    found = summary(folder)
    check(found.pop("for_ever") > 0 and found == {**ALWAYS, **AT_END}, found)


@case("a_main_thread_that_exits_leaves_the_last_thread_to_save")
def _(folder):
    # Exit handlers then run on a thread whose data has been handed over: scopes there count as lost.
    ends_normally(folder, "main_exits", {**ALWAYS, "thread_main": 2, "key_destructor": 7}, code=0)
    with open(results(folder, "*.json")[0], encoding="utf-8") as file:
        losses = json.load(file)["losses"]
    check(losses["lost"] == len(AT_END) + 2, losses)


@case("threads_of_the_librarys_own_do_not_keep_a_process_whose_own_are_gone")
def _(folder):
    for variables in ({"PROFCORE_SAVE_EVERY": "3600"}, {"PROFCORE_RSS_EVERY": "60000"}, {"PROFCORE_SIGNALS": "TERM"},
                      {"PROFCORE_SLOW": "in_main=100000"}, {"PROFCORE_CONTROL": os.path.join(folder, "control")},
                      {"PROFCORE_MODE": "stream", "PROFCORE_FORMATS": "json,chrome"},
                      {"PROFCORE_SAVE_EVERY": "3600", "PROFCORE_RSS_EVERY": "2", "PROFCORE_SAVE_IF": "in_main/1"}):
        place = os.path.join(folder, "-".join(variables))
        os.mkdir(place)
        # Exit handlers run on such a thread, which had not recorded anything.
        done = end(place, "main_exits", PROFCORE_NAME="run", **variables)
        check(done.returncode == 0 and done.stdout.endswith("after all\n"), done)
        wanted = {**ALWAYS, **AT_END, "thread_main": 2, "key_destructor": 7}
        check(summary(place, "run_*[0-9].json") == wanted, results(place))
        for path in results(place, "*.trace.json"):
            check(slices_in(path) == wanted, f"{path}: {slices_in(path)}")


@case("quick_exit_saves_as_exit_does")
def _(folder):
    done = end(folder, "quick_exit")
    check(done.returncode == 7, done)
    check(summary(folder) == {**ALWAYS, "at_quick": 1}, summary(folder))


@case("after__exit_and_abort_nothing_was_written")
def _(folder):
    check(end(folder, "_exit").returncode == 7 and not results(folder), results(folder))
    check(end(folder, "abort").returncode == -signal.SIGABRT and not results(folder), results(folder))


@case("what_was_saved_before_an_abort_stays_whole")
def _(folder):
    check(end(folder, "save_and_abort").returncode == -signal.SIGABRT, "no abort")
    check(len(results(folder)) == 3 and summary(folder) == ALWAYS, results(folder))


finish()
