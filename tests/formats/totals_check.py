#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every format of one call tree against the figures of its summary: calls, self and cumulative time of each function.

usage: totals_check.py TREE_MAIN CONVERT_MAIN

TREE_MAIN executes a call tree on a simulated clock and writes it in all formats; CONVERT_MAIN reads one and writes
another.
"""
import json
import os
import pstats
import random
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "support"))
from profile_readers import Callgrind, Pprof, callgrind_key, collapsed_name, collapsed_totals, functions_of
from timeline_readers import chrome_totals, nvtxt_totals, pftrace_totals
from tap_cases import case, check, equal, finish

tree_main, convert_main = (os.path.abspath(path) for path in sys.argv[1:])
STACKS = ("pprof", "collapsed")
RUN = ("<tree>", "???")

# A path in the summary.
PARENT, FUNCTION, CALLS, SELF_NS, OPEN_CALLS, ESTIMATED_CALLS = 0, 1, 2, 4, 5, 7


def read_bytes(*path):
    with open(os.path.join(*path), "rb") as file:
        return file.read()


def execute(folder, lines, *arguments):
    subprocess.run([tree_main, folder, *arguments], input="\n".join(lines) + "\n", text=True, check=True)


def convert(form, path):
    return subprocess.run([convert_main, form, path], capture_output=True)


def converted(form, path):
    done = convert(form, path)
    check(done.returncode == 0, done.stderr.decode())
    return done.stdout


def tree(seed, functions, nodes, threads=1, deepest=30):
    """Random scopes: of few functions, so that most call themselves and each other."""
    random_, lines = random.Random(seed), []
    for thread in range(threads):
        lines += ["t"] if thread else []
        depth = 0
        for _ in range(nodes):
            while depth and (depth >= deepest or random_.random() < 0.45):
                lines.append("e")
                depth -= 1
            lines.append(f"b {random_.randrange(functions)}")
            lines += [f"+ {random_.randrange(1, 5_000_000)}"] if random_.random() < 0.8 else []
            lines += [f"i {random_.randrange(1, 100)}"] if random_.random() < 0.2 else []
            depth += 1
        lines += ["e"] * depth + (["j"] if thread else [])
    return lines


def chain(depth, functions):
    return [line for i in range(depth) for line in (f"b {i % functions}", "+ 3")] + ["e"] * depth


TREES = {
    "one function": ["b 1", "+ 7", "e"],
    "no edges": ["b 1", "+ 5", "e", "b 2", "+ 7", "e"],
    "recursion": ["b 1", "+ 1", "b 1", "+ 2", "b 1", "+ 4", "e", "e", "b 2", "+ 8", "e", "e"],
    "recursion of a root": ["b 1", "+ 1", "b 1", "+ 2", "e", "e", "b 2", "+ 3", "b 1", "+ 4", "e", "e"],
    "mutual recursion": ["b 1", "+ 1", "b 2", "+ 2", "b 1", "+ 4", "b 2", "+ 8", "e", "e", "e", "e"],
    "mutual recursion below another": ["b 3", "+ 1", *["b 1", "+ 1", "b 2", "+ 2"] * 4, *["e"] * 8, "b 2", "+ 5", "e", "e"],
    "a path without time": ["b 1", "b 2", "+ 1", "e", "b 3", "e", "e"],
    "random": tree(1, 12, 3000),
    "threads": tree(2, 6, 400, threads=5),
    "names": ["b @a;b", "+ 1", "b @layer 12", "+ 2", "b @layer 12", "+ 3", "e", "e", "b @ led by a blank", "+ 4", "e",
              "b @(1) a number", "+ 5", "e", "b @1.5", "+ 6", "e", "b @calls=3", "+ 7", "e", "b @# x", "+ 8", "e", "e"],
    "large": ["b 1", "+ 9007199254740993000", "i 18446744073709551615", "e"],
}  # fmt: skip


def check_callgrind(data, wanted, what):
    profile = Callgrind(data.decode())
    totals = profile.totals()
    run = totals.pop(RUN)
    equal(totals, {callgrind_key(name, file): row for (name, file, _), row in wanted.items()}, f"{what}: .callgrind")
    equal(run, [0, 0, 0], f"{what}: the run itself")
    equal(profile.head["totals"], [str(sum(row[1] for row in wanted.values()))], f"{what}: totals")
    lines = {callgrind_key(name, file): line for name, file, line in wanted} | {RUN: 0}
    for caller, callee, _, callee_line, line, _ in profile.calls:
        equal((line, callee_line), (lines[caller], lines[callee]), f"{what}: lines of {caller} -> {callee}")
    for function, (line, _) in profile.own.items():
        equal(line, lines[function], f"{what}: line of {function}")
    return {(caller, callee): (calls, cost) for caller, callee, calls, _, _, cost in profile.calls}


def calls_of(summary):
    """Who called whom, how often and for how long where the callee was not running already, by the summary's paths."""
    keys = [callgrind_key(f["name"], f["file"]) for f in summary["functions"]]
    paths, calls = [row + [0] * (SELF_NS + 1 - len(row)) for row in summary["paths"]], {}  # without the zeros at the end
    totals = [int(path[SELF_NS]) for path in paths]
    for i, path in reversed(list(enumerate(paths))):
        if path[PARENT] is not None:
            totals[path[PARENT]] += totals[i]
    for path, total in zip(paths, totals):
        at, above = path[PARENT], []
        while at is not None:
            above.append(paths[at][FUNCTION])
            at = paths[at][PARENT]
        row = calls.setdefault((keys[above[0]] if above else RUN, keys[path[FUNCTION]]), [0, 0])
        row[0] += path[CALLS]
        row[1] += total if path[FUNCTION] not in above else 0
    return {edge: tuple(row) for edge, row in calls.items()}


