#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""profcore, the command line, driven as its users drive it; Python's pstats judges the tables.

usage: tool_check.py PROFCORE VICTIM
"""
import cProfile
import glob
import io
import json
import marshal
import os
import pstats
import pty
import random
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "support"))
from tap_cases import Skip, case, check, clean_environment, equal, finish, launch

tool, victim = (os.path.abspath(path) for path in sys.argv[1:])


def environment(**variables):
    clean = {name: value for name, value in clean_environment().items() if name != "NO_COLOR"}
    return {**clean, "TERM": "xterm", **variables}


def profcore(*arguments, folder=None, status=0, **options):
    variables = options.pop("variables", {})
    done = subprocess.run([tool, *(str(a) for a in arguments)], cwd=folder, env=environment(**variables), capture_output=True,
                          timeout=60, **options)
    done.out, done.err = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    if status is not None:
        equal(done.returncode, status, f"exit status of {arguments}: {done.out[-300:]}{done.err}")
    return done


# ---- profiles of Python's making ----

def recurse(depth, work):
    total = sum(i * i for i in range(work))
    if depth > 0:
        recurse(depth - 1, work)
        if depth % 3 == 0:
            mutual(depth - 2, work)
    return total


def mutual(depth, work):
    return recurse(depth - 1, work) if depth > 0 else len(str(work))


def record(path, seed):
    own = {}
    exec(f"def only_{seed}(): pass\ndef also_{seed}(): only_{seed}()", own)
    profile = cProfile.Profile()
    profile.enable()
    recurse(8 + seed, 2000)
    json.dumps({str(i): [i] * seed for i in range(300)})
    re.compile(f"a{seed}(b|c)*[d-{chr(101 + seed)}]+")
    sorted(range(1000), key=lambda i: -i)
    own[f"also_{seed}"]()
    profile.disable()
    profile.dump_stats(path)


def make_up_times(path, seed):
    """Other times for those that were measured.

    Two functions that took as long, to the nanosecond, in several files together are equal for us and not always for
    pstats, which adds seconds: of the measured ones there are such in one run in forty.
    """
    def times(*place):
        draw = random.Random(repr((seed, *place)))
        return draw.randrange(1, 10**9) / 1e9, draw.randrange(1, 10**9) / 1e9

    with open(path, "rb") as file:
        stats = marshal.load(file)
    stats = {key: (*row[:2], *times(key), {caller: (*figures[:2], *times(key, caller)) for caller, figures in row[4].items()})
             for key, row in stats.items()}
    with open(path, "wb") as file:
        marshal.dump(stats, file)


def by_pstats(paths, sort=("cumulative",), limits=(), view="print_stats", strip=False, reverse=False):
    stats = pstats.Stats(*paths, stream=io.StringIO())
    if strip:
        stats.strip_dirs()
    stats.sort_stats(*sort)
    if reverse:
        stats.reverse_order()
    getattr(stats, view)(*limits)
    text = stats.stream.getvalue()
    # Without the lines that name the files, and the blank one behind them.
    return text.split("\n", len(paths) + 1)[-1] if view == "print_stats" else text


def first_block(text):
    return text[:text.index("-- profcore")]


def run_victim(folder, *arguments):
    """Returns its .json, .prof and .txt, sorted."""
    profcore("run", "-q", "-f", "txt,prof,json", *arguments, "--", victim, folder=folder)
    return sorted(glob.glob(os.path.join(folder, "profiling_results", "victim_*")))


# ---- report ----

@case("report_prints_what_pstats_prints_of_pythons_own_profiles")
def _(folder):
    path = os.path.join(folder, "python.prof")
    record(path, 2)
    for sort in ("cumulative", "tottime", "calls", "pcalls", "name", "file", "line", "nfl", "stdname", "module"):
        done = profcore("report", path, "--sort", sort)
        key = "filename" if sort == "file" else sort
        equal(first_block(done.out), by_pstats([path], [key]), sort)
    equal(first_block(profcore("report", path, "-s", "calls,tottime,name", "-r").out),
          by_pstats([path], ["calls", "tottime", "name"], reverse=True), "three keys, reversed")


@case("limits_are_applied_in_turn_and_worded_as_pstats_words_them")
def _(folder):
    path = os.path.join(folder, "python.prof")
    record(path, 3)
    for limits in ((3,), (0.5,), (0.25, 2), ("json",), ("e", 0.5, 3), (r"\.py:[0-9]+", 5), ("built-in|method", ), ("none such",),
                   (1000,), (0,), (0.0,), ("it's",)):
        arguments = [text for limit in limits for text in ("--limit", str(limit))]
        equal(first_block(profcore("report", path, *arguments).out), by_pstats([path], limits=limits), limits)


@case("callers_and_callees_are_those_of_pstats")
def _(folder):
    path = os.path.join(folder, "python.prof")
    record(path, 4)
    for view in ("callers", "callees"):
        for strip in (False, True):
            flags = ["--strip-dirs"] if strip else []
            for limits in ((".",), ("recurse",), ("json|re", 4)):
                arguments = ["--" + view, limits[0]] + [text for limit in limits[1:] for text in ("--limit", str(limit))]
                done = profcore("report", path, *arguments, *flags, "--sort", "name")
                equal(done.out, by_pstats([path], ["name"], limits, "print_" + view, strip), (view, strip, limits))
    both = profcore("report", path, "--limit", 9, "--callers", "e", "--callees", "j", "--limit", 3)
    equal(both.out, by_pstats([path], limits=(9, "e", 3), view="print_callers") +
          by_pstats([path], limits=(9, "j", 3), view="print_callees"), "each with its own pattern, in its place")


@case("files_without_their_folders_are_merged_as_pstats_merges_them")
def _(folder):
    path = os.path.join(folder, "python.prof")
    code = {}
    for place in ("a", "b", "c"):
        os.makedirs(os.path.join(folder, place))
        source = os.path.join(folder, place, "same.py")
        with open(source, "w", encoding="ascii") as text:
            text.write("def leaf(n):\n return [i for i in range(n)]\ndef call(f, n):\n return f(n)\n")
        with open(source, encoding="ascii") as text:
            exec(compile(text.read(), source, "exec"), code.setdefault(place, {}))
    profile = cProfile.Profile()
    profile.enable()
    for i, (x, y) in enumerate([("c", "a"), ("b", "a"), ("a", "b"), ("b", "c"), ("c", "c"), ("a", "a")] * 3):
        code[x]["call"](code[y]["leaf"], 2000 * (i + 1))
    profile.disable()
    profile.dump_stats(path)
    equal(first_block(profcore("report", path, "-d", "-s", "name").out), by_pstats([path], ["name"], strip=True), "stats")
    for view in ("callers", "callees"):
        equal(profcore("report", path, "-d", "-s", "name", "--" + view, ".").out,
              by_pstats([path], ["name"], (".",), "print_" + view, True), view)


@case("several_files_are_one_profile_in_the_order_in_which_pstats_adds_them")
def _(folder):
    paths = [os.path.join(folder, f"{i}.prof") for i in range(4)]
    for i, path in enumerate(paths):
        record(path, i)
        make_up_times(path, i)
    for sort in ("cumulative", "tottime", "calls", "line"):
        equal(first_block(profcore("report", *paths, "-s", sort).out), by_pstats(paths, [sort]), sort)
    equal(profcore("report", *paths, "-s", "name", "--callers", ".").out, by_pstats(paths, ["name"], (".",), "print_callers"),
          "callers")


@case("our_own_json_and_prof_give_the_tables_of_the_txt")
def _(folder):
    json_, prof, txt = run_victim(folder)
    with open(txt, encoding="utf-8") as text:
        whole = text.read()
    equal(profcore("report", json_).out, whole, "from the .json, all of it")
    equal(first_block(profcore("report", prof).out), first_block(whole), "from the .prof, the first block")
    check("unavailable" in profcore("report", prof).out, "what a .prof does not hold is unavailable")
    with open(json_, "rb") as standard_input:
        equal(profcore("report", "-", stdin=standard_input).out, whole, "from standard input")
    with open(json_, encoding="utf-8") as text:
        equal(json.loads(profcore("report", "--json", json_).out)["functions"], json.load(text)["functions"], "as JSON")
    again = os.path.join(folder, "again.prof")
    with open(again, "wb") as file:
        file.write(profcore("report", "--format", "prof", json_).stdout)
    equal(pstats.Stats(again).stats, pstats.Stats(prof).stats, "as .prof")


@case("the_profilers_own_cost_is_subtracted_when_asked")
def _(folder):
    json_, prof, _ = run_victim(folder)
    plain, less = profcore("report", json_).out, profcore("report", "--subtract-overhead", json_).out
    check("included in the times above" in plain and "subtracted from the times above" in less, less)
    both = profcore("report", "--subtract-overhead", json_, json_).out
    check("subtracted from the times above" in both and "Merged from 2" in both, both)
    done = profcore("report", "--subtract-overhead", json_, prof, status=1)
    check(os.path.basename(prof) in done.err and done.out == "", done.err)


def on_terminal(*arguments, **variables):
    """What a terminal receives."""
    leader, follower = pty.openpty()
    process = subprocess.Popen([tool, *(str(a) for a in arguments)], stdout=follower, stderr=follower,
                               env=environment(**variables))
    os.close(follower)
    received = b""
    while True:
        try:
            data = os.read(leader, 65536)
        except OSError:
            break
        if not data:
            break
        received += data
    process.wait(60)
    os.close(leader)
    return received.decode("utf-8").replace("\r\n", "\n")


@case("colour_is_for_terminals_and_changes_no_character")
def _(folder):
    path = os.path.join(folder, "python.prof")
    record(path, 2)
    plain = profcore("report", path).out
    check("\x1b" not in plain, "a pipe gets no colour")
    for arguments in (["report", path], ["report", path, "--callers", "."], ["diff", path, path], ["doctor"]):
        seen = on_terminal(*arguments)
        check("\x1b[" in seen, f"a terminal gets colour: {arguments}")
        for without in (on_terminal(*arguments, "--color", "never"), on_terminal(*arguments, NO_COLOR="1"),
                        on_terminal(*arguments, TERM="dumb")):
            check("\x1b" not in without, f"unless it must not: {arguments}")
        if arguments[0] == "report":
            equal(re.sub(r"\x1b\[[0-9;]*m", "", seen), on_terminal(*arguments, "--color", "never"), "the rest is the same")
    check("\x1b[" in profcore("report", path, "--color", "always").out, "always")
    for command in (["report", path], ["report", "--json", path], ["diff", "--json", path, path], ["doctor", "--json"]):
        check("not sometimes" in profcore(*command, "--color", "sometimes", status=2).err, f"an unknown word: {command}")


@case("nothing_from_a_file_a_path_or_an_argument_reaches_the_terminal_raw")
def _(folder):
    evil = "e\x1b[31mv\x9bil\n\x07\u202e"
    marshal_file = os.path.join(folder, "names.prof")
    with open(marshal_file, "wb") as file:
        marshal.dump({(evil, 1, evil): (1, 1, 0.5, 0.5, {("~", 0, evil): (1, 1, 0.5, 0.5)}), ("~", 0, evil): (1, 1, 0.1, 0.6, {})},
                     file)
    os.mkdir(os.path.join(folder, "d"))
    path = os.path.join(folder, "d", "\x1b[2J\x9b.prof")
    shutil.copy(marshal_file, path)
    missing = os.path.join(folder, "no\x1b]0;title\x07\n\udcff.prof")
    for arguments in (["report", path], ["report", path, "--callers", "."], ["diff", path, marshal_file], ["report", missing],
                      ["report", path, "--sort", "\x1b[31m"], ["report", path, "-l", "v|\x1b\x9b"], ["report", path, "-l", "(\x1b"],
                      ["diff", path, path, "-l", "(\x1b"], ["diff", path, path, "-s", "\x1b"], ["\x1b[31m"], ["report", "--\x1b[31m"],
                      ["report", "-\x1b"], ["merge", path, "-o", "no/" + missing[1:]], ["merge", path, "-o", folder + "/x.\x1b[2J"],
                      ["run", "\x1b[2J"], ["run", "--set", "\x1b=1", "true"], ["run", "-n", "\x1b", "/bin/true"],
                      ["doctor", "\x1b"]):
        done = subprocess.run([tool.encode(), *(os.fsencode(a) for a in arguments)], cwd=folder, env=environment(),
                              capture_output=True, timeout=60)
        seen = done.stdout + done.stderr
        check(seen != b"", f"{arguments!r} said nothing")
        text = seen.decode("utf-8")
        bad = [c for c in text if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160]
        check(not bad, f"{bad!r} from {arguments!r}: {seen!r}")


# ---- merge and diff ----

@case("merge_adds_up_and_pstats_opens_the_result")
def _(folder):
    paths = [os.path.join(folder, f"{i}.prof") for i in range(3)]
    for i, path in enumerate(paths):
        record(path, i)
    merged = os.path.join(folder, "merged.prof")
    profcore("merge", *paths, "-o", merged)
    ours, theirs = pstats.Stats(merged).stats, pstats.Stats(*paths).stats
    equal(set(ours), set(theirs), "functions")
    for key, (cc, nc, tt, ct, callers) in theirs.items():
        equal(ours[key][:2], (cc, nc), f"calls of {key}")
        check(abs(ours[key][2] - tt) < 1e-8 and abs(ours[key][3] - ct) < 1e-8, f"times of {key}")
        equal({k: v[:2] for k, v in ours[key][4].items()}, {k: v[:2] for k, v in callers.items()}, f"callers of {key}")
    os.makedirs(os.path.join(folder, "a"))
    os.makedirs(os.path.join(folder, "b"))
    one, two = run_victim(os.path.join(folder, "a"))[0], run_victim(os.path.join(folder, "b"))[0]
    both = os.path.join(folder, "both.json")
    profcore("merge", one, two, "-o", both)
    with open(one, encoding="utf-8") as a, open(both, encoding="utf-8") as b:
        equal([2 * f["calls"] for f in json.load(a)["functions"]], [f["calls"] for f in json.load(b)["functions"]], "calls")
    check("Merged from 2 processes" in profcore("report", both).out, "says so")
    profcore("merge", both, "-o", os.path.join(folder, "table"), "--to", "txt")
    with open(os.path.join(folder, "table"), encoding="utf-8") as text:
        equal(text.read(), profcore("report", one, two).out, "merged files and merged at once")
    equal(json.loads(profcore("merge", one, "-o", "-", "--to", "json").out)["schema"], "profcore.summary/1", "to a pipe")


@case("merge_says_what_it_lacks_and_leaves_no_half_a_file")
def _(folder):
    path = os.path.join(folder, "0.prof")
    record(path, 0)
    for arguments, status, text in ((["merge"], 2, "which files?"), (["merge", path], 2, "where to?"),
                                    (["merge", path, "-o", "plain"], 2, "--to"), (["merge", path, "-o", "-"], 2, "--to json"),
                                    (["merge", path, "-o", "x.docx"], 2, 'unknown format "docx"'),
                                    (["merge", path, "-o", "no/such/x.json"], 1, "no folder"),
                                    (["merge", path, "gone.prof", "-o", "x.json"], 1, "gone.prof"),
                                    (["merge", path, "-o", folder + "/sub.json"], 1, "not a regular file")):
        os.makedirs(os.path.join(folder, "sub.json"), exist_ok=True)
        check(text in profcore(*arguments, folder=folder, status=status).err, f"{arguments}: {text}")
    equal(sorted(os.listdir(folder)), ["0.prof", "sub.json"], "files")


@case("convert_writes_what_the_library_would_have_written")
def _(folder):
    formats = ("txt", "prof", "json", "pprof", "collapsed", "callgrind")
    run_victim(folder, "-f", ",".join(formats))
    stem = glob.glob(os.path.join(folder, "profiling_results", "victim_*.json"))[0].removesuffix("json")
    for form in formats:
        with open(stem + form, "rb") as file:
            wanted = file.read()
        out = os.path.join(folder, f"out.{form}")
        equal(profcore("convert", stem + "json", out).out, "", "nothing is printed")
        with open(out, "rb") as file:
            equal(file.read(), wanted, f"{form}: a file")
        with open(stem + "json", "rb") as file:
            equal(profcore("convert", "--to", form, "-", "-", stdin=file).stdout, wanted, f"{form}: pipes")
        equal(profcore("convert", stem + "json", os.path.join(folder, "named"), "-t", form).out, "", "by --to")
        with open(os.path.join(folder, "named"), "rb") as file:
            equal(file.read(), wanted, f"{form}: by --to")
    path, back = os.path.join(folder, "python.prof"), os.path.join(folder, "back.prof")
    record(path, 0)
    profcore("convert", path, os.path.join(folder, "python.callgrind"))
    profcore("convert", path, back)
    equal({key: row[:2] for key, row in pstats.Stats(back).stats.items()},
          {key: row[:2] for key, row in pstats.Stats(path).stats.items()}, "calls")


def timeline_of(folder):
    """The .pftrace of a run, and its summary."""
    profcore("run", "-q", "-f", "json,pftrace", "--", victim, folder=folder)
    stem = glob.glob(os.path.join(folder, "profiling_results", "victim_*.pftrace"))[0].removesuffix("pftrace")
    return stem + "pftrace", stem + "json"


def calls_of(path):
    return {(f["name"], f["file"]): f["calls"] for f in json.loads(profcore("report", "--json", path).out)["functions"]}


@case("a_timeline_becomes_other_timelines_and_every_table")
def _(folder):
    trace, summary = timeline_of(folder)
    equal(calls_of(trace), calls_of(summary), "calls")
    chrome, back = os.path.join(folder, "x.trace.json"), os.path.join(folder, "back.pftrace")
    equal(profcore("convert", trace, chrome).out, "", "nothing is printed")
    with open(chrome, encoding="utf-8") as file:
        begins = [event["name"] for event in json.load(file)["traceEvents"] if event["ph"] == "B"]
    equal({name: begins.count(name) for name in set(begins)}, {name: calls for (name, _), calls in calls_of(summary).items()}, "slices")
    profcore("convert", trace, back)
    equal(calls_of(back), calls_of(summary), "calls of the copy")
    for form in ("txt", "prof", "html", "pprof", "collapsed", "callgrind", "nvtxt"):
        profcore("convert", trace, os.path.join(folder, f"x.{form}"))
        check(os.path.getsize(os.path.join(folder, f"x.{form}")) > 20, form)
    with open(trace, "rb") as file:
        check(profcore("convert", "--to", "nvtxt", "-", "-", stdin=file).out.startswith("# profcore.nvtxt/1"), "through pipes")
    with open(trace, "rb") as file:
        equal(profcore("convert", "--to", "json", "-", os.path.join(folder, "piped.json"), stdin=file).out, "", "piped")
    equal(calls_of(os.path.join(folder, "piped.json")), calls_of(summary), "calls of what was piped")


@case("info_says_what_a_timeline_holds_and_what_is_wrong_with_it")
def _(folder):
    trace, summary = timeline_of(folder)
    told = profcore("info", trace).out
    for text in ("timeline, pftrace", "producer   profcore", "victim", "losses     0 events", "slowest", "most time of their own"):
        check(text in told, f"{text}: {told}")
    check("bytes behind the last whole packet" not in told, told)
    with open(trace, "r+b") as file:
        file.truncate(os.path.getsize(trace) - 3)
    check("bytes behind the last whole packet" in profcore("info", trace).out, "a cut file")
    check("profile, with call paths" in profcore("info", summary).out, "a summary")
    with open(trace, "ab") as file:
        file.write(b"plain text " * 20)
    check("at byte" in profcore("info", trace, status=1).err, "damage has its place")
    for arguments, status in (([], 2), (["a", "b"], 2), (["gone"], 1), (["/"], 1)):
        check(profcore("info", *arguments, folder=folder, status=status).err.startswith("profcore info: "), arguments)


@case("merged_timelines_keep_their_processes_apart")
def _(folder):
    traces = []
    for name in "ab":
        os.makedirs(os.path.join(folder, name))
        traces.append(timeline_of(os.path.join(folder, name))[0])
    both = os.path.join(folder, "both.pftrace")
    profcore("merge", "-o", both, *traces)
    equal(calls_of(both), {key: 2 * calls for key, calls in calls_of(traces[0]).items()}, "calls")
    processes = re.findall(r"^(?:processes)? +(\d+)  victim$", profcore("info", both).out, re.M)
    equal(len(set(processes)), 2, "processes")
    profcore("merge", "-o", os.path.join(folder, "twice.pftrace"), both, both)
    equal(len(set(re.findall(r"^(?:processes)? +(\d+)  victim$", profcore("info", os.path.join(folder, "twice.pftrace")).out, re.M))), 4,
          "processes of one file, twice")  # fmt: skip


@case("convert_says_what_it_lacks_and_leaves_what_was_there")
def _(folder):
    path, kept = os.path.join(folder, "0.prof"), os.path.join(folder, "kept.pprof")
    record(path, 0)
    os.makedirs(os.path.join(folder, "sub.json"))
    with open(kept, "w", encoding="utf-8") as file:
        file.write("before")
    for arguments, status, text in (([], 2, "which file"), ([path], 2, "where to?"), ([path, "x.json", "third"], 2, "third"),
                                    ([path, "plain"], 2, "--to"), ([path, "-"], 2, "--to json"),
                                    ([path, "x.docx"], 2, 'unknown format "docx"'), ([path, "no/such/x.json"], 1, "no folder"),
                                    ([path, "sub.json"], 1, "not a regular file"), (["gone.prof", "kept.pprof"], 1, "gone.prof"),
                                    ([path, "kept.pprof"], 1, "call paths"), ([path, "kept.pprof", "--to", "collapsed"], 1, "call paths"),
                                    ([path, "x.pftrace"], 1, "no events")):
        done = profcore("convert", *arguments, folder=folder, status=status)
        check(text in done.err and done.out == "", f"{arguments}: {done.err}")
    equal(sorted(os.listdir(folder)), ["0.prof", "kept.pprof", "sub.json"], "files")
    with open(kept, encoding="utf-8") as file:
        equal(file.read(), "before", "the file that was there")


@case("report_writes_a_page_of_several_profiles_whole_or_not_at_all")
def _(folder):
    def summary_in(page):
        return json.loads(page.split('id="data">')[1].split("</script>")[0])["summary"]
    one, page = run_victim(folder)[0], os.path.join(folder, "page.html")
    with open(page, "w", encoding="ascii") as file:
        file.write("an older one")
    equal(profcore("report", "--html", page, one, one).out, "", "words on standard output")
    with open(page, encoding="ascii") as file:
        equal(summary_in(file.read()), json.loads(profcore("report", "--json", one, one).out), "the summary")
    equal(summary_in(profcore("report", "--html", "-", one).out), json.loads(profcore("report", "--json", one).out), "on standard output")
    equal(profcore("report", "--html=-", one).out, profcore("report", "-f", "html", one).out, "as a format")
    traced = os.path.join(folder, "traced")
    os.mkdir(traced)
    trace, of_trace = timeline_of(traced)
    def slowest_in(*arguments):
        return json.loads(profcore("report", "--html", "-", *arguments).out.split('id="data">')[1].split("</script>")[0])["slowest"]
    equal(slowest_in(of_trace), None, "of a table alone")
    check(slowest_in(trace)["slices"], "of a timeline")
    equal(slowest_in("--timeline", trace, of_trace), slowest_in(trace), "of a table beside its timeline")
    before = sorted(os.listdir(folder))
    for arguments, status, text in ((["--html"], 2, "--html"), (["--timeline", trace, one], 2, "--html"),
                                    (["--html", "x.html", "--timeline", one, one], 1, "timeline"), (["--html", "x.html"], 2, "which file?"), (["--html", "x.html", "--json", one], 2, "one of them"),
                                    (["--html", "x.html", "--limit", "3", one], 2, "for tables"), (["--html", "no/such/x.html", one], 1, "no folder"),
                                    (["--html", "x.html", "gone.json"], 1, "gone.json")):
        check(text in profcore("report", *arguments, folder=folder, status=status).err, f"{arguments}: {text}")
    equal(sorted(os.listdir(folder)), before, "files")


def summary(path, functions, spans=(), counters=(), memory=(), gpu=None):
    """A summary as the library writes it.

    Functions are (name, file, line, calls, self, cumulative, durations), spans (name, file, line, durations), counters
    (name, values), memory (kind, path, bytes that are live), gpu what functions have, by their place.
    """
    def histogram(durations):
        counts = {}
        for duration in durations:
            x = duration + 16
            shift = x.bit_length() - 5
            counts[(shift << 4) + (x >> shift)] = counts.get((shift << 4) + (x >> shift), 0) + 1
        return [[i, counts[i]] for i in sorted(counts)]
    document = {
        "schema": "profcore.summary/1", "name": "made", "root": None, "host": "h", "pid": 1, "taken_unix_s": 1, "recorded_ns": 1,
        "clock": {"source": "tsc", "hz": 1000000000, "steady": True}, "losses": {"lost": 0, "repaired": 0, "unmatched": 0},
        "overhead": {"scope_ns": 25, "scope_ps": 25000, "gauges_ns": 0, "memory_used_bytes": 0, "memory_limit_bytes": 0},
        "memory": None, "unavailable": {"memory": "made"}, "threads": [],
        "functions": [{"id": i, "file": file, "line": line, "name": name, "calls": calls, "primitive_calls": calls, "open_calls": 0,
                       "self_ns": self_ns, "cumulative_ns": cumulative, "min_ns": min(durations), "max_ns": max(durations),
                       "histogram": histogram(durations), "items": None, "memory": None}
                      for i, (name, file, line, calls, self_ns, cumulative, durations) in enumerate(functions)],
        "edges": [],
        "counters": [{"name": name, "file": None, "line": 0, "count": len(values), "not_finite": 0, "last": values[-1],
                      "sum": sum(values), "min": min(values), "max": max(values)} for name, values in counters],
        "spans": [{"name": name, "file": file, "line": line, "count": len(durations), "total_ns": sum(durations),
                   "min_ns": min(durations), "max_ns": max(durations), "histogram": histogram(durations)}
                  for name, file, line, durations in spans],
        "allocators": [{"name": kind, "allocated_bytes": 10 * size, "allocated_count": 10, "live_bytes": size, "live_count": 1,
                        "peak_bytes": 2 * size, "lost_count": 0, "unknown_count": 0} for kind, _, size in memory],
        "places": [{"memory": kind, "path": place, "scope": place, "operator": None, "live_bytes": size, "live_count": 1,
                    "new_count": 2, "grown_bytes": size, "grown_count": 1} for kind, place, size in memory]}
    if gpu is not None:
        document["gpu"] = {"status": "on", "traced_ns": 9, "elapsed_ns": 9}
        for place, work in gpu.items():
            document["functions"][place]["gpu"] = work
    with open(path, "w", encoding="utf-8") as text:
        json.dump(document, text)


@case("merge_adds_up_what_allocators_told_by_kind_and_place")
def _(folder):
    one, two, both = (os.path.join(folder, name) for name in ("one.json", "two.json", "both.json"))
    summary(one, [], memory=[("pool", "load > parse", 1024), ("arena", "load", 64)])
    summary(two, [], memory=[("pool", "load > parse", 2048), ("heap", "load", 4096)])
    profcore("merge", one, two, "-o", both)
    with open(both, encoding="utf-8") as text:
        merged = json.load(text)
    equal([(a["name"], a["live_bytes"], a["allocated_count"], a["peak_bytes"]) for a in merged["allocators"]],
          [("pool", 3072, 20, 4096), ("arena", 64, 10, 128), ("heap", 4096, 10, 8192)], "kinds")
    equal([(p["memory"], p["path"], p["grown_bytes"], p["new_count"]) for p in merged["places"]],
          [("heap", "load", 4096, 2), ("pool", "load > parse", 3072, 4), ("arena", "load", 64, 2)], "places")
    table = profcore("report", both).out
    check("Memory of pool, of 2 processes, as their allocators told: 3.0 KiB in 2 blocks now, peak 4.0 KiB in one; 20 blocks in all"
          in table, table)
    check("        3.0 KiB          2          4 load > parse\n" in table, table)
    equal(table, profcore("report", one, two).out, "merged files and merged at once")


def make_two(folder):
    old, new = os.path.join(folder, "old.json"), os.path.join(folder, "new.json")
    summary(old, [("same", "a.c", 1, 2000, 4000000, 4000000, [2000] * 2000), ("moved", "a.c", 20, 10, 5000, 9000, [900] * 10),
                  ("other folder", "/old/b.c", 3, 1, 100, 100, [100]), ("gone", "a.c", 9, 1, 700, 700, [700]),
                  ("twin", "t.c", 1, 1, 1, 1, [1]), ("twin", "t.c", 7, 1, 2, 2, [2]),
                  ("triplet", "t.c", 11, 1, 2, 2, [2]), ("triplet", "t.c", 12, 1, 2, 2, [2])])
    summary(new, [("same", "a.c", 1, 1000, 3000000, 3000000, [3000] * 1000), ("moved", "a.c", 25, 10, 15000, 19000, [1900] * 10),
                  ("other folder", "/new/b.c", 4, 1, 100, 100, [100]), ("fresh", None, 0, 4, 800, 800, [200] * 4),
                  ("twin", "t.c", 3, 1, 1, 1, [1]), ("twin", "t.c", 9, 1, 2, 2, [2]),
                  ("triplet", "t.c", 13, 1, 2, 2, [2])])
    return old, new


@case("diff_pairs_functions_and_shows_old_new_change_and_percent")
def _(folder):
    old, new = make_two(folder)
    found = json.loads(profcore("diff", "--json", old, new).out)
    equal(found["schema"], "profcore.diff/1", "schema")
    states = [(f["name"], f["state"]) for f in found["functions"]]
    equal(states[:4], [("same", "both"), ("moved", "both"), ("fresh", "new"), ("gone", "vanished")], "by the size of the change")
    equal(sorted(states[4:]), [("other folder", "both"), ("triplet", "new"), ("triplet", "vanished"), ("triplet", "vanished"),
                               ("twin", "both"), ("twin", "both")], "the others")
    twins = [(f["old"]["line"], f["new"]["line"]) for f in found["functions"] if f["name"] == "twin"]
    equal(sorted(twins), [(1, 3), (7, 9)], "twins keep their order")
    same = found["functions"][0]
    equal((same["old"]["calls"], same["new"]["calls"], same["old"]["self_ns"], same["new"]["self_ns"]), (2000, 1000, 4000000, 3000000),
          "figures")
    check(2000 <= same["old"]["p99_ns"] <= 2250 and 3000 <= same["new"]["p99_ns"] <= 3375, same)
    equal(found["functions"][1]["old"]["p50_ns"], None, "too few calls for a percentile")
    text = profcore("diff", old, new).out
    for line in (r"4.00 ms +3.00 ms +-1.00 ms +-25.0 % +2.00 us +3.00 us +\+1.00 us +\+50.0 %  a.c:1\(same\)",
                 r" 2000 +1000 +-1000 +-50.0 %  a.c:1\(same\)", r"\+200.0 % .*  a.c:25\(moved\)\n",
                 r" - +800 ns +- +- .*  \{fresh\}  \(new\)\n", r"700 ns +- +- +- .*  a.c:9\(gone\)  \(vanished\)\n",
                 r"0 ns +\+0.0 % .*  /new/b.c:4\(other folder\)\n", "not a verdict"):
        check(re.search(line, text), f"{line} in\n{text}")
    check(text.index("Percentiles") < text.rindex("a.c:1(same)") and "moved" not in text[text.index("Percentiles"):], text)


@case("diff_compares_spans_and_counters")
def _(folder):
    old, new = os.path.join(folder, "old.json"), os.path.join(folder, "new.json")
    same = [("work", "a.c", 1, 1, 5, 5, [5])]
    summary(old, same, [("queue wait", "q.c", 5, [1000] * 40), ("prefill", "q.c", 9, [50] * 3), ("gone", "q.c", 1, [7])],
            [("queue depth", [4.0, 2.0]), ("balance", [-2.0]), ("old one", [1.0]),
             ("almost none", [1e-300])])
    summary(new, same, [("queue wait", "q.c", 6, [3000] * 50), ("prefill", "/b/q.c", 9, [50] * 3), ("fresh", None, 0, [9, 11])],
            [("queue depth", [4.0, 5.0]), ("balance", [-3.0]), ("new one", [0.25]),
             ("almost none", [1e-4])])
    found = json.loads(profcore("diff", "--json", old, new).out)
    equal([(s["name"], s["state"]) for s in found["spans"]], [("queue wait", "both"), ("fresh", "new"), ("gone", "vanished"),
                                                              ("prefill", "both")], "spans, by the change in total time")
    wait = found["spans"][0]
    equal((wait["old"]["count"], wait["new"]["count"], wait["old"]["total_ns"], wait["new"]["total_ns"], wait["old"]["line"],
           wait["new"]["line"]), (40, 50, 40000, 150000, 5, 6), "figures of a span")
    check(1000 <= wait["old"]["p50_ns"] <= 1125 and 3000 <= wait["new"]["p50_ns"] <= 3375 and wait["new"]["p99_ns"] is None, wait)
    equal([(c["name"], c["state"]) for c in found["counters"]], [("queue depth", "both"), ("balance", "both"), ("old one", "vanished"),
                                                                 ("new one", "new"), ("almost none", "both")], "counters, by the change in mean")
    equal([found["counters"][0][side] for side in ("old", "new")],
          [{"line": 0, "file": None, "count": 2, "last": 2.0, "mean": 3.0}, {"line": 0, "file": None, "count": 2, "last": 5.0, "mean": 4.5}],
          "figures of a counter")
    equal([f["name"] for f in found["functions"]], ["work"], "they are no functions")
    text = profcore("diff", old, new).out
    for line in (r"\n +40 +50 +\+10 +\+25.0 %  queue wait \(q.c:6\)\n",
                 r"40.00 us +150.00 us +\+110.00 us +\+275.0 % +1.00 us +3.00 us +\+2.00 us +\+200.0 %  queue wait \(q.c:6\)\n",
                 r"\n +2 +5 +\+3 +\+150.0 % +3 +4.5 +\+1.5 +\+50.0 %  queue depth\n",
                 r"\n +-2 +-3 +-1 +-50.0 % +-2 +-3 +-1 +-50.0 %  balance\n", r"\+1.0e\+298 %  almost none\n", r"  new one  \(new\)\n", r"  gone \(q.c:1\)  \(vanished\)\n"):
        check(re.search(line, text), f"{line} in\n{text}")
    percentiles = text[text.index("Percentiles of spans"):text.index("Counters")]
    check("queue wait" in percentiles and "prefill" not in percentiles, percentiles)
    only = json.loads(profcore("diff", "--json", "--limit", "queue", "--sort", "calls", old, new).out)
    equal([[row["name"] for row in only[kind]] for kind in ("functions", "spans", "counters")], [[], ["queue wait"], ["queue depth"]],
          "limits hold for each")


@case("diff_compares_what_the_gpu_did")
def _(folder):
    paths = [os.path.join(folder, name) for name in ("old.json", "new.json", "without.json")]
    functions = [(name, "a.c", line, 4, 9, 9, [9]) for line, name in enumerate(("same", "slower", "none", "waits"), 1)]
    waited = {"busy_ns": 77, "is_untraced": True, "is_upper_bound": True, "is_waited": True}
    summary(paths[0], functions, gpu={0: {"busy_ns": 4000}, 1: {"busy_ns": 8000}, 3: waited})
    summary(paths[1], functions, gpu={0: {"busy_ns": 4000}, 1: {"busy_ns": 12000, "is_estimate": True}, 3: waited})
    summary(paths[2], functions)
    found = json.loads(profcore("diff", "--json", "--sort", "gpu", *paths[:2]).out)["functions"]
    equal([(f["name"], f["old"]["gpu_busy_ns"], f["new"]["gpu_busy_ns"], f["old"]["gpu_is_rough"], f["new"]["gpu_is_rough"]) for f in found],
          [("slower", 8000, 12000, False, True), ("same", 4000, 4000, False, False), ("none", 0, 0, False, False),
           ("waits", None, None, False, False)], "by the GPU's time")
    text = profcore("diff", *paths[:2]).out
    table = text[text.index("GPU busy"):]
    for line in (r"8.00 us +12.00 us +\+4.00 us +\+50.0 % +2.00 us +3.00 us +\+1.00 us +\+50.0 %  a.c:2\(slower\)\n",
                 r"4.00 us +4.00 us +0 ns +\+0.0 %", "bounds or estimates"):
        check(re.search(line, table), f"{line} in\n{text}")
    check("none" not in table and "waits" not in table, table)
    found = json.loads(profcore("diff", "--json", paths[0], paths[2]).out)["functions"]
    equal({f["new"]["gpu_busy_ns"] for f in found}, {None}, "nothing was traced")
    check(re.search(r"8.00 us +- +- +- .*slower", profcore("diff", paths[0], paths[2]).out), "on one side only")
    check("GPU" not in profcore("diff", paths[2], paths[2]).out, "on none")


@case("diff_reads_limits_as_report_does")
def _(folder):
    path = os.path.join(folder, "python.prof")
    record(path, 3)
    count = len(pstats.Stats(path).stats)
    for limit in ("3", "0", "99999999999999999999999", ".5", "5e-1", "1e0", "0.25", "1.0", "1.", ".", "1e-3", "e", "1-2", "-1", "2e",
                  "json|re", "none such", ""):
        listed = json.loads(profcore("diff", "--json", "--limit", limit, path, path).out)["functions"]
        text = profcore("report", "--limit", limit, path).out
        reduced = re.search(r"List reduced from \d+ to (\d+) due", text)
        equal(len(listed), int(reduced.group(1)) if reduced else count if "ncalls" in text else 0, repr(limit))
    for limit in ("1.5", "2e3", "1e-3e", "(", "[", "(" * 513, "a" * 513):
        done = [profcore(command, "--limit", limit, *files, status=None) for command, files in (("report", [path]), ("diff", [path, path]))]
        equal(done[1].returncode, done[0].returncode, repr(limit))
        equal(done[1].err.replace("profcore diff", "profcore report").split("\n")[0], done[0].err.split("\n")[0], repr(limit))


@case("diff_sorts_and_limits")
def _(folder):
    old, new = make_two(folder)

    def names(*arguments):
        return [f["name"] for f in json.loads(profcore("diff", "--json", old, new, *arguments).out)["functions"]]

    equal(names("-s", "calls", "-l", "2"), ["same", "fresh"], "by calls")
    equal(names("-s", "name", "-l", "a\\.c"), ["same", "moved", "gone"], "by name")
    equal(names("-s", "percall", "-l", "1"), ["same"], "per call")
    equal(len(names("-l", "0.25")), int(len(names()) * 0.25 + 0.5), "a share")
    check("did you mean" in profcore("diff", old, new, "-s", "totime", status=2).err, "a key")
    check("regular expression" in profcore("diff", old, new, "-l", "(", status=2).err, "a pattern")
    for arguments in ([], [old], [old, new, new], ["-", "-"]):
        profcore("diff", *arguments, status=2)
    with open(old, "rb") as standard_input:
        profcore("diff", "-", new, stdin=standard_input)


@case("diff_of_a_profile_with_itself_shows_no_change")
def _(folder):
    path = os.path.join(folder, "python.prof")
    record(path, 1)
    found = json.loads(profcore("diff", "--json", path, path).out)["functions"]
    equal([f["name"] for f in found if f["old"] != f["new"]], [], "changes")
    equal(len(found), len(pstats.Stats(path).stats), "functions")


# ---- what is wrong ----

@case("bad_files_are_named_with_what_is_wrong_and_status_1")
def _(folder):
    good = os.path.join(folder, "good.prof")
    record(good, 0)
    files = {"empty": b"", "text": b"hello\n", "short.prof": open(good, "rb").read()[:-1], "half.json": b'{"schema": "profcore.sum',
             "other.json": b'{"schema": "profcore.summary/9"}', "list.json": b"[]", "binary": bytes(range(256)) * 10}
    for name, data in files.items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(data)
    for name in [*files, "missing.prof", ".", "/dev/null"]:
        for arguments in (["report", name], ["report", good, name], ["diff", good, name], ["merge", good, name, "-o", "out.json"],
                          ["convert", name, "out.json"]):
            done = profcore(*arguments, folder=folder, status=1)
            check(name in done.err and done.err.count("\n") == 1 and done.out == "", f"{arguments}: {done.err}")
    check(not os.path.exists(os.path.join(folder, "out.json")), "no output of bad input")
    done = profcore("report", "-", input=b"", status=1)
    check("standard input" in done.err, done.err)


@case("a_wrong_command_line_is_status_2_with_the_nearest_name")
def _(folder):
    for arguments, text in ((["reprot"], "did you mean report?"), (["frobnicate"], "there is no command frobnicate"),
                            (["report", "--srot", "calls", "x"], "did you mean --sort?"), (["report", "-z"], "unknown option -z"),
                            (["report", "--sort"], "--sort needs a value"), (["report", "--json=1", "x"], "takes no value"),
                            (["report"], "which file?"), (["--frob"], "unknown option --frob"), (["help", "dif"], "did you mean diff?"),
                            (["doctor", "x"], "takes no argument"), (["run"], "which program?"),
                            (["report", "--json", "--limit", "3", "x"], "are for tables")):
        done = profcore(*arguments, status=2)
        check(text in done.err and "Try: profcore help" in done.err and done.out == "", f"{arguments}: {done.err}")
    path = os.path.join(folder, "python.prof")
    record(path, 0)
    for arguments, text in ((["--sort", "size"], "there are: calls"), (["--limit", "("], "not a regular expression"),
                            (["--limit", "1.5"], "share from 0 to 1"), (["--format", "docx"], "docx")):
        check(text in profcore("report", path, *arguments, status=2).err, arguments)
    check("usage: profcore COMMAND" in profcore(status=2).err, "no command")


@case("help_lists_the_formats_that_the_library_writes")
def _(folder):
    said = profcore("run", "-f", "docx", "true", folder=folder, status=2).err
    formats = said.partition("there are: ")[2].splitlines()[0].split(", ")
    check(len(formats) >= 10, said)
    for command in ("run", "recover"):
        listed = profcore("help", command).out.rpartition("--formats")[2].partition("  -")[0]
        equal(sorted(set(re.findall(r"[a-z]+", listed)) & set(formats)), sorted(formats), f"formats that {command} names")


@case("help_and_version_go_to_stdout")
def _(folder):
    whole = profcore("--help").out
    equal(profcore("help").out, whole, "help")
    for command in ("run", "report", "diff", "merge", "convert", "info", "doctor"):
        check(f"  {command} " in whole, command)
        text = profcore("help", command).out
        check(text.startswith(f"usage: profcore {command} "), text)
        equal(profcore(command, "--help").out, text, "--help")
        equal(profcore(command, "-h").out, text, "-h")
        check(max(map(len, text.split("\n"))) <= 96, "lines fit")
    check(re.fullmatch(r"profcore \d+\.\d+\.\d+\n", profcore("--version").out), "version")


@case("a_full_disk_is_a_failure_and_a_reader_that_left_is_no_news")
def _(folder):
    path = os.path.join(folder, "python.prof")
    record(path, 0)
    for arguments in (["report", path], ["diff", path, path], ["diff", "--json", path, path], ["--help"], ["doctor", "--json"],
                      ["report", "--help"]):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([tool, *arguments], stdout=full, stderr=subprocess.PIPE, env=environment(), timeout=60)
        check(done.returncode == 1 and b"No space left" in done.stderr, (arguments, done))
        read_end, write_end = os.pipe()
        os.close(read_end)
        for restore in (True, False):  # SIGPIPE ends it, or is ignored
            done = subprocess.run([tool, *arguments], stdout=write_end, stderr=subprocess.PIPE, env=environment(), timeout=60,
                                  restore_signals=restore)
            check(done.returncode in (-signal.SIGPIPE, 1) and done.stderr == b"", (arguments, done))
        os.close(write_end)


# ---- run ----

def start(folder, *arguments, **variables):
    process = launch([tool, "run", *arguments], cwd=folder, env=environment(**variables), stdout=subprocess.PIPE,
                     stderr=subprocess.PIPE, text=True)
    equal(process.stdout.readline(), "ready\n", "the program's first line")
    return process


@case("run_records_and_its_status_is_the_programs")
def _(folder):
    done = profcore("run", "-o", "here", "-n", "my run", "-f", "txt,json", "-s", "name", "-m", "2MiB", "--clock", "vdso", "--set",
                    "QUIET=0", "--", victim, folder=folder)
    check(f"profcore: wrote {os.path.realpath(folder)}/here/my_run_" in done.err, done.err)
    files = sorted(glob.glob(os.path.join(folder, "here", "my_run_*")))
    equal([os.path.splitext(f)[1] for f in files], [".json", ".txt"], "formats")
    with open(files[0], encoding="utf-8") as text:
        found = json.load(text)
    equal((found["name"], found["clock"]["source"], found["overhead"]["memory_limit_bytes"]), ("my run", "vdso", 2 << 20), "options")
    for status in (0, 1, 7, 255):
        profcore("run", "-q", "sh", "-c", f"exit {status}", status=status, folder=folder)
    equal(profcore("run", "-q", "cat", input=b"through", folder=folder).out, "through", "standard input and output")
    equal(profcore("run", "-q", "printf", "%s", "--help", folder=folder).out, "--help", "the program's options are its own")
    equal(profcore("run", "-q", "--exec", "sh", "-c", "exit 3", folder=folder, status=3).err, "", "--exec")


@case("run_writes_where_its_user_stands_also_when_the_program_goes_elsewhere")
def _(folder):
    os.mkdir(os.path.join(folder, "elsewhere"))
    profcore("run", "-q", "sh", "-c", f"cd elsewhere && exec {victim}", folder=folder)
    equal(sorted(os.listdir(folder)), ["elsewhere", "profiling_results"], "folders")


@case("run_says_why_nothing_was_written")
def _(folder):
    script = os.path.join(folder, "script")
    with open(script, "w", encoding="ascii") as text:
        text.write("#!/bin/sh\ntrue\n")
    os.chmod(script, 0o755)
    for arguments, status, text in ((["true"], 0, "does not link libprofcore"), (["./script"], 0, "is a script"),
                                    ([tool, "--version"], 0, "reached no scope")):
        done = profcore("run", *arguments, folder=folder, status=status)
        check("has written nothing" in done.err and text in done.err, f"{arguments}: {done.err}")
        check("has written nothing" not in profcore("run", "-q", *arguments, folder=folder, status=status).err, "unless quiet")
    process = start(folder, victim, "loop")
    with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as children:
        os.kill(int(children.read()), signal.SIGKILL)
    _, said = process.communicate(timeout=20)
    check(process.returncode == -signal.SIGKILL and "ended by the signal KILL: --set CRASH_SAFE=1 keeps" in said, said)
    check("has written nothing" not in profcore("run", "-f", "none", victim, folder=folder).err, "nor where no file was wanted")
    check("has written nothing" not in profcore("run", victim, folder=folder).err, "nor where there is one")


@case("run_says_why_a_folder_takes_nothing_and_where_the_files_are")
def _(folder):
    open(os.path.join(folder, "file"), "w", encoding="ascii").close()
    os.mkdir(os.path.join(folder, "closed"), 0o555)
    os.mkdir(os.path.join(folder, "tmp"))
    refusals = [("file", "Not a directory"), ("file/below", "Not a directory"), ("x" * 300, "File name too long")]
    if os.geteuid() != 0:
        refusals += [("closed", "Permission denied"), ("closed/below", "Permission denied")]
    else:
        refusals += [("/proc/below", "No such file or directory")]
    for place, why in refusals:
        done = profcore("run", "-o", place, victim, folder=folder, variables={"TMPDIR": os.path.join(folder, "tmp")})
        check(f"profcore run: no file can be made there: {why}; " in done.err and f"under {folder}/tmp then" in done.err, done.err)
        check("reached no scope" not in done.err and f"profcore: wrote {folder}/tmp/profcore-" in done.err, done.err)
    equal(sorted(os.listdir(folder)), ["closed", "file", "tmp"], "nothing else is left")


@case("run_of_what_cannot_start_is_127_or_126")
def _(folder):
    check("No such file" in profcore("run", "no-such-program", folder=folder, status=127).err, "127")
    check("Permission denied" in profcore("run", "/etc/passwd", folder=folder, status=126).err, "126")
    profcore("run", "--exec", "no-such-program", folder=folder, status=127)
    equal(os.listdir(folder), [], "files")


@case("run_refuses_bad_values_before_it_starts_anything")
def _(folder):
    for arguments, text in ((["-s", "size"], "unknown sort key"), (["-m", "lots"], "not a size"), (["-f", "docx"], "unknown format"),
                            (["--signals", "KILL"], "unknown signal"), (["--save-every", "-1"], "whole number"),
                            (["--set", "FOO=1"], "no such variable"), (["--set", "FOO"], "NAME=VALUE"), (["--clock", "x"], "neither")):
        done = profcore("run", *arguments, "touch", "started", folder=folder, status=2)
        check(text in done.err, f"{arguments}: {done.err}")
    equal(os.listdir(folder), [], "files")


@case("signals_reach_the_program_and_it_ends_both_alike")
def _(folder):
    for sent, arguments in ((signal.SIGTERM, []), (signal.SIGINT, []), (signal.SIGHUP, ["--signals", "HUP"]),
                            (signal.SIGTERM, ["--exec"])):
        process = start(folder, "-n", f"s{int(sent)}", *arguments, victim, "loop")
        process.send_signal(sent)
        _, said = process.communicate(timeout=20)
        equal(process.returncode, -sent, f"{sent!r} {arguments}: {said}")
        check(glob.glob(os.path.join(folder, "profiling_results", f"s{int(sent)}_*.json")), f"files after {sent!r}: {said}")
    process = start(folder, "--signals", "none", victim, "loop")
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=20)
    check(process.returncode == -signal.SIGTERM and "ended by the signal TERM: --signals TERM saves first" in said, said)


@case("a_killed_run_takes_its_program_along")
def _(folder):
    process = subprocess.Popen([tool, "run", "-q", "sh", "-c", "echo $$; exec sleep 60"], cwd=folder, env=environment(),
                               stdout=subprocess.PIPE, text=True)
    child = int(process.stdout.readline())
    process.kill()
    process.wait(20)
    end = time.monotonic() + 20
    while os.path.exists(f"/proc/{child}") and open(f"/proc/{child}/stat", encoding="ascii").read().split()[2] != "Z":
        check(time.monotonic() < end, "it lives")
        time.sleep(0.02)


@case("the_users_own_variables_count_and_the_tool_records_nothing_of_itself")
def _(folder):
    variables = {"PROFCORE": "1", "PROFCORE_DIR": "mine", "PROFCORE_SIGNALS": "TERM", "PROFCORE_NAME": "own"}
    done = profcore("run", victim, folder=folder, variables=variables)
    check("wrote" in done.err and glob.glob(os.path.join(folder, "mine", "own_*.json")), done.err)
    process = start(folder, victim, "loop", **variables)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    equal(process.returncode, -signal.SIGTERM, "through the tool, whatever its own library was told")
    equal(len(glob.glob(os.path.join(folder, "mine", "own_*.json"))), 2, "and the program could save before")
    count = len(os.listdir(os.path.join(folder, "mine")))
    for arguments in (["--version"], ["--help"], ["report", "--help"], ["doctor"],
                      ["report", glob.glob(os.path.join(folder, "mine", "own_*.json"))[0]]):
        equal(profcore(*arguments, folder=folder, variables=variables).err, "", arguments)
    for arguments in ([], ["report"], ["report", "--bogus"], ["bogus"], ["report", "bogus"], ["run", "bogus"]):
        said = [profcore(*arguments, folder=folder, status=None, variables=which).err for which in ({}, variables)]
        equal(said[1], said[0], arguments)
    equal(len(os.listdir(os.path.join(folder, "mine"))), count, "files")


# ---- doctor ----

def fake_libraries(folder, **sources):
    """Makes lib<name>.so.1 of C sources; returns the variable with which they are found."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise Skip("no compiler")
    for name, source in sources.items():
        path = os.path.join(folder, name + ".c")
        with open(path, "w", encoding="ascii") as text:
            text.write(source)
        subprocess.run([compiler, "-shared", "-fPIC", "-o", os.path.join(folder, f"lib{name.replace('_', '-')}.so.1"), path], check=True)
    return {"LD_LIBRARY_PATH": ":".join(p for p in (folder, os.environ.get("LD_LIBRARY_PATH", "")) if p)}


