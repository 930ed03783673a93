#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Our .prof, .txt and .json against Python's own pstats and cProfile.

usage: pstats_check.py TREE_MAIN [SANITIZED]

Call trees are made from a seed, executed by TREE_MAIN on a simulated clock
and, where it says so, by Python functions under cProfile.  What a tree's
figures must be is computed here, from the definition, a second time.  Of a
sanitized program fewer trees are looked at: what is computed of them is the same.
"""
import cProfile
import io
import json
import os
import pstats
import random
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "support"))
from tap_cases import case, equal, finish

tree_main, is_sanitized = os.path.abspath(sys.argv[1]), sys.argv[2:] not in ([], [""])


# ---- trees: (function, self time before the calls, [children]) ----

def make_tree(seed, functions, nodes):
    random_ = random.Random(seed)
    budget = nodes

    def make(depth):
        nonlocal budget
        budget -= 1
        children = []
        while budget > 0 and depth < 30 and random_.random() < 0.7:
            children.append(make(depth + 1))
        return (random_.randrange(functions), random_.randrange(5_000_000), children)

    roots = []
    while budget > 0:
        roots.append(make(0))
    return roots


def commands(roots):
    lines = []
    for root in roots:
        stack = [(root, 0)]
        while stack:
            (function, pause, children), at = stack.pop()
            if at == 0:
                lines += [f"b {function}", f"+ {pause}"]
            if at < len(children):
                stack.append(((function, pause, children), at + 1))
                stack.append((children[at], 0))
            else:
                lines.append("e")
    return lines


def execute(folder, lines, *arguments):
    subprocess.run([tree_main, folder, *arguments], input="\n".join(lines) + "\n", text=True, check=True,
                   errors="surrogateescape")


class Reference:
    """The definition: what cProfile's counters do, on times in nanoseconds."""

    def __init__(self):
        self.functions, self.edges = {}, {}
        self.durations = {}

    def run(self, roots):
        on_stack, edges_on_stack = {}, {}

        def visit(node, caller):
            function, pause, children = node
            edge = (caller, function)
            is_primitive = on_stack.get(function, 0) == 0
            edge_is_primitive = edges_on_stack.get(edge, 0) == 0
            on_stack[function] = on_stack.get(function, 0) + 1
            edges_on_stack[edge] = edges_on_stack.get(edge, 0) + 1
            total = pause + sum(visit(child, function) for child in children)
            on_stack[function] -= 1
            edges_on_stack[edge] -= 1
            self.add(self.functions, function, is_primitive, pause, total)
            if caller is not None:
                self.add(self.edges, edge, edge_is_primitive, pause, total)
            self.durations.setdefault(function, []).append(total)
            return total

        for root in roots:
            visit(root, None)

    @staticmethod
    def add(table, key, is_primitive, own, total):
        nc, cc, tt, ct = table.get(key, (0, 0, 0, 0))
        table[key] = (nc + 1, cc + is_primitive, tt + own, ct + (total if is_primitive else 0))


def load(folder):
    return pstats.Stats(os.path.join(folder, "profile.prof"), stream=io.StringIO())


def check_text(folder, key="cumulative", file="profile.txt"):
    stats = load(folder)
    stats.sort_stats(key).print_stats()
    expected = stats.stream.getvalue().split("\n", 2)[2]  # without the line that names the file, and the blank one
    with open(os.path.join(folder, file), encoding="utf-8") as text:
        ours = text.read()
    equal(ours[:ours.index("-- profcore")], expected, f"first block of {file}")


def check_numbers(folder, reference):
    stats = load(folder).stats
    with open(os.path.join(folder, "profile.json"), encoding="utf-8") as text:
        summary = json.load(text)
    equal(summary["schema"], "profcore.summary/1", "schema")
    by_id = {f["id"]: f for f in summary["functions"]}
    equal(len(stats), len(reference.functions), "functions in the .prof")
    equal(len(by_id), len(reference.functions), "functions in the .json")
    for function in by_id.values():
        nc, cc, tt, ct = reference.functions[function["line"]]
        equal((function["calls"], function["primitive_calls"], function["self_ns"], function["cumulative_ns"]),
              (nc, cc, tt, ct), f"f{function['line']} in the .json")
        durations = reference.durations[function["line"]]
        equal((function["min_ns"], function["max_ns"]), (min(durations), max(durations)), "extremes")
        equal(function["histogram"], histogram(durations), f"histogram of f{function['line']}")
        equal(stats["tree.py", function["line"], f"f{function['line']}"][:4], (cc, nc, tt / 1e9, ct / 1e9), "row of the .prof")
    edges = {(by_id[e["caller"]]["line"], by_id[e["callee"]]["line"]):
             (e["calls"], e["primitive_calls"], e["self_ns"], e["cumulative_ns"]) for e in summary["edges"]}
    equal(edges, reference.edges, "edges in the .json")
    from_prof = {(caller[1], callee[1]): values for callee, row in stats.items() for caller, values in row[4].items()}
    equal(from_prof, {edge: (nc, cc, tt / 1e9, ct / 1e9) for edge, (nc, cc, tt, ct) in reference.edges.items()},
          "callers in the .prof")