@case("every_format_has_the_calls_self_and_cumulative_times_of_the_summary")
def _(folder):
    for name, lines in TREES.items():
        execute(folder, lines)
        summary = json.loads(read_bytes(folder, "profile.json"))
        wanted = functions_of(summary)
        equal(Pprof(read_bytes(folder, "profile.pprof")).totals(), wanted, f"{name}: .pprof")
        equal(collapsed_totals(read_bytes(folder, "profile.collapsed").decode()),
              {collapsed_name(key[0]): [None, *row[1:]] for key, row in wanted.items()}, f"{name}: .collapsed")
        equal(check_callgrind(read_bytes(folder, "profile.callgrind"), wanted, name), calls_of(summary), f"{name}: calls")
        seconds, stats = {}, pstats.Stats(os.path.join(folder, "profile.prof")).stats
        for (file, line, function), (_, calls, own, cumulative, _) in stats.items():
            if function != "<tree>":
                function = function.removeprefix("<").removesuffix(">") if file == "~" else function
                seconds[function, file.removeprefix("~"), line] = [calls, own, cumulative]
        equal(seconds, {key: [row[0], row[1] / 1e9, row[2] / 1e9] for key, row in wanted.items()}, f"{name}: .prof")
        table = read_bytes(folder, "profile.txt").decode().partition("\n-- ")[0]
        lines = re.findall(r"^ *(\d+)(?:/\d+)? .*?(\S+:\d+\(.*\)|\{.*\})$", table, re.M)
        printed = {title: int(calls) for calls, title in lines}
        printed.pop("{tree}", None)
        titles = {f"{file}:{line}({name})" if file else f"{{{name}}}": row[0] for (name, file, line), row in wanted.items()}
        equal(printed, titles, f"{name}: .txt")


def slices_of(summary):
    """How many slices of each name a timeline must have, and how long they are in all; calls inside calls count again."""
    paths, totals = [row + [0] * (SELF_NS + 1 - len(row)) for row in summary["paths"]], {}
    inclusive = [int(path[SELF_NS]) for path in paths]
    for i, path in reversed(list(enumerate(paths))):
        if path[PARENT] is not None:
            inclusive[path[PARENT]] += inclusive[i]
    for path, total in zip(paths, inclusive):
        row = totals.setdefault(summary["functions"][path[FUNCTION]]["name"], [0, 0])
        row[0] += path[CALLS]
        row[1] += total
    return totals


