#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Profiles read back, merged and written again, against Python's pstats and cProfile.

usage: read_check.py TREE_MAIN CONVERT_MAIN

TREE_MAIN executes a call tree on a simulated clock and writes it;
CONVERT_MAIN reads files, merges them, and writes the result.
"""
import cProfile
import json
import os
import pstats
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "support"))
from tap_cases import case, equal, finish

golden = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden")
tree_main, convert_main = (os.path.abspath(path) for path in sys.argv[1:])


def read_bytes(*path):
    with open(os.path.join(*path), "rb") as file:
        return file.read()


def commands(seed, functions, nodes):
    """A random tree: scopes of functions by number, with time and items in them."""
    random_, lines, open_scopes = random.Random(seed), [], 0
    for _ in range(nodes):
        while open_scopes and (open_scopes > 30 or random_.random() < 0.45):
            lines.append("e")
            open_scopes -= 1
        lines += [f"b {random_.randrange(functions)}", f"+ {random_.randrange(1, 5_000_000)}"]
        if random_.random() < 0.2:
            lines.append(f"i {random_.randrange(1, 100)}")
        open_scopes += 1
    return lines + ["e"] * open_scopes


def execute(folder, lines, *arguments):
    os.makedirs(folder, exist_ok=True)
    subprocess.run([tree_main, folder, *arguments], input="\n".join(lines) + "\n", text=True, check=True)


def convert(form, *files):
    done = subprocess.run([convert_main, form, *files], capture_output=True)
    if done.returncode != 0:
        raise AssertionError(done.stderr.decode(errors="replace"))
    return done.stdout


def load(data):
    with tempfile.NamedTemporaryFile(suffix=".prof") as file:
        file.write(data)
        file.flush()
        return pstats.Stats(file.name).stats


def near(ours, theirs, what, slack=0.51e-9):
    equal(ours[:2], theirs[:2], f"calls of {what}")
    if any(abs(a - b) > slack for a, b in zip(ours[2:4], theirs[2:4])):
        raise AssertionError(f"times of {what}: {ours} is not {theirs}")


def near_stats(after, before, slack=0.51e-9):
    equal(set(after), set(before), "functions")
    for key, row in before.items():
        near(after[key], row, key, slack)
        equal(set(after[key][4]), set(row[4]), f"callers of {key}")
        for caller, values in row[4].items():
            near(after[key][4][caller], values, f"{caller} -> {key}", slack)


TREES = {
    "one function": ["b 1", "+ 7", "e"],
    "no edges": ["b 1", "+ 5", "e", "b 2", "+ 7", "e"],
    "nothing": ["+ 5"],
    "random": commands(1, 12, 3000),
    "names without a file": ["b @plain", "+ 1", "b @/script>", "+ 2", "e", "b @!--", "e", "b @<angle>", "e", "e"],
    "large": ["b 1", "+ 9007199254740993000", "i 18446744073709551615", "e"],
}


@case("what_is_read_and_written_again_is_the_same_bytes")
def _(folder):
    for name, lines in TREES.items():
        execute(folder, lines)
        for form in ("json", "prof"):
            path = os.path.join(folder, "profile." + form)
            equal(convert(form, path), read_bytes(path), f"{name}: {form}")
        summary = os.path.join(folder, "profile.json")
        for form in ("prof", "txt"):
            equal(convert(form, summary), read_bytes(folder, "profile." + form), f"{name}: {form} from the summary")


@case("what_cprofile_wrote_keeps_its_numbers")
def _(folder):
    path = os.path.join(folder, "python.prof")
    profile = cProfile.Profile()
    profile.runcall(lambda: [json.loads(json.dumps(list(range(i)))) for i in range(50)])
    profile.dump_stats(path)
    near_stats(load(convert("prof", path)), pstats.Stats(path).stats)


def by_line(summary):
    lines = {f["id"]: f["line"] for f in summary["functions"]}
    functions = {f["line"]: {key: f[key] for key in f if key != "id"} for f in summary["functions"]}
    edges = {(lines[e["caller"]], lines[e["callee"]]): {key: e[key] for key in e if key not in ("caller", "callee")}
             for e in summary["edges"]}
    return functions, edges


@case("old_files_of_cprofile_open_with_the_numbers_that_pstats_gave")
def _(folder):
    expected = json.loads(read_bytes(golden, "python.expected.json"))
    files = sorted(name for name in os.listdir(golden) if name.startswith("python-") and name.endswith(".prof"))
    equal(len(files), 7, "Python 2.7 and 3.8 to 3.13")

    def rows(stats):
        """As in the file, with times in whole nanoseconds."""
        def times(values):
            return [*values[:2], *(round(value * 1e9) for value in values[2:4])]
        return sorted([list(key), times(row), sorted([list(caller), times(v)] for caller, v in callers)]
                      for key, row, callers in stats)

    expected = rows(expected)
    for name in files:
        stats = load(convert("prof", os.path.join(golden, name)))
        found = rows((key, row, row[4].items()) for key, row in stats.items())
        if name == "python-2.7.prof":  # its built-in functions had other names
            found, wanted = ([row[:2] for row in table if row[0][0] != "~"] for table in (found, expected))
            equal(found, wanted, name)
        else:
            equal(found, expected, name)


@case("old_files_of_ours_open_and_say_what_they_said")
def _(folder):
    names = sorted(name[:-5] for name in os.listdir(golden) if name.startswith("profcore-") and name.endswith(".json"))
    equal(names, ["profcore-0.1", "profcore-0.1-call", "profcore-0.1-first"], "golden files")

    def check(now, then, what):
        """All that stood in the old file stands in what is written of it today."""
        if isinstance(then, dict):
            for key in then:
                check(now[key], then[key], f"{what}.{key}")
        elif isinstance(then, list) and len(then) == len(now):
            for i, value in enumerate(then):
                check(now[i], value, f"{what}[{i}]")
        else:
            equal(now, then, what)

    for name in names:
        path = os.path.join(golden, name)
        check(json.loads(convert("json", path + ".json")), json.loads(read_bytes(path + ".json")), name)
        before = pstats.Stats(path + ".prof").stats
        equal(load(convert("prof", path + ".prof")), before, name + ".prof")
        equal(load(convert("prof", path + ".json")), before, name + ".prof from the summary")
        convert("txt", path + ".json")


@case("merged_shards_equal_one_recording_of_all_exactly")
def _(folder):
    for seed in range(5):
        shards = [commands(1000 * seed + i, 3 + 2 * i, 200 + 300 * i) for i in range(5)]
        paths = []
        for i, lines in enumerate(shards):
            execute(os.path.join(folder, str(i)), lines)
            paths.append(os.path.join(folder, str(i), "profile.json"))
        whole = os.path.join(folder, "whole")
        execute(whole, [line for lines in shards for line in lines])
        merged = os.path.join(folder, "merged.json")
        with open(merged, "wb") as file:
            file.write(convert("json", *paths))
        summary = json.loads(read_bytes(merged))
        equal(by_line(summary), by_line(json.loads(read_bytes(whole, "profile.json"))), f"seed {seed}")
        equal(len(summary["processes"]), 5, "processes")
        # Also in pairs, and with what was merged before.
        equal(by_line(json.loads(convert("json", paths[4], merged, paths[0]))),
              by_line(json.loads(convert("json", *paths[::-1], paths[4], paths[0]))), "order and grouping")
        text, reference = convert("txt", merged).decode(), read_bytes(whole, "profile.txt").decode()

        def block(table):
            start = table.index("      ended")
            return sorted(table[start:table.index("\n\n", start)].splitlines())

        equal(block(text), block(reference), "percentiles in the table")


@case("merged_prof_files_are_what_pstats_adds_up")
def _(folder):
    paths = [os.path.join(folder, name) for name in ("a.prof", "b.prof", "c.prof")]
    for i, path in enumerate(paths):
        profile = cProfile.Profile()
        profile.runcall(lambda: [json.loads(json.dumps({"n": list(range(n))}, indent=n % 2)) for n in range(i, 60)])
        profile.dump_stats(path)
    added = pstats.Stats(paths[0])
    added.add(*paths[1:])
    near_stats(load(convert("prof", *paths)), added.stats, 2e-9)


@case("own_cost_leaves_times_that_still_add_up")
def _(folder):
    execute(folder, commands(3, 9, 2000))
    path = os.path.join(folder, "profile.json")
    summary = json.loads(read_bytes(path))
    summary["overhead"]["scope_ps"] = 30_000
    with open(path, "w", encoding="utf-8") as file:
        json.dump(summary, file)
    less = json.loads(convert("less", path))
    equal(less["overhead"]["subtracted"], True, "the mark")
    # Every scope but the outermost is called by one of the others; a pause is longer than what is taken.
    scopes = sum(e["calls"] for e in summary["edges"])
    equal(sum(f["self_ns"] for f in less["functions"]), sum(f["self_ns"] for f in summary["functions"]) - 30 * scopes,
          "all self times")
    for before, after in zip(summary["functions"], less["functions"]):
        equal(after["cumulative_ns"], before["cumulative_ns"] - 30 * before["inner_calls"], before["name"])
        equal((after["min_ns"], after["histogram"]), (before["min_ns"], before["histogram"]), "what stays as measured")


finish()