@case("doctor_leaves_nothing_also_where_the_environment_saves_each_second")
def _(folder):
    slow = fake_libraries(folder, cuda="#include <unistd.h>\n__attribute__((constructor)) static void wait(void) { sleep(3); }\n")
    before = os.listdir(folder)
    done = profcore("doctor", folder=folder, variables={"PROFCORE": "1", "PROFCORE_SAVE_EVERY": "1", **slow})
    equal((done.err, os.listdir(folder)), ("", before), "what it leaves")


@case("doctor_lists_what_works_and_changes_nothing")
def _(folder):
    done = profcore("doctor", folder=folder)
    equal((done.err, os.listdir(folder)), ("", []), "what it leaves")
    for line in (r"  ok    library +libprofcore \d+\.\d+\.\d+, /", r"  ok    recording +works", r"  (ok|warn)  +clock ", "cost of a scope",
                 r"  ok    results +profiling_results: will be made"):
        check(re.search(line, done.out), f"{line} in {done.out}")
    found = json.loads(profcore("doctor", "--json", folder=folder).out)
    equal((found["schema"], found["fit"]), ("profcore.doctor/1", True), "JSON")
    equal({row["status"] for row in found["rows"]} - {"ok", "warn", "no"}, set(), "words")
    for row in found["rows"]:
        check(row["finding"] and (row["status"] == "ok") == (row["remedy"] is None), row)