@case("every_timeline_has_the_slices_of_the_summary_and_their_durations")
def _(folder):
    for name, lines in TREES.items():
        execute(folder, lines, str(1 << 30))
        summary = json.loads(read_bytes(folder, "profile.json"))
        wanted = slices_of(summary)
        equal(chrome_totals(read_bytes(folder, "profile.trace.json")), wanted, f"{name}: .trace.json")
        equal(pftrace_totals(read_bytes(folder, "profile.pftrace")), wanted, f"{name}: .pftrace")
        plain = {text.replace('"', "'"): row for text, row in wanted.items()}
        equal(nvtxt_totals(read_bytes(folder, "profile.nvtxt").decode()), plain, f"{name}: .nvtxt")
        table = json.loads(converted("json", os.path.join(folder, "profile.pftrace")))
        equal(functions_of(table), functions_of(summary), f"{name}: the table of the .pftrace")
        equal(slices_of(table), wanted, f"{name}: its paths")


@case("a_timeline_that_lost_events_says_so_in_its_table")
def _(folder):
    execute(folder, ["b 0", *["b 1", "+ 1", "e"] * 30000, "e"], str(1 << 20))
    summary, table = (json.loads(data) for data in (read_bytes(folder, "profile.json"), converted("json", os.path.join(folder, "profile.pftrace"))))
    lost = summary["losses"]["events_lost"]
    check(lost > 1000, "the rings held everything")
    equal([table["losses"]["lost"], table["losses"]["events_lost"]], [lost, lost], "losses")
    check(f"{{profcore: {lost} calls lost}}" in converted("txt", os.path.join(folder, "profile.pftrace")).decode(), "the text")


@case("the_summary_keeps_the_paths_that_other_formats_need")
def _(folder):
    for name, lines in TREES.items():
        execute(folder, lines)
        summary = os.path.join(folder, "profile.json")
        for form in (*STACKS, "callgrind", "json"):
            equal(converted(form, summary), read_bytes(folder, "profile." + form), f"{name}: {form} from the summary")


@case("functions_and_callers_are_enough_for_callgrind")
def _(folder):
    for name, lines in TREES.items():
        execute(folder, lines)
        path = os.path.join(folder, "profile.prof")
        if name == "large":  # seconds as doubles do not hold it
            continue
        summary = json.loads(converted("json", path))
        wanted = functions_of(summary)
        profile = Callgrind(converted("callgrind", path).decode())
        totals = profile.totals()
        equal([call for call in profile.calls if call[0] == call[1] and call[5] != 0], [], f"{name}: calls of oneself")
        run = totals.pop((f"<{summary['name']}>", "???"))
        equal(totals, {callgrind_key(name, file): row for (name, file, _), row in wanted.items()}, f"{name}: .callgrind")
        equal(run, [0, 0, 0], f"{name}: the run itself")


@case("a_profile_without_call_paths_becomes_no_file_of_stacks")
def _(folder):
    execute(folder, TREES["random"])
    for form in STACKS:
        done = convert(form, os.path.join(folder, "profile.prof"))
        check(done.returncode != 0 and done.stdout == b"", f"{form}: {len(done.stdout)} bytes")
        check(b"PROF_E_UNSUPPORTED" in done.stderr and b"call paths" in done.stderr, done.stderr.decode())


@case("what_is_deeper_than_a_file_shows_keeps_calls_and_times")
def _(folder):
    for depth, functions, is_cut in ((1024, 3, False), (1025, 3, True), (5000, 7, True)):
        execute(folder, chain(depth, functions))
        wanted = functions_of(json.loads(read_bytes(folder, "profile.json")))
        profile = Pprof(read_bytes(folder, "profile.pprof"))
        mark = ("<profcore: deeper than 1024 calls>", "", 0)
        totals = profile.totals()
        equal(totals.pop(mark, None) is not None, is_cut, f"{depth}: the mark is there")
        equal(totals, wanted, f"{depth}: .pprof")
        equal(max(len(stack) for stack, _, _ in profile.samples), depth if not is_cut else 1026, f"{depth}: the deepest stack")
        totals = collapsed_totals(read_bytes(folder, "profile.collapsed").decode())
        totals.pop(mark[0], None)
        equal(totals, {key[0]: [None, *row[1:]] for key, row in wanted.items()}, f"{depth}: .collapsed")
        check(os.path.getsize(os.path.join(folder, "profile.pprof")) < 2_000_000, "the file grows with the square of depth")