def histogram(durations):
    counts = {}
    for duration in durations:
        x = duration + 16
        shift = x.bit_length() - 5
        index = (shift << 4) + (x >> shift)
        counts[index] = counts.get(index, 0) + 1
    return [[index, counts[index]] for index in sorted(counts)]


@case("random_trees_have_exact_numbers_and_pstats_prints_the_same_table")
def _(folder):
    for seed in range(0, 40, 5 if is_sanitized else 1):
        roots = make_tree(seed, functions=1 + seed % 12, nodes=30 * (1 + seed))
        execute(folder, commands(roots))
        reference = Reference()
        reference.run(roots)
        check_numbers(folder, reference)
        check_text(folder)


@case("every_sort_key_orders_and_words_the_table_as_pstats_does")
def _(folder):
    roots = make_tree(1, functions=40, nodes=3000)
    execute(folder, commands(roots))
    for key in ["calls", "cumtime", "cumulative", "file", "filename", "line", "module", "name", "ncalls", "nfl",
                "pcalls", "stdname", "time", "tottime"]:
        check_text(folder, key, f"profile.{key}.txt")


VIEWS = ("print_stats", "print_callers", "print_callees")
REVERSE, STRIP_DIRS, COLOR = 1, 2, 4


def in_folders(lines):
    """The same commands, the functions spread over files that are alike without their folders."""
    files = ["/srv/a/one.c", "/srv/b/one.c", "two.c", "/", "~", "/srv/a/é.c"]
    return [f"b {files[int(line[2:]) % 6]}|{int(line[2:]) % 5}|f{int(line[2:]) % 5}" if line.startswith("b ") else line
            for line in lines]


def check_print(folder, lines, view, flags, keys, limits):
    execute(folder, lines, str(64 << 20), str(view), str(flags), ",".join(keys), *(str(limit) for limit in limits))
    stats = load(folder)
    if flags & STRIP_DIRS:
        stats.strip_dirs()
    stats.sort_stats(*keys)
    if flags & REVERSE:
        stats.reverse_order()
    getattr(stats, VIEWS[view])(*limits)
    expected = stats.stream.getvalue()
    with open(os.path.join(folder, "profile.print.txt"), encoding="utf-8") as text:
        ours = text.read()
    if flags & COLOR:
        equal("\x1b[" in ours or "filename:lineno" not in ours, True, "colour")
        ours = re.sub(r"\x1b\[[0-9;]*m", "", ours)
    if view == 0:
        expected = expected.split("\n", 2)[2]
        ours = ours[:ours.index("-- profcore")]
    equal(ours, expected, f"{VIEWS[view]} of {flags} {keys} {limits}")


@case("callers_callees_limits_and_stripped_folders_are_printed_as_pstats_prints_them")
def _(folder):
    trees = [commands(make_tree(seed, functions=12, nodes=300)) for seed in (7, 8)]
    trees.append(in_folders(commands(make_tree(9, functions=120, nodes=1500))))
    limits = [(), (5,), (0.25,), (0.0,), (1.0, 3), (r"\.(py|c):1", 4), ("no such",), ("é", 0.5), ("f1", "f1[0-9]", 1),
              ("it's \"x\"|\\\\|f1", ), ("it's\t\x1b\x7f|é1|f[2-9]",), ("[(]f[0-3]", 1e-05), (10**30, 0.333333333333333, 2)]
    for seed, lines in enumerate(trees):
        for i, limit in enumerate(limits):
            for view in [(seed + i) % 3] if is_sanitized else range(3):
                flags = (seed * 36 + i * 3 + view) % 8
                keys = [("cumulative",), ("tottime", "name"), ("calls", "stdname"), ("nfl",), ("pcalls", "file", "line")][i % 5]
                check_print(folder, lines, view, flags, keys, limit)


@case("a_tree_without_calls_and_an_empty_one_have_their_callers_tables_too")
def _(folder):
    for lines in (["b 1", "+ 5", "e"], ["+ 1"]):
        for view in range(3):
            check_print(folder, lines, view, 0, ("cumulative",), ())


@case("an_abbreviated_sort_key_is_taken_where_it_can_mean_one_thing")
def _(folder):
    lines = commands(make_tree(3, functions=9, nodes=200))
    for short, key in (("tot", "tottime"), ("cumu", "cumulative"), ("ca", "calls"), ("s", "stdname"), ("ti", "time")):
        execute(folder, lines, str(64 << 20), "0", "0", f"{short},name")
        stats = load(folder).sort_stats(key, "name").print_stats()
        with open(os.path.join(folder, "profile.print.txt"), encoding="utf-8") as text:
            ours = text.read()
        equal(ours[:ours.index("-- profcore")], stats.stream.getvalue().split("\n", 2)[2], short)


