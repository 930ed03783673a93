# SPDX-License-Identifier: Apache-2.0
"""Scopes as NVTX ranges: what a tool of the test's own receives, held against the run's own tables.

    ranges_check.py INJECTION RANGES_MAIN RANGES_MAIN_INLINE RANGES_MAIN_DISABLED VICTIM
"""
import collections
import glob
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "support"))
from tap_cases import Skip, case, check, clean_environment, equal, finish

GUARD_S = 120
Line = collections.namedtuple("Line", "what pid tid domain text category payload")

if len(sys.argv) == 1:
    print("1..0 # SKIP built without the headers of NVTX")
    sys.exit(0)
injection, plain, inline, disabled, victim = map(os.path.abspath, sys.argv[1:])


def run(folder, program, name, code=0, **variables):
    """What the program said on stderr, and what the tool has written down."""
    log = os.path.join(folder, "log")
    tool = {"NVTX_INJECTION64_PATH": injection, "INJECTION_LOG": log, "PROFCORE_FORMATS": "json"}
    wanted = {name: value for name, value in {**tool, **variables}.items() if value is not None}
    clean = {name: value for name, value in clean_environment().items() if not name.startswith(("NVTX", "INJECTION"))}
    done = subprocess.run([program, name], cwd=folder, env={**clean, **wanted}, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=GUARD_S)
    equal(done.returncode, code, f"status of {name}: {done.stderr}")
    if not os.path.exists(log):
        return done.stderr, []
    with open(log, encoding="utf-8") as lines:
        return done.stderr, [Line(*line.rstrip("\n").split("\t")) for line in lines]


def ranges_of(lines, domain="profcore"):
    """How many ranges of each name there were; each thread's are to be balanced, and none to end that has not begun."""
    count, depth = collections.Counter(), collections.Counter()
    for line in lines:
        if line.domain == domain and line.what == "push":
            count[line.text] += 1
            depth[line.pid, line.tid] += 1
        elif line.domain == domain and line.what == "pop":
            depth[line.pid, line.tid] -= 1
            check(depth[line.pid, line.tid] >= 0, "a pop too many")
    check(not any(depth.values()), f"left open: {+depth}")
    return count


def table(folder):
    """The calls of each function in the files that the run has left."""
    calls = collections.Counter()
    for path in glob.glob(os.path.join(folder, "profiling_results", "*.json")):
        with open(path, encoding="utf-8") as text:
            for function in json.load(text)["functions"]:
                calls[function["name"]] += function["calls"]
    return calls


def balanced(name, **expected):
    """Each build's ranges are balanced, and as many as the table of the run has calls."""
    for program in (plain, inline):
        @case(f"{name}_{os.path.basename(program)}_leaves_balanced_ranges_as_many_as_calls")
        def _(folder):
            _, lines = run(folder, program, name, PROFCORE="1", PROFCORE_MEMORY="1MiB" if name == "lost" else "64MiB")
            count = ranges_of(lines)
            equal(dict(count), dict(table(folder)), "ranges")
            for scope, calls in expected.items():
                equal(count[scope.replace("_", " ")], calls, scope)


balanced("nested", outer=10, inner=10, sibling=10)
balanced("recursion", recurse=200)
balanced("phases", request=10, tokenize=10, embed=10, search=10)
balanced("jumps", around=10, far=10, farther=10)
balanced("thread_exits", left_open=10, left_open_inside=10)
balanced("cancelled", cancelled=10, pending=100)
balanced("anywhere")
balanced("sampled", sampled=200)
balanced("measured", measured=10, kept=10)
balanced("lost")
balanced("interrupted")
balanced("instants")


@case("lost_scopes_are_no_ranges")
def _(folder):
    said, lines = run(folder, plain, "lost", PROFCORE="1", PROFCORE_MEMORY="1MiB")
    check(sum(ranges_of(lines).values()) < 12 << 12, f"none was lost: {said}")


@case("what_records_inside_the_tool_is_lost_and_the_tool_is_not_told")
def _(folder):
    _, lines = run(folder, plain, "reentered", PROFCORE="1", INJECTION_RAISES="1")
    equal(dict(ranges_of(lines)), {"handler": 1, "outer": 10, "inner": 10, "sibling": 10}, "ranges")
    equal(table(folder)["handler"], 1, "recorded")


@case("a_scope_is_a_registered_string_in_the_category_of_its_file")
def _(folder):
    _, lines = run(folder, plain, "nested", PROFCORE="1")
    equal([line.text for line in lines if line.what == "domain"], ["profcore"], "domains")
    equal(sorted(line.text for line in lines if line.what == "string"), ["inner", "outer", "sibling"], "strings")
    (category,) = [line for line in lines if line.what == "category"]
    check(category.text.endswith("ranges_main.c"), f"category {category}")
    equal({line.category for line in lines if line.what == "push"}, {category.category}, "categories")


@case("items_are_marks_with_a_payload_in_their_range")
def _(folder):
    _, lines = run(folder, plain, "nested", PROFCORE="1")
    marks = [(line.text, int(line.payload)) for line in lines if line.what == "mark"]
    equal(marks, [mark for i in range(1, 11) for mark in (("tokens", i), ("items", 3))], "marks")
    events = "".join(line.what[:2] for line in lines if line.what in ("push", "pop", "mark"))
    equal(events, ("pu" + "pumapo" * 2 + "po") * 10, "order")


@case("threads_have_their_names")
def _(folder):
    _, lines = run(folder, plain, "nested", PROFCORE="1")
    (thread,) = [line for line in lines if line.what == "domain thread"]
    equal((thread.text, thread.payload, thread.domain), ("ranges_main", thread.tid, "profcore"), "the main thread")