@case("losses_stand_in_every_file")
def _(folder):
    execute(folder, [line for i in range(20000) for line in (f"b {i}", "+ 1", "e")], str(1 << 20))
    lost = json.loads(read_bytes(folder, "profile.json"))["losses"]["lost"]
    text = f"profcore: {lost} calls lost"
    check(lost > 0, "nothing was lost")
    profile = Pprof(read_bytes(folder, "profile.pprof"))
    equal(profile.comments, [text], "comments of .pprof")
    equal(profile.totals()[f"<{text}>", "", 0], [0, 0, 0], "the function of .pprof")
    equal(collapsed_totals(read_bytes(folder, "profile.collapsed").decode())[f"<{text}>"], [None, 0, 0], ".collapsed")
    profile = Callgrind(read_bytes(folder, "profile.callgrind").decode())
    equal(profile.head["desc"], [text], "descriptions of .callgrind")
    equal(profile.own[f"<{text}>", "???"], (0, 0), "the function of .callgrind")


@case("nothing_recorded_is_a_file_that_says_so")
def _(folder):
    execute(folder, ["+ 5"])
    text = "<profcore: nothing was recorded>"
    equal(Pprof(read_bytes(folder, "profile.pprof")).totals(), {(text, "", 0): [0, 0, 0]}, ".pprof")
    equal(collapsed_totals(read_bytes(folder, "profile.collapsed").decode()), {text: [None, 0, 0]}, ".collapsed")
    totals = Callgrind(read_bytes(folder, "profile.callgrind").decode()).totals()
    equal(totals, {RUN: [0, 0, 0], (text, "???"): [0, 0, 0]}, ".callgrind")


@case("pprof_says_what_its_values_are")
def _(folder):
    execute(folder, ["b 1", "+ 5", "i 3", "b 2", "i 4", "+ 1", "e", "e"])
    profile = Pprof(read_bytes(folder, "profile.pprof"))
    summary = json.loads(read_bytes(folder, "profile.json"))
    rows = ("rows", "count")
    equal(profile.types, [("calls", "count"), ("wall", "nanoseconds"), rows], "types")
    equal(profile.default_type, "wall", "the default")
    equal([values[rows] for _, values, _ in profile.samples], [3, 4], "items")
    equal(profile.message[10], [summary["recorded_ns"]], "duration")
    equal(profile.message[9], [summary["taken_unix_s"] * 10**9 - summary["recorded_ns"]], "time")
    equal(profile.texts[1], "profcore.pprof/1", "whose file it is")


@case("calls_that_are_open_or_estimated_are_labelled")
def _(folder):
    execute(folder, ["b 1", "+ 5", "b 2", "+ 1", "e", "e"])
    path = os.path.join(folder, "changed.json")
    summary = json.loads(read_bytes(folder, "profile.json"))
    for place, figure, value in ((0, OPEN_CALLS, 1), (1, ESTIMATED_CALLS, 1)):
        row = summary["paths"][place]
        row += [0] * (figure + 1 - len(row))
        row[figure] = value
    with open(path, "w") as file:
        json.dump(summary, file)
    labels = {stack[0][0]: label for stack, _, label in Pprof(converted("pprof", path)).samples}
    equal(labels, {"f1": {"open_calls": 1}, "f2": {"estimated_calls": 1}}, "labels")


@case("paths_that_cannot_be_are_refused")
def _(folder):
    execute(folder, ["b 1", "+ 5", "b 2", "+ 1", "e", "e"])
    summary = json.loads(read_bytes(folder, "profile.json"))
    path = os.path.join(folder, "changed.json")
    for where, figure, value, problem in ((1, PARENT, 1, "is not a list of"), (0, PARENT, 0, "is not a list of"),
                                          (1, FUNCTION, 7, "is of no function's id"), (0, CALLS, -1, "path")):  # fmt: skip
        changed = json.loads(json.dumps(summary))
        changed["paths"][where][figure] = value
        with open(path, "w") as file:
            json.dump(changed, file)
        done = convert("pprof", path)
        said = done.stderr.decode()
        check(done.returncode != 0 and f"paths[{where}].path" in said and problem in said, said)


finish()
