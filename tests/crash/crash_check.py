#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A process that records in crash-safe mode is killed: what it had recorded is there, and nothing else.

usage: crash_check.py CRASH_MAIN CRASH_READ_MAIN CRASH_STEP_MAIN PROFCORE_TOOL KILLS [SANITIZED]
"""
import glob
import json
import os
import random
import signal
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "support"))
from tap_cases import Skip, case, check, clean_environment, equal, finish, launch

program, reader, stepper, tool = (os.path.abspath(path) for path in sys.argv[1:5])
kills, sanitized = int(sys.argv[5]), sys.argv[6:] not in ([], [""])
KINDS = ("outer", "inner", "short", "brief", "new")


def environment(**variables):
    return {**clean_environment(), "PROFCORE": "1", "PROFCORE_CRASH_SAFE": "1", "PROFCORE_MEMORY": "2MiB",
            "PROFCORE_DIR": "out", **variables}


def start(folder, way="", **variables):
    counts = os.path.join(folder, "counts")
    with open(counts, "wb") as file:
        file.write(bytes(4096))
    process = launch([program, counts, way], cwd=folder, env=environment(**variables), stdout=subprocess.PIPE, text=True)
    check(process.stdout.readline() == "ready\n", "it did not get ready")
    return process


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    process.stdout.close()


def only_file(folder):
    found = glob.glob(os.path.join(folder, "out", "*.crash"))
    check(len(found) == 1, found)
    return found[0]


def read(path):
    done = subprocess.run([reader, path], capture_output=True, text=True, timeout=120)
    check(done.returncode == 0, done.stderr or done)
    return json.loads(done.stdout)


def counted(folder):
    with open(os.path.join(folder, "counts"), "rb") as file:
        words = struct.unpack("<12Q", file.read(96))
    return {kind: words[2 * i:2 * i + 2] for i, kind in enumerate((*KINDS, "waiting"))}


def check_calls(folder, found):
    functions = found["functions"]
    counts = counted(folder)
    for kind in KINDS:
        begun, ended = counts[kind]
        rows = [row for name, row in functions.items() if name.split(" ")[0] == kind]
        calls, still_open = sum(row[0] for row in rows), sum(row[1] for row in rows)
        check(ended <= calls <= begun, f"{kind}: {calls} calls recovered, of {begun} begun and {ended} ended")
        check(calls + still_open <= begun, f"{kind}: {calls} calls and {still_open} open, of {begun} begun")
    ended, _, items, _ = functions.get("inner", (0, 0, 0, 0))
    check(0 <= items - ended <= 3, f"items: {items} in {ended} calls")
    (begun, ended), spans = counts["waiting"], found["spans"].values()
    count, in_histograms = sum(row[0] for row in spans), sum(row[2] for row in spans)
    check(ended <= count <= begun, f"{count} spans recovered, of {begun} begun and {ended} ended")
    check(in_histograms <= begun, f"{in_histograms} spans in histograms, of {begun} begun")


def recover(folder, path, *arguments):
    done = subprocess.run([tool, "recover", *arguments, path], cwd=folder, env=clean_environment(), capture_output=True, text=True,
                          timeout=120)
    check(done.returncode == 0, done)
    return done.stdout


@case(f"of_{kills}_processes_killed_at_any_instruction_every_ended_call_is_recovered_and_none_is_invented")
def _(folder):
    random.seed(7)
    opened = folded = 0
    for number in range(kills):
        place = os.path.join(folder, str(number))
        os.mkdir(place)
        process = start(place)
        time.sleep(random.random() ** 3 * 0.3)
        kill(process)
        found = read(only_file(place))
        check(found["damage"] == 0, f"kill {number}: {found}")
        check(0 <= found["lost"] <= found["issued"], f"kill {number}: {found}")
        check_calls(place, found)
        opened += found["opens"]
        folded += found["functions"].get("short", [0])[0]
        if found["opens"] + found["issued"] != 0:  # else it was killed before its first scope
            recover(place, only_file(place), "--formats", "json,pftrace")
            with open(glob.glob(os.path.join(place, "out", "*.json"))[0], encoding="utf-8") as text:
                summary = json.load(text)
            check(sum(f["open_calls"] for f in summary["functions"]) == found["opens"], summary["functions"])
        for path in glob.glob(os.path.join(place, "out", "*")):
            os.remove(path)
    print(f"# {opened} scopes were open, {folded} calls were of threads that came and went")


def step(folder, steps):
    """Kills the program when a thread has done so many instructions; returns how many it did."""
    counts = os.path.join(folder, "counts")
    with open(counts, "wb") as file:
        file.write(bytes(4096))
    done = subprocess.run([stepper, str(steps), program, counts, "step"], cwd=folder, env=environment(PROFCORE_MEMORY="1MiB"),
                          capture_output=True, text=True, timeout=250)
    check(done.returncode in (0, 3), done)
    return int(done.stdout)


@case(f"a_thread_is_killed_at_{kills}_instructions_of_its_life_and_its_end_and_each_call_is_there_once")
def _(folder):
    if sanitized:
        raise Skip("the sanitizers' own instructions are too many to step through")
    last = step(folder, 10**9)
    check(last > 1000, f"the whole life of the thread is {last} instructions")
    for path in glob.glob(os.path.join(folder, "out", "*")):
        os.remove(path)
    random.seed(11)
    for number in range(kills):
        at = int(last * (1 - random.random() ** 2))  # its end is the harder part
        done = step(folder, at)
        found = read(only_file(folder))
        try:
            check(found["damage"] == 0, found)
            check_calls(folder, found)
            check(found["issued"] - found["lost"] >= 40, found)
        except AssertionError as error:
            raise AssertionError(f"killed after {done} of {last} instructions: {error}") from error
        os.remove(only_file(folder))
    print(f"# of {last} instructions")


quiet_s = 60 if kills >= 1000 else 3


@case(f"of_a_quiet_thread_the_last_{quiet_s}_seconds_are_whole_beside_busy_ones_at_16_mib")
def _(folder):
    process = start(folder, "quiet", PROFCORE_MEMORY="16MiB")
    time.sleep(quiet_s)
    kill(process)
    found = read(only_file(folder))
    ended, _, _, held = found["functions"]["quiet"]
    print(f"# {held} of {ended} events of the quiet thread; of all {found['issued']} {found['lost']} are lost")
    check(held == ended > quiet_s * 5, f"{held} of {ended}")
    check(found["lost"] > 0 or sanitized, "the busy threads have lost nothing: that proves nothing")


@case("a_scope_that_is_stuck_is_in_the_table_and_the_timeline_after_the_kill")
def _(folder):
    process = start(folder)
    time.sleep(0.2)
    kill(process)
    told = recover(folder, only_file(folder))
    check("had not ended" in told and "damaged" not in told, told)
    found = {path.rsplit(".", 1)[1] for path in glob.glob(os.path.join(folder, "out", "*"))}
    equal(found, {"crash", "txt", "prof", "json", "pftrace"}, "files")
    with open(glob.glob(os.path.join(folder, "out", "*.txt"))[0], encoding="utf-8") as text:
        check("calls had not ended" in text.read(), "the table says nothing of open calls")


@case("the_file_of_a_process_that_still_runs_is_read_as_well_and_left_alone")
def _(folder):
    process = start(folder)
    time.sleep(0.1)
    for _ in range(3):
        told = recover(folder, only_file(folder))
        check("calls" in told, told)
    check(process.poll() is None, "it has ended")
    kill(process)
    check_calls(folder, read(only_file(folder)))


@case("whatever_is_damaged_or_cut_the_reader_comes_back")
def _(folder):
    process = start(folder, PROFCORE_MEMORY="1MiB")
    time.sleep(0.1)
    kill(process)
    done = subprocess.run([reader, only_file(folder), "damage", "20" if sanitized else "100"], capture_output=True, text=True,
                          timeout=280)
    check(done.returncode == 0, done.stderr[-2000:])


@case("a_clean_exit_leaves_its_results_and_no_file_to_recover")
def _(folder):
    process = start(folder, "exit")
    check(process.wait(60) == 0, "it failed")
    process.stdout.close()
    found = {path.rsplit(".", 1)[1] for path in glob.glob(os.path.join(folder, "out", "*"))}
    equal(found, {"txt", "prof", "json", "pftrace"}, "files")


@case("what_could_not_be_saved_stays_in_its_file")
def _(folder):
    process = start(folder, "exit", PROFCORE_FORMATS="none")
    process.wait(60)
    process.stdout.close()
    equal(glob.glob(os.path.join(folder, "out", "*")), [], "nobody wanted files")


def start_stream(folder, way="", **variables):
    return start(folder, way, PROFCORE_CRASH_SAFE="0", PROFCORE_MODE="stream", PROFCORE_FORMATS="json,pftrace", **variables)


def only_stream(folder):
    found = glob.glob(os.path.join(folder, "out", "*.stream"))
    check(len(found) == 1, found)
    return found[0]


@case("what_was_streamed_before_a_kill_is_in_the_timeline_and_a_torn_end_is_cut_off")
def _(folder):
    random.seed(3)
    for number in range(5):
        place = os.path.join(folder, str(number))
        os.mkdir(place)
        process = start_stream(place)
        time.sleep(0.1 + random.random() * 0.2)
        kill(process)
        found = read(only_stream(place))
        check(found["damage"] == 0 and found["lost"] <= found["issued"], f"kill {number}: {found}")
        recover(place, only_stream(place), "--formats", "pftrace")
        with open(only_stream(place), "rb") as file:
            whole = file.read()
        issued = found["issued"]
        for share in (0.99, 0.5, 0.1):
            with open(only_stream(place), "wb") as file:
                file.write(whole[:int(len(whole) * share)])
            found = read(only_stream(place))
            check(found["damage"] == 0 and found["issued"] <= issued, f"cut to {share}: {found}")
            issued = found["issued"]


@case("a_stream_that_is_damaged_is_read_up_to_there")
def _(folder):
    process = start_stream(folder)
    time.sleep(0.3)
    kill(process)
    with open(only_stream(folder), "rb+") as file:
        file.truncate(200000)
    done = subprocess.run([reader, only_stream(folder), "damage", "20" if sanitized else "100"], capture_output=True, text=True,
                          timeout=280)
    check(done.returncode == 0, done.stderr[-2000:])


@case("a_run_that_streams_ends_with_its_results_and_without_the_stream")
def _(folder):
    process = start_stream(folder, "exit", PROFCORE_MEMORY="64MiB")
    check(process.wait(60) == 0, "it failed")
    process.stdout.close()
    found = {path.rsplit(".", 1)[1] for path in glob.glob(os.path.join(folder, "out", "*"))}
    equal(found, {"json", "pftrace"}, "files")


@case("children_of_a_process_that_streams_keep_their_events_in_rings_of_their_own")
def _(folder):
    process = start_stream(folder, "fork")
    time.sleep(0.5)
    kill(process)
    children = glob.glob(os.path.join(folder, "out", "*_pid*.json"))
    check(children, "no child has saved")
    for path in children:
        with open(path, encoding="utf-8") as text:
            whole = json.load(text)
        equal({f["name"]: f["calls"] for f in whole["functions"]}, {"in_child": 100, "inner": 100}, path)
    check("in_child" not in read(only_stream(folder))["functions"], "the child is in its parent's stream")


@case("children_record_for_themselves_and_nothing_of_theirs_is_in_the_parents_file")
def _(folder):
    process = start(folder, "fork", PROFCORE_FORMATS="json")
    time.sleep(0.5)
    kill(process)
    found = read(only_file(folder))
    check("in_child" not in found["functions"] and found["damage"] == 0, found)
    check_calls(folder, found)
    children = glob.glob(os.path.join(folder, "out", "*_pid*.json"))
    check(children, "no child has saved")
    for path in children:
        with open(path, encoding="utf-8") as text:
            calls = {f["name"]: f["calls"] for f in json.load(text)["functions"]}
        equal(calls, {"in_child": 100, "inner": 100}, path)


@case("where_the_file_cannot_be_had_recording_goes_on_in_memory_and_says_so")
def _(folder):
    with open(os.path.join(folder, "out"), "w", encoding="utf-8"):
        pass  # no folder
    counts = os.path.join(folder, "counts")
    with open(counts, "wb") as file:
        file.write(bytes(4096))
    process = launch([program, counts], cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    check(process.stdout.readline() == "ready\n", "it did not get ready")
    time.sleep(0.1)
    process.kill()
    said = process.communicate(timeout=60)[1]
    check("PROFCORE_CRASH_SAFE: not crash-safe: " in said, said)
    check(counted(folder)["outer"][1] > 0, "it did not run")


@case("what_is_no_such_file_is_refused")
def _(folder):
    for name, data in (("empty", b""), ("text", b"hello\n" * 10000), ("mark", bytes(24) + b"profcore.crash/1" + bytes(100000))):
        path = os.path.join(folder, name)
        with open(path, "wb") as file:
            file.write(data)
        done = subprocess.run([tool, "recover", path], env=clean_environment(), capture_output=True, text=True, timeout=60)
        check(done.returncode == 1 and done.stderr.count("\n") == 1, done)


finish()