@case("a_name_that_the_program_gave_its_thread_stays")
def _(folder):
    _, lines = run(folder, plain, "names_its_thread", PROFCORE="1")
    equal([line.text for line in lines if line.what == "thread"], ["the program's name"], "names")
    equal(len([line for line in lines if line.what == "domain thread"]), 1, "ours is in our domain")


@case("instants_are_marks")
def _(folder):
    _, lines = run(folder, plain, "instants", PROFCORE="1")
    equal([line.text for line in lines if line.what == "mark"], ["cache miss"] * 10, "marks")


@case("spans_start_and_end_also_where_they_overlap")
def _(folder):
    _, lines = run(folder, plain, "spans", PROFCORE="1")
    started = {line.payload: line.text for line in lines if line.what == "start"}
    ended = [started[line.payload] for line in lines if line.what == "end"]
    equal(ended[:3], ["wait", "wait", "work"], "ended")
    check(all(text == "never ends" for text in ended[3:]), "others ended")
    equal(len(started), 5003, "started")
    equal(len(ended) - 3, 5000 - 4096, "those that there was no room for")


@case("operators_are_ranges_by_their_text")
def _(folder):
    _, lines = run(folder, plain, "operators", PROFCORE="1")
    equal(dict(ranges_of(lines)), {"aten::add": 10, "aten::mul": 1}, "ranges")
    equal([line.text for line in lines if line.what == "category"], ["rt"], "categories")


@case("ranges_are_balanced_where_a_stop_comes_between")
def _(folder):
    _, lines = run(folder, plain, "stopped")
    equal(dict(ranges_of(lines)), {"before": 1, "open at the stop": 1, "again": 1}, "ranges")
    equal([line.what for line in lines if line.what in ("start", "end")], ["start", "end"], "spans")
    equal(sorted(table(folder)), ["again", "before", "open at the stop"], "functions")


@case("a_forked_child_tells_of_its_own_scopes_only")
def _(folder):
    _, lines = run(folder, plain, "forks", PROFCORE="1")
    count = ranges_of(lines)
    equal(dict(count), {"around the fork": 1, "in the child": 1, "in the parent": 1}, "ranges")
    equal(len({line.pid for line in lines if line.what == "push"}), 2, "processes")


@case("without_profcore_in_the_environment_a_tool_gets_ranges_and_nothing_is_written")
def _(folder):
    said, lines = run(folder, plain, "nested")
    equal(dict(ranges_of(lines)), {"outer": 10, "inner": 10, "sibling": 10}, "ranges")
    equal((said, os.listdir(folder)), ("", ["log"]), "what was said and left")


@case("profcore_0_and_profcore_nvtx_0_tell_nobody")
def _(folder):
    for variables in ({"PROFCORE": "0"}, {"PROFCORE_NVTX": "0"}, {"PROFCORE_NVTX": "0", "PROFCORE": "1"}):
        _, lines = run(folder, plain, "nested", **variables)
        equal([line.what for line in lines], [], f"told with {variables}")
    equal(dict(table(folder)), {"outer": 10, "inner": 10, "sibling": 10}, "the last one's table")


@case("a_tool_that_cannot_be_loaded_or_refuses_is_none")
def _(folder):
    for variables in ({"NVTX_INJECTION64_PATH": "/nowhere.so"}, {"INJECTION_REFUSES": "1"}):
        said, lines = run(folder, plain, "nested", **variables)
        check(all(line.what == "loaded" for line in lines), f"told {lines[:3]}")
        equal((said, os.path.exists(os.path.join(folder, "profiling_results"))), ("", False), "said, and recorded")
    _, lines = run(folder, plain, "nested", PROFCORE="1", INJECTION_REFUSES="1")
    check(all(line.what == "loaded" for line in lines), f"told {lines[:3]}")
    equal(table(folder)["outer"], 10, "recorded")


@case("a_program_that_is_compiled_without_scopes_has_no_ranges")
def _(folder):
    _, lines = run(folder, disabled, "nested", PROFCORE="1")
    equal(sum(ranges_of(lines).values()), 0, "ranges")


@case("the_programs_own_ranges_stay_as_they_are")
def _(folder):
    _, lines = run(folder, plain, "own", PROFCORE="1")
    events = [(line.what, line.domain, line.text) for line in lines if line.what in ("push", "pop")]
    equal(events, [("push", "", "mine"), ("push", "profcore", "ours"), ("push", "", "mine inside"), ("pop", "", ""),
                   ("pop", "profcore", ""), ("pop", "", "")], "ranges")
    equal(dict(table(folder)), {"ours": 1}, "table")


@case("a_program_with_more_rights_than_its_caller_loads_no_tool")
def _(folder):
    if os.geteuid() != 0:
        raise Skip("only root can make a set-user-id program of another user")
    _, lines = run(folder, victim, "plain")
    check([line for line in lines if line.what == "loaded"], "it is not loaded anyway")
    os.remove(os.path.join(folder, "log"))
    copy = os.path.join(folder, "victim")
    shutil.copy(victim, copy)
    os.chown(copy, 65534, 65534)
    os.chmod(copy, 0o4755)
    os.chmod(folder, 0o777)
    try:
        _, lines = run(folder, copy, "plain")
    except AssertionError as error:
        raise Skip("LeakSanitizer cannot run in such a program") if "LeakSanitizer" in str(error) else error
    equal(lines, [], "the tool was told")


finish()