def rows(folder, status=0, **options):
    found = json.loads(profcore("doctor", "--json", folder=folder, status=status, **options).out)["rows"]
    return {row["name"]: row for row in found}, found


@case("doctor_tells_which_variables_would_be_ignored")
def _(folder):
    _, found = rows(folder, variables={"PROFCORE_SORT": "size", "PROFCORE_SROT": "1", "PROFCORE_NAME": "fine"})
    by_start = {row["finding"].split("=")[0]: row["status"] for row in found if row["name"] == "variable"}
    equal(profcore("doctor", folder=folder, variables={"PROFCORE_SROT": "1"}).err, "", "and says it once")
    equal(by_start, {"PROFCORE_SORT": "warn", "PROFCORE_SROT": "warn", "PROFCORE_NAME": "ok"}, "variables")
    by_name, _ = rows(folder, variables={"PROFCORE": "0"})
    equal(by_name["recording"]["status"], "warn", "PROFCORE=0")


@case("doctor_sees_a_folder_that_refuses_and_memory_that_is_not_there")
def _(folder):
    by_name, _ = rows(folder, variables={"PROFCORE_DIR": "/proc/none", "TMPDIR": "/proc/none"})
    equal((by_name["results"]["status"], by_name["TMPDIR"]["status"]), ("warn", "warn"), "folders")
    if os.environ.get("PROFCORE_TOOL_BUILD") == "sanitized":
        raise Skip("a sanitizer's own address space does not fit in a limit")
    import resource
    limits = lambda: resource.setrlimit(resource.RLIMIT_AS, (48 << 20, 48 << 20))
    by_name, _ = rows(folder, status=1, preexec_fn=limits)
    equal((by_name["recording"]["status"], by_name["address space"]["status"]), ("no", "warn"), "a limit of 48 MiB")
    check("PROFCORE_MEMORY" in by_name["recording"]["remedy"], by_name["recording"])
    by_name, _ = rows(folder, preexec_fn=limits, variables={"PROFCORE_MEMORY": "1MiB"})
    equal(by_name["recording"]["status"], "ok", "the remedy works")