@case("a_sort_key_or_limit_that_is_none_is_refused_and_named")
def _(folder):
    for sort, limits, wrong in (("c", (), "unknown sort key \"c\""), ("size", (), "unknown sort key \"size\""),
                                ("name,", (), "unknown sort key \"\""), ("name", ("1.5",), "1.5 is neither"),
                                ("name", ("(",), "not a regular expression"), ("name", ("(" * 600,), "longer than 512"),
                                ("name", ("1",) * 17, "17 limits"), (",".join(["name"] * 9), (), "more than 8")):
        done = subprocess.run([tree_main, folder, str(64 << 20), "0", "0", sort, *limits], input="+ 1\n", text=True,
                              capture_output=True)
        equal((done.returncode, wrong in done.stderr), (1, True), f"{sort} {limits}: {done.stderr}")


@case("one_tree_run_by_cprofile_and_by_us_has_the_same_calls_and_callers")
def _(folder):
    for seed in range(10):
        roots = make_tree(100 + seed, functions=6, nodes=400)
        execute(folder, commands(roots))
        source = "\n".join(f"def f{i}(children):\n    for child, below in children: child(below)" for i in range(6))
        scope = {}
        exec(compile(source, "tree.py", "exec"), scope)

        def bind(node):
            return (scope[f"f{node[0]}"], [bind(child) for child in node[2]])

        bound = [bind(root) for root in roots]
        profile = cProfile.Profile()
        profile.enable()
        for function, children in bound:
            function(children)
        profile.disable()
        profile.create_stats()

        def shape(stats):
            return {key[2]: (row[0], row[1], {caller[2]: values[:2] for caller, values in row[4].items()})
                    for key, row in stats.items() if key[0] == "tree.py"}

        equal(shape(load(folder).stats), shape(profile.stats), f"calls and callers, seed {seed}")


@case("threads_are_merged_by_addition")
def _(folder):
    lines, reference = [], Reference()
    for seed in range(8):
        roots = make_tree(200 + seed, functions=5, nodes=100)
        lines += ["t"] + commands(roots) + ["j"] if seed % 2 else commands(roots)
        reference.run(roots)
    execute(folder, lines)
    check_numbers(folder, reference)
    check_text(folder)


@case("ten_thousand_functions_are_written_whole")
def _(folder):
    roots = [(i, i * 1000 % 777_777, [((i + 1) % 10_000, 10, [])]) for i in range(10_000)]
    execute(folder, commands(roots), str(256 << 20))
    reference = Reference()
    reference.run(roots)
    stats = load(folder).stats
    equal(len(stats), 10_000, "functions in the .prof")
    for (_, line, _), row in stats.items():  # not check_numbers(): not all of them get a histogram
        nc, cc, tt, ct = reference.functions[line]
        equal(row[:4], (cc, nc, tt / 1e9, ct / 1e9), f"f{line}")
    check_text(folder)


@case("deep_recursion_is_walked_without_recursion")
def _(folder):
    depth = 50_000
    execute(folder, ["b 1"] + ["b 2"] * depth + ["+ 5"] + ["e"] * depth + ["e"], str(256 << 20))
    stats = load(folder).stats
    equal(stats["tree.py", 2, "f2"][:2], (1, depth), "recursion")
    equal(stats["tree.py", 2, "f2"][3], 5 / 1e9, "cumulative time of the outermost call")
    check_text(folder)


@case("counts_beyond_31_bits_and_large_times_survive")
def _(folder):
    execute(folder, ["b 1", "+ 9007199254740993000", "i 18446744073709551615", "e"])
    row = load(folder).stats["tree.py", 1, "f1"]
    equal(row[3], 9007199254740993000 / 1e9, "a long time")
    with open(os.path.join(folder, "profile.json"), encoding="utf-8") as text:
        function = json.load(text)["functions"][0]
    equal(function["cumulative_ns"], "9007199254740993000", "above 2^53 a string")
    equal(function["items"], {"count": "18446744073709551615", "unit": "rows"}, "items")
    check_text(folder)


