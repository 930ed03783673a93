#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The environment alone turns a program's probes on, and nothing it says can hurt the program.

usage: process_check.py VICTIM
"""
import glob
import json
import os
import pstats
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "support"))
from tap_cases import Skip, case, check, clean_environment, finish, launch

victim = os.path.abspath(sys.argv[1])


def environment(**variables):
    return {**clean_environment(), **variables}


def run(folder, mode="once", **variables):
    return subprocess.run([victim, mode], cwd=folder, env=environment(**variables), capture_output=True, text=True,
                          timeout=60)


def start(folder, mode, **variables):
    process = launch([victim, mode], cwd=folder, env=environment(**variables), stdout=subprocess.PIPE,
                     stderr=subprocess.PIPE, text=True)
    if process.stdout.readline() != "ready\n":
        raise AssertionError("the victim did not get ready: " + process.stderr.read())
    return process


def files(folder, pattern="profiling_results/*"):
    return sorted(glob.glob(os.path.join(folder, pattern)))


def summary(folder, name="victim"):
    with open(files(folder, f"profiling_results/{name}_*.json")[0], encoding="utf-8") as text:
        return json.load(text)


def calls(folder, function, name="victim"):
    return sum(f["calls"] for f in summary(folder, name)["functions"] if f["name"] == function)


def wait_until(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < end, what)
        time.sleep(0.02)


@case("without_a_variable_nothing_is_recorded_written_or_said")
def _(folder):
    done = run(folder)
    check((done.returncode, done.stdout, done.stderr) == (0, "", ""), done)
    check(os.listdir(folder) == [], os.listdir(folder))


@case("profcore_1_records_from_the_first_constructor_to_the_last_destructor")
def _(folder):
    done = run(folder, PROFCORE="1")
    check(done.returncode == 0 and "profcore: wrote profiling_results/victim_" in done.stderr, done)
    check(".txt .prof .json .pftrace, and tables for 1 function" in done.stderr, done.stderr)
    check(len(files(folder)) == 7, files(folder))
    for name in ("early", "work", "step", "at_exit", "late"):
        check(calls(folder, name) == 1, f"{name}: {calls(folder, name)} calls")
    for prof in files(folder, "profiling_results/*.prof"):
        check(len(pstats.Stats(prof).stats) >= 2, prof)


@case("profcore_0_keeps_the_recorder_off_where_the_program_starts_it")
def _(folder):
    done = run(folder, "api", PROFCORE="0")
    check(done.stdout == "0 \n" and os.listdir(folder) == [], (done, os.listdir(folder)))
    check(run(folder, "snapshot", PROFCORE="0").stdout == "", "a snapshot of nothing")
    with open(os.path.join(folder, "snapshot.json"), encoding="utf-8") as text:
        found = json.load(text)
    check(found["functions"] == [] and found["recorded_ns"] < 1_000_000_000, found)


@case("the_program_alone_starts_stops_and_saves")
def _(folder):
    done = run(folder, "api")
    check(done.stdout == "0 \n" and len(files(folder)) == 7, (done, files(folder)))
    check(calls(folder, "work") == 1, "only the call between start and stop")


@case("a_programs_options_count_also_after_a_site_was_made")
def _(folder):
    done = run(folder, "options")
    check(done.stdout == "0 \n" and os.listdir(folder) == [], (done, os.listdir(folder)))


@case("a_programs_options_count_beside_profcore_1_which_saves_all_the_same")
def _(folder):
    done = run(folder, "options", PROFCORE="1")
    check(done.stdout == "0 \n" and len(files(folder, "profiling_results/chosen_*")) == 4, (done, files(folder)))
    check(calls(folder, "work", "chosen") == 2, "the call before prof_start() too")


@case("unknown_names_and_values_are_reported_once_and_ignored")
def _(folder):
    done = run(folder, "api", PROFCORE="1", PROFCORE_SORTT="x", PROFCORE_SORT="size", PROFCORE_MEMORY="lots",
               PROFCORE_SAVE_EVERY="-1", PROFCORE_SIGNALS="TERM,KILL", PROFCORE_CLOCK="sundial", PROFCORE_FORMATS="txt,pdf")
    for text in ("unknown variable PROFCORE_SORTT in the environment; ignored (did you mean PROFCORE_SORT?)",
                 "PROFCORE_SORT=size ignored: unknown sort key",
                 "PROFCORE_MEMORY=lots ignored: not a size such as 64MiB; 64MiB is used", "PROFCORE_SAVE_EVERY=-1 ignored",
                 'PROFCORE_SIGNALS=TERM,KILL ignored: unknown signal "KILL"', "PROFCORE_CLOCK=sundial ignored",
                 'PROFCORE_FORMATS=txt,pdf ignored: unknown format "pdf"'):
        check(done.stderr.count(text) == 1, f"{text!r} once in:\n{done.stderr}")
    check(len(files(folder)) == 7, files(folder))


@case("of_a_bad_value_the_one_that_is_used_instead_is_told")
def _(folder):
    done = run(folder, "options", PROFCORE_FORMATS="pdf", PROFCORE_SORT="size", PROFCORE_NAME="x" * 300, PROFCORE_MODE="rings",
               PROFCORE_CLOCK="sundial", PROFCORE_MAX_BYTES="1.5", PROFCORE_WHEN_FULL="panic", PROFCORE_DUMP_EVERY="-1",
               PROFCORE_CRASH_SAFE="yes", PROFCORE_SIGNALS="KILL", PROFCORE_EVENT_MIN_NS="1ms", PROFCORE_DUMP_SIGNAL="9")
    for name, told in (("FORMATS", "; txt,prof,json,pftrace is used"), ("SORT", "; cumulative is used"), ("NAME", "; chosen is used"),
                       ("MODE", "; ring is used"), ("CLOCK", "; auto is used"), ("WHEN_FULL", "; oldest is used"),
                       ("DUMP_EVERY", "; 10 is used"), ("MAX_BYTES", "; it counts as not set"),
                       ("CRASH_SAFE", "; it counts as not set"), ("SIGNALS", "; it counts as not set"),
                       ("EVENT_MIN_NS", "; it counts as not set"), ("DUMP_SIGNAL", "; it counts as not set")):
        lines = [line for line in done.stderr.splitlines() if f"PROFCORE_{name}=" in line]
        check(len(lines) == 1 and lines[0].endswith(told), (name, told, done.stderr))


@case("of_an_unknown_name_the_one_it_resembles_is_told_if_there_is_one")
def _(folder):
    resembling = {"FORMAT": "FORMATS", "MEMROY": "MEMORY", "MAXFILES": "MAX_FILES", "SAVE_EVRY": "SAVE_EVERY", "DUR": "DIR"}
    others = ("X", "COLOUR", "", "S" * 5000)
    names = {f"PROFCORE_{name}": "1" for name in (*resembling, *others)}
    done = run(folder, PROFCORE="1", **names)
    for name, meant in resembling.items():
        check(f"PROFCORE_{name} in the environment; ignored (did you mean PROFCORE_{meant}?)" in done.stderr, done.stderr)
    for name in others:
        check(f"PROFCORE_{name[:71]} in the environment; ignored\n" in done.stderr, (name, done.stderr))


@case("formats_for_other_viewers_are_written_where_they_are_named")
def _(folder):
    done = run(folder, PROFCORE="1", PROFCORE_FORMATS="json,pprof,collapsed,callgrind")
    check(".json .pprof .collapsed .callgrind, and tables for 1 function" in done.stderr, done.stderr)
    names = [os.path.basename(name) for name in files(folder)]
    check(len(names) == 8 and len({name.partition(".")[0] for name in names}) == 2, names)


@case("without_event_rings_there_is_no_timeline_which_is_said_where_it_was_asked_for")
def _(folder):
    done = run(folder, PROFCORE="1", PROFCORE_MODE="tree")
    check(".txt .prof .json, and" in done.stderr and "pftrace" not in done.stderr, done.stderr)
    check(len(files(folder)) == 6, files(folder))
    done = run(folder, PROFCORE="1", PROFCORE_MODE="tree", PROFCORE_FORMATS="pftrace")
    check("no .pftrace: PROFCORE_MODE=tree keeps no events" in done.stderr and "wrote" not in done.stderr, done.stderr)
    check(len(files(folder)) == 6 and done.returncode == 0, files(folder))


@case("a_value_of_profcore_that_is_neither_0_nor_1_is_reported")
def _(folder):
    for mode in ("once", "api"):
        done = run(folder, mode, PROFCORE="yes")
        check(done.stderr.count("PROFCORE=yes ignored: neither 0 nor 1") == 1, done)


@case("name_folder_formats_sort_memory_and_clock_are_obeyed")
def _(folder):
    done = run(folder, PROFCORE="1", PROFCORE_NAME="../my run", PROFCORE_DIR="a/b", PROFCORE_FORMATS="json,txt",
               PROFCORE_SORT="name", PROFCORE_MEMORY="2MiB", PROFCORE_CLOCK="vdso", PROFCORE_QUIET="1")
    check(done.stderr == "", done.stderr)
    check([os.path.basename(f).rsplit("_", 1)[0] for f in files(folder, "a/b/*")] == ["_._my_run"] * 2 + ["work"] * 2,
          files(folder, "a/b/*"))
    with open(files(folder, "a/b/_._my_run_*.txt")[0], encoding="utf-8") as text:
        check("Ordered by: function name" in text.read(), "sort")
    with open(files(folder, "a/b/_._my_run_*.json")[0], encoding="utf-8") as text:
        found = json.load(text)
    check(found["name"] == "../my run" and found["clock"] == {"source": "vdso", "hz": 1000000000, "steady": True, "went_back": 0}, found)
    check(found["overhead"]["memory_limit_bytes"] == 2 << 20, found["overhead"])
    check(sum(f["calls"] for f in found["functions"] if f["name"] == "step") == 1, "the slow path of the vDSO clock")


@case("a_service_that_ends_by_a_signal_leaves_its_files_and_dies_of_it")
def _(folder):
    for number_ in (signal.SIGTERM, signal.SIGINT):
        process = start(folder, "loop", PROFCORE="1", PROFCORE_SIGNALS="TERM,SIGINT", PROFCORE_NAME=f"s{int(number_)}")
        time.sleep(0.1)
        process.send_signal(number_)
        check(process.wait(20) == -number_, process.returncode)
        check(calls(folder, "work", f"s{int(number_)}") > 1, "calls")
        check("profcore: wrote profiling_results/s" in process.stderr.read(), "notice")


@case("without_the_variable_no_signal_is_touched")
def _(folder):
    process = start(folder, "loop", PROFCORE="1")
    process.send_signal(signal.SIGTERM)
    check(process.wait(20) == -signal.SIGTERM and os.listdir(folder) == [], os.listdir(folder))


@case("the_hosts_own_handler_runs_after_each_save_and_the_service_goes_on")
def _(folder):
    process = start(folder, "handler", PROFCORE_SIGNALS="USR1")
    process.send_signal(signal.SIGUSR1)
    check(process.stdout.readline() == "handled 1\n", "the first signal")
    check(len(files(folder)) == 7, f"files before the handler has run: {files(folder)}")
    for path in files(folder):
        os.unlink(path)
    process.send_signal(signal.SIGUSR1)
    output, _ = process.communicate(timeout=20)
    check(process.returncode == 0 and output == "handled 2\n", (process.returncode, output))
    check(len(files(folder)) == 7, f"files of the second: {files(folder)}")


@case("a_service_in_a_system_call_is_interrupted_as_its_own_handler_asks")
def _(folder):
    process = start(folder, "blocked-read", PROFCORE_SIGNALS="TERM")
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=20)
    check(process.returncode == 0 and output == "interrupted\n", (process.returncode, output))
    check(len(files(folder)) == 7, files(folder))


@case("a_handler_that_is_for_the_first_signal_only_leaves_the_second_to_end_the_service")
def _(folder):
    for mode in ("graceful-once", "reset-once"):
        process = start(folder, mode, PROFCORE_SIGNALS="INT", PROFCORE_NAME=mode)
        process.send_signal(signal.SIGINT)
        check(process.stdout.readline() == "handled 1\n", mode)
        check(len(files(folder, f"profiling_results/{mode}_*")) == 4, files(folder))
        process.send_signal(signal.SIGINT)
        check(process.wait(20) == -signal.SIGINT, (mode, process.returncode))


@case("a_handler_that_calls_ours_has_the_one_before_it_called_once")
def _(folder):
    process = start(folder, "chain", PROFCORE_SIGNALS="USR1")
    for count in (1, 2):
        process.send_signal(signal.SIGUSR1)
        line = process.stdout.readline()
        check(line == f"handled {count}, chained {count}\n", line)
    check(process.wait(20) == 0, process.returncode)


@case("an_ignored_signal_stays_ignored")
def _(folder):
    ignoring = subprocess.Popen(["sh", "-c", f"trap '' TERM; exec {victim} loop"], cwd=folder, text=True,
                                env=environment(PROFCORE="1", PROFCORE_SIGNALS="TERM"), stdout=subprocess.PIPE)
    ignoring.stdout.readline()
    ignoring.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    check(ignoring.poll() is None, "it ended")
    ignoring.kill()
    ignoring.wait()


@case("saving_at_intervals_replaces_the_runs_own_files_while_it_runs")
def _(folder):
    process = start(folder, "loop", PROFCORE="1", PROFCORE_SAVE_EVERY="1")
    try:
        wait_until(lambda: len(files(folder)) == 7, "files while it runs")
        first = calls(folder, "work")
        wait_until(lambda: calls(folder, "work") > first, "a second save")
        check(len(files(folder)) == 7, files(folder))
    finally:
        process.kill()
        process.wait()


@case("a_programs_interval_counts_also_after_profcore_1_started")
def _(folder):
    process = start(folder, "interval", PROFCORE="1")
    try:
        wait_until(lambda: len(files(folder)) == 7, "files while it runs")
    finally:
        process.kill()
        process.wait()


@case("a_forked_child_gets_the_signals_old_action_back")
def _(folder):
    done = run(folder, "fork", PROFCORE="1", PROFCORE_SIGNALS="TERM")
    check(done.stdout == f"the child ended by signal {int(signal.SIGTERM)}\n", done)


@case("only_the_calls_that_meet_their_rule_get_files")
def _(folder):
    done = run(folder, "requests", PROFCORE="1", PROFCORE_SAVE_IF="request>40ms,no such/5", PROFCORE_FORMATS="json,txt")
    check("kept 3 calls: 3 saved, 0 lost, 0 not written" in done.stderr, done.stderr)
    check('the rule for "no such" kept nothing' in done.stderr, done.stderr)
    check(len(files(folder, "profiling_results/request_*.json")) == 3, files(folder))
    for path in files(folder, "profiling_results/request_*.json"):
        with open(path, encoding="utf-8") as text:
            found = json.load(text)
        check(found["root"] == "request" and found["call"]["number"] % 4 == 0, found["call"])
        check(found["call"]["duration_ns"] > 40_000_000 and found["call"]["kept_because"] == "slow", found["call"])
        check([(f["name"], f["calls"]) for f in found["functions"]] == [("request", 1), ("step", 1)], found["functions"])
        check(abs(found["call"]["ended_unix_us"] / 1e6 - time.time()) < 60, found["call"])
    check(calls(folder, "request") == 12, "all calls are in the run's own files")
    with open(files(folder, "profiling_results/victim_*.txt")[0], encoding="utf-8") as text:
        check("3 calls met their rule: 3 saved" in text.read(), "the report")


@case("rules_that_no_format_can_serve_keep_nothing_which_is_said")
def _(folder):
    done = run(folder, "requests", PROFCORE="1", PROFCORE_SAVE_IF="request/2", PROFCORE_FORMATS="pftrace")
    check(done.stderr.count("no calls were kept") == 1 and "saved" not in done.stderr, done.stderr)
    check(len(files(folder)) == 1, files(folder))


@case("a_kept_calls_prof_opens_in_pstats")
def _(folder):
    run(folder, "requests", PROFCORE="1", PROFCORE_SAVE_IF="request/6", PROFCORE_FORMATS="prof,txt")
    found = files(folder, "profiling_results/request_*.prof")
    check(len(found) == 2, files(folder))
    for path in found:
        stats = pstats.Stats(path)
        check(stats.total_calls == 2 and {key[2] for key in stats.stats} == {"request", "step"}, stats.stats)


@case("kept_calls_are_written_while_the_program_runs_also_for_a_rule_in_code")
def _(folder):
    process = start(folder, "ruled", PROFCORE_FORMATS="json")
    try:
        wait_until(lambda: len(files(folder, "profiling_results/ruled_request_*.json")) == 3, "files while it runs")
        check(files(folder, "profiling_results/victim_*") == [], "the run's own are for its end")
    finally:
        process.kill()
        process.wait()


@case("bad_rules_and_limits_are_reported_with_their_bad_part")
def _(folder):
    done = run(folder, PROFCORE="1", PROFCORE_SAVE_IF="work>50ms,step>50", PROFCORE_MAX_FILES="few",
               PROFCORE_MAX_BYTES="1 lot", PROFCORE_WHEN_FULL="panic")
    for text in ('PROFCORE_SAVE_IF=work>50ms,step>50 ignored: rule "step>50": not a duration',
                 "PROFCORE_MAX_FILES=few ignored: not a whole number", "PROFCORE_MAX_BYTES=1 lot ignored: not a size",
                 "PROFCORE_WHEN_FULL=panic ignored: neither oldest nor stop"):
        check(done.stderr.count(text) == 1, f"{text!r} once in:\n{done.stderr}")
    check(len(files(folder)) == 7, files(folder))


@case("the_folders_limit_holds_over_runs_and_the_oldest_go")
def _(folder):
    for number_ in range(5):
        run(folder, "requests", PROFCORE="1", PROFCORE_NAME=f"run{number_}", PROFCORE_MAX_FILES="9",
            PROFCORE_FORMATS="txt,prof,json")
    check(len(files(folder)) == 9 and len(files(folder, "profiling_results/run4_*")) == 3, files(folder))
    check(files(folder, "profiling_results/run[01]_*") == [], files(folder))
    done = run(folder, "requests", PROFCORE="1", PROFCORE_NAME="last", PROFCORE_MAX_FILES="9", PROFCORE_WHEN_FULL="stop",
               PROFCORE_SAVE_IF="request/4")
    check("kept 3 calls: 0 saved, 0 lost, 3 not written" in done.stderr and "is full" in done.stderr, done.stderr)
    check(len(files(folder)) == 13 and len(files(folder, "profiling_results/last_*")) == 4, files(folder))


@case("a_forked_child_saves_at_intervals_and_its_kept_calls_under_its_own_name")
def _(folder):
    process = start(folder, "fork-loop", PROFCORE="1", PROFCORE_SAVE_EVERY="1", PROFCORE_FORMATS="json")
    child = int(process.stdout.readline())
    try:
        wait_until(lambda: files(folder, f"profiling_results/victim_*_pid{child}.json"), "the child's own files")
        wait_until(lambda: files(folder, f"profiling_results/ruled_request_*_pid{child}*.json"), "its kept calls")
    finally:
        os.kill(child, signal.SIGKILL)
        process.kill()
        process.wait()
    with open(files(folder, f"profiling_results/victim_*_pid{child}.json")[0], encoding="utf-8") as text:
        names = {f["name"] for f in json.load(text)["functions"]}
    check(names <= {"request", "ruled_request", "step"}, f"the parent's functions too: {names}")


@case("a_thread_that_is_cancelled_while_it_saves_holds_nobody_up")
def _(folder):
    done = run(folder, "cancel")
    check(done.returncode == 0 and done.stdout == "joined\n", done)


@case("a_pipe_without_a_reader_and_a_file_size_limit_do_not_end_the_program")
def _(folder):
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run([victim, "api"], cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=write_end,
                          restore_signals=True, text=True, timeout=60)
    os.close(write_end)
    check(done.returncode == 0 and done.stdout == "0 \n" and len(files(folder)) == 7, done)
    os.mkdir(os.path.join(folder, "limited"))
    done = run(os.path.join(folder, "limited"), "limit")
    check(done.returncode == 0 and done.stdout.startswith("PROF_E_IO: ") and "File too large" in done.stdout, done)


@case("a_folder_that_refuses_at_exit_is_reported_and_the_files_go_elsewhere")
def _(folder):
    with open(os.path.join(folder, "profiling_results"), "w", encoding="ascii") as obstacle:
        obstacle.write("a file")
    done = run(folder, PROFCORE="1", TMPDIR=folder)
    check(done.returncode == 0 and 'cannot open the folder "profiling_results": Not a directory' in done.stderr, done)
    check(len(files(folder, "profcore-*/*")) == 7, files(folder, "*"))
    check(f"wrote {folder}/profcore-" in done.stderr, done.stderr)


@case("a_read_only_folder_is_reported_and_the_files_go_elsewhere")
def _(folder):
    if os.geteuid() != 0:
        raise Skip("needs root, to run the program as another user")
    locked, open_ = os.path.join(folder, "locked"), os.path.join(folder, "open")
    os.mkdir(locked)
    os.mkdir(open_)
    os.chmod(open_, 0o777)
    try:
        done = subprocess.run([victim], cwd=locked, user=65534, env=environment(PROFCORE="1", TMPDIR=open_),
                              capture_output=True, text=True, timeout=60)
    except PermissionError:
        raise Skip("another user cannot reach the program's folder")
    check('cannot make the folder "profiling_results": Permission denied' in done.stderr, done)
    check(len(files(open_, "profcore-*/*")) == 7, files(open_, "*"))


@case("nowhere_to_write_is_said_and_the_program_ends_as_it_would")
def _(folder):
    done = run(folder, PROFCORE="1", PROFCORE_DIR="/proc/none", TMPDIR="/proc/none")
    check(done.returncode == 0 and "nothing could be saved" in done.stderr and "/proc/none" in done.stderr, done)


@case("a_set_user_id_program_ignores_the_environment")
def _(folder):
    if os.geteuid() != 0:
        raise Skip("needs root, to make a set-user-id program")
    copy = os.path.join(folder, "victim")
    shutil.copy(victim, copy)
    os.chown(copy, 65534, 65534)
    os.chmod(copy, 0o4755)
    # The copy is linked statically with the library: nothing is looked up beside it.
    where = os.path.join(folder, "where")
    os.mkdir(where)
    os.chmod(where, 0o777)
    done = subprocess.run([copy], cwd=where, env=environment(PROFCORE="1", PROFCORE_DIR=where, PROFCORE_BOGUS="1"),
                          capture_output=True, text=True, timeout=60)
    if "LeakSanitizer has encountered a fatal error" in done.stderr:
        raise Skip("LeakSanitizer cannot run in a set-user-id program; the plain build runs this case")
    check((done.returncode, done.stderr) == (0, "") and os.listdir(where) == [], (done, os.listdir(where)))
    # The same program without the bit does record: the case tests what it says.
    os.chmod(copy, 0o755)
    done = subprocess.run([copy], cwd=where, env=environment(PROFCORE="1"), capture_output=True, text=True, timeout=60)
    check(len(files(where)) == 7, done)


@case("a_locale_with_decimal_commas_does_not_reach_the_files")
def _(folder):
    found = subprocess.run(["locale", "-a"], capture_output=True, text=True).stdout.split()
    commas = [name for name in found if name.startswith(("de_", "fr_", "da_"))]
    variables = {"LC_ALL": commas[0]} if commas else {}
    if not commas:
        made = os.path.join(folder, "de_DE.UTF-8")
        if shutil.which("localedef") is None or subprocess.run(
                ["localedef", "-i", "de_DE", "-f", "UTF-8", made], capture_output=True).returncode > 1 or not os.path.isdir(made):
            raise Skip("no such locale, and localedef cannot make one")
        variables = {"LOCPATH": folder, "LC_ALL": "de_DE.UTF-8"}
    done = run(folder, "locale", PROFCORE="1", **variables)
    if done.stdout == "none\n":
        raise Skip("the locale that localedef made does not work here: the package locales is missing")
    check(done.stdout.startswith("de_") or done.stdout.startswith("fr_") or done.stdout.startswith("da_"), done)
    with open(files(folder, "profiling_results/victim_*.txt")[0], encoding="utf-8") as text:
        table = text.read()
    check(" 0.00" in table and " 0,0" not in table, table)
    summary(folder)


def probes(folder, function):
    return next(f["probes"] or {} for f in summary(folder)["functions"] if f["name"] == function)


@case("probes_are_asked_for_by_the_environment_for_functions_that_save_or_by_name")
def _(folder):
    run(folder, PROFCORE="1", PROFCORE_PROBES="faults,cpu:st*p")
    check(set(probes(folder, "work")) == {"faults.minor", "faults.major"}, probes(folder, "work"))
    check(set(probes(folder, "step")) == {"cpu.time", "cpu.user", "cpu.system"}, probes(folder, "step"))
    check(probes(folder, "early") == {}, probes(folder, "early"))
    check(probes(folder, "step")["cpu.time"]["calls"] == 1, probes(folder, "step"))


@case("a_probe_that_is_not_known_is_reported_once_and_none_is_asked_for")
def _(folder):
    done = run(folder, PROFCORE="1", PROFCORE_PROBES="cpu,fauls")
    check(done.stderr.count("unknown probe \"fauls\"; there are: rss, cpu,") == 1, done.stderr)
    check(probes(folder, "work") == {}, probes(folder, "work"))


@case("resident_memory_is_sampled_while_recording_and_not_in_a_forked_child")
def _(folder):
    check(run(folder, "sampled").returncode == 0, "the victim failed")
    one, other = files(folder, "profiling_results/victim_*.json")
    child, parent = sorted((one, other), key=lambda path: "_pid" not in path)
    with open(parent, encoding="utf-8") as text:
        memory = json.load(text)["memory"]
    samples = memory["rss_samples"]
    check(samples["every_ms"] == 2 and samples["count"] >= 2, samples)
    counts = []
    for name in ("stopped.json", "later.json"):
        with open(os.path.join(folder, name), encoding="utf-8") as text:
            counts.append(json.load(text)["memory"]["rss_samples"]["count"])
    check(counts[1] - counts[0] <= 1, f"{counts}: it samples while the recorder is stopped")
    check(0 < samples["mean_bytes"] <= samples["peak_bytes"], samples)
    with open(child, encoding="utf-8") as text:
        check(json.load(text)["memory"]["rss_samples"] is None, "the child has samples")


@case("a_programs_rate_of_sampling_counts_also_after_profcore_1_started")
def _(folder):
    check(run(folder, "sampled", PROFCORE="1", PROFCORE_FORMATS="json").returncode == 0, "the victim failed")
    parent = next(path for path in files(folder, "profiling_results/victim_*.json") if "_pid" not in path)
    with open(parent, encoding="utf-8") as text:
        samples = json.load(text)["memory"]["rss_samples"]
    check(samples is not None and samples["every_ms"] == 2 and samples["count"] >= 2, samples)


@case("a_slow_sampler_does_not_delay_the_exit")
def _(folder):
    begin = time.monotonic()
    run(folder, PROFCORE="1", PROFCORE_RSS_EVERY="60000")
    check(time.monotonic() - begin < 30, "it waited for the next sample")
    samples = summary(folder)["memory"]["rss_samples"]  # none where the program was over before the thread ran
    check(samples is None or samples["count"] == 1, samples)
    check("each 1 to 60000" in run(folder, PROFCORE="1", PROFCORE_RSS_EVERY="60001").stderr, "a bad interval")


finish()