TRIGGERS = ("dumps", "signals", "crash", "stream", "crash-safe", "control socket")


@case("doctor_tries_dumps_signals_streams_crash_safety_and_the_socket_and_leaves_nothing")
def _(folder):
    for name in ("tmp", "run"):
        os.mkdir(os.path.join(folder, name), 0o700)
    variables = {"TMPDIR": os.path.join(folder, "tmp"), "XDG_RUNTIME_DIR": os.path.join(folder, "run")}
    by_name, _ = rows(folder, variables=variables)
    equal({name: by_name[name]["status"] for name in TRIGGERS}, dict.fromkeys(TRIGGERS, "ok"), [by_name[name] for name in TRIGGERS])
    check(f"in {folder}/run/profcore," in by_name["control socket"]["finding"], by_name["control socket"])
    check("64 MiB" in by_name["crash-safe"]["finding"], by_name["crash-safe"])
    left = sorted(os.path.relpath(os.path.join(path, name), folder) for path, folders, files in os.walk(folder) for name in folders + files)
    equal(left, ["run", "tmp"], "what it leaves")
    check("section Variables" in profcore("doctor", folder=folder).out, "where the variables are explained")


@case("doctor_says_why_a_trigger_does_not_work_and_what_to_do")
def _(folder):
    def hinder():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    import resource
    os.makedirs(os.path.join(folder, "run", "profcore"), 0o755)
    os.chmod(os.path.join(folder, "run", "profcore"), 0o755)
    by_name, _ = rows(folder, preexec_fn=hinder, variables={"XDG_RUNTIME_DIR": os.path.join(folder, "run")})
    equal((by_name["signals"]["status"], by_name["signals"]["finding"]), ("warn", "ignored: HUP; blocked: USR2"), "signals")
    for name, why in (("crash-safe", "File too large"), ("control socket", "is not a folder that only user")):
        check(by_name[name]["status"] == "no" and why in by_name[name]["finding"] and "PROFCORE_" in by_name[name]["remedy"], by_name[name])
    by_name, _ = rows(folder, variables={"PROFCORE_DIR": "/proc/none", "TMPDIR": "/proc/none", "XDG_RUNTIME_DIR": "/proc/none"})
    equal([by_name[name]["status"] for name in ("dumps", "stream", "crash-safe", "control socket")], ["warn", "no", "no", "no"], by_name)


@case("doctor_survives_libraries_that_crash_or_say_no")
def _(folder):
    fakes = fake_libraries(
        folder, nvidia_ml="__attribute__((constructor)) static void die(void) { __builtin_trap(); }\n",
        cuda="int cuInit(unsigned f) { (void)f; return 100; } int cuDriverGetVersion(int *v) { *v = 12040; return 0; }\n"
             "int cuDeviceGetCount(int *n) { *n = 0; return 0; }\n")
    by_name, _ = rows(folder, variables=fakes)
    check(by_name["NVML"]["status"] == "warn" and "crashes" in by_name["NVML"]["finding"], by_name["NVML"])
    check("CUDA 12.4, but cuInit() fails with 100" in by_name["CUDA driver"]["finding"], by_name["CUDA driver"])


finish()