@case("lost_calls_stand_in_every_file_and_are_never_booked_on_a_parent")
def _(folder):
    # One wide level of distinct functions under f0: far more than 1 MiB of nodes.
    names = 20_000
    lines = ["b 0"]
    for i in range(1, names + 1):
        lines += [f"b {i}", "+ 10", "b 0", "e", "e"]
    # Afterwards, paths that have their nodes are recorded as ever, also between lost ones.
    lines += ["e"] + ["b 0", "+ 1", f"b {names + 1}", "b 1", "e", "e", "e"] * 50
    execute(folder, lines, str(1 << 20))
    with open(os.path.join(folder, "profile.json"), encoding="utf-8") as text:
        summary = json.load(text)
    recorded = sum(f["calls"] for f in summary["functions"])
    lost = summary["losses"]["lost"]
    equal(recorded + lost, 2 * names + 1 + 150, "recorded + lost")
    equal((summary["losses"]["repaired"], summary["losses"]["unmatched"]), (0, 0), "ends find their scopes")
    roots = [f for f in summary["functions"] if f["line"] == 0]
    edges = [e for e in summary["edges"] if e["callee"] == roots[0]["id"]]
    equal(roots[0]["calls"] - sum(e["calls"] for e in edges), 51, "outermost calls of f0")
    if lost == 0:
        raise AssertionError("nothing was lost: the case tests nothing")
    stats = load(folder).stats
    equal(("~", 0, f"<profcore: {lost} calls lost>") in stats, True, "row for losses")
    equal(stats["~", 0, f"<profcore: {lost} calls lost>"][:4], (0, 0, 0.0, 0.0), "row for losses")
    equal([f["calls"] for f in summary["functions"] if f["name"] == "lost"], [], "a site that is not there")
    check_text(folder)
    with open(os.path.join(folder, "profile.txt"), encoding="utf-8") as text:
        equal(f"{lost} scopes lost" in text.read(), True, "losses in the .txt")


@case("percentiles_that_would_miss_a_threads_calls_are_unavailable")
def _(folder):
    # f1 gets a histogram on the first thread; the main thread takes all that are left; the second thread gets none.
    thread = ["t"] + ["b 1", "+ 10", "e"] * 100 + ["j"]
    execute(folder, thread + [line for i in range(2, 60) for line in (f"b {i}", "e")] + thread, str(1 << 20))
    with open(os.path.join(folder, "profile.json"), encoding="utf-8") as text:
        functions = {f["line"]: f for f in json.load(text)["functions"]}
    equal((functions[1]["calls"], functions[1]["histogram"]), (200, None), "f1")
    equal(functions[1]["unavailable"]["histogram"], "the memory for histograms is spent", "the reason")
    equal(functions[2]["histogram"], [[16, 1]], "f2, which has one")


@case("nothing_recorded_is_a_file_that_pstats_opens")
def _(folder):
    execute(folder, ["+ 5"])
    equal(list(load(folder).stats), [("~", 0, "<profcore: nothing was recorded>")], "the one row")
    check_text(folder)


@case("where_no_function_called_another_the_run_is_the_caller_of_all")
def _(folder):
    # Without it snakeviz, which drops functions that have neither callers nor callees, finds nothing to draw.
    execute(folder, ["b 1", "+ 5", "e", "b 1", "+ 6", "e", "b 2", "+ 7", "e"])
    stats, run = load(folder).stats, ("~", 0, "<tree>")
    equal(stats[run], (0, 0, 0.0, 18 / 1e9, {}), "the run's row")
    equal(stats["tree.py", 1, "f1"][4], {run: (2, 2, 11 / 1e9, 11 / 1e9)}, "callers of f1")
    check_text(folder)
    execute(folder, ["b 1", "b 2", "e", "e", "b 3", "e"])
    equal([key[2] for key in load(folder).stats], ["f1", "f2", "f3"], "with an edge, cProfile's rows and no other")


@case("names_without_a_file_and_hostile_names_stay_inert")
def _(folder):
    names = ["plain", "/script><b>", "!--", "</script><script>alert(1)</script>", "<!--", "a\x1b[31mb", "tab\there", "\udcff\udcfe", "é 文 😀",
             "<angle>", "%s %n", "\"quoted\" 'name' \\ backslash"]
    execute(folder, [line for name in names for line in (f"b @{name}", "+ 1", "e")])
    stats = load(folder).stats
    equal(len(stats), len(names) + 1, "functions, and the run that called them")
    for file, line, name in stats:
        equal((file, line), ("~", 0), "key of a function without a file")
        for bad in ("</", "<!", "\x1b", "\t", "\n"):
            equal(bad in name, False, f"{bad!r} in {name!r}")
    check_text(folder)


@case("a_prof_that_is_one_byte_short_is_refused_by_pstats")
def _(folder):
    # Guards the checker itself: pstats does read to the end of the file.
    execute(folder, ["b 1", "+ 1", "e"])
    path = os.path.join(folder, "profile.prof")
    with open(path, "rb") as whole:
        data = whole.read()
    with open(path, "wb") as short:
        short.write(data[:-1])
    try:
        load(folder)
    except EOFError:
        return
    raise AssertionError("pstats read a file without its last byte")


sys.setrecursionlimit(10_000)
finish()
