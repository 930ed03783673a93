#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Saves that are killed, stuck, or lose their descriptors, at each of their steps.

usage: saves_check.py SAVES_MAIN SHIM [SANITIZED]
"""
import json
import mmap
import os
import subprocess
import sys
import time

from exits_common import RESULTS, calls_in, drafts, folder_in_memory, results, run
from tap_cases import Skip, case, check, finish

program, shim, sanitized = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), sys.argv[3:] != [""]
SAVES = 3
STUCK_S = 1.5 # longer than it takes until the saver saves


def run_shimmed(folder, mode, **variables):
    if sanitized:
        raise Skip("a sanitizer's own runtime wants to be the first that is loaded")
    return run(folder, program, mode, LD_PRELOAD=shim, **variables)


def look_at(folder, died):
    """Every file with a final name is whole, and of the save at hand or the one before; the saves that were seen."""
    seen = set()
    for path in results(folder):
        calls = calls_in(path)
        check(calls["work"] == calls["step"], f"{path}: {calls}")
        seen.add(calls["work"])
    check(not seen or max(seen) - min(seen) <= 1, f"{died}: files of the saves {sorted(seen)} side by side")
    return seen


def kill_at_each_step(folder, **variables):
    at = 0
    states = set()
    while True:
        at += 1
        one = os.path.join(folder, str(at))
        os.mkdir(one)
        done = run_shimmed(one, "saves", EXITS_KILL=str(at), **variables)
        died = f"killed at step {at}"
        seen = look_at(one, died)
        saved = done.stdout.count("save: ok")
        check(saved == 0 or min(seen) >= saved, f"{died}: save {saved} had ended, and files of {sorted(seen)} are there")
        states.add(tuple(sorted(seen)))
        if done.returncode == 0:
            break
        check(done.returncode == -9, done)
        known = {path: os.stat(path).st_mtime_ns for path in results(one)}
        left = set(os.listdir(os.path.join(one, RESULTS)))
        check(all(name.startswith(".profcore-") or os.path.join(one, RESULTS, name) in known for name in left), left)
        again = run(one, program, "saves")
        check(again.returncode == 0 and again.stdout.count("ok") == 4, again)
        check(all(os.stat(path).st_mtime_ns == then for path, then in known.items()), f"{died}: the next run wrote over it")
        new = [path for path in results(one) if path not in known]
        check(len(new) == 6 and all(calls_in(path)["work"] == SAVES for path in new), f"{died}: then {new}")
    check(not drafts(one) and seen == {SAVES} and at > 80, f"{at} steps, {seen}")
    return at, states


@case("killed_at_any_step_each_file_is_the_old_one_or_the_new_one_and_the_next_run_works")
def _(folder):
    with folder_in_memory() as quick:
        steps, states = kill_at_each_step(quick)
    check({(), (1,), (1, 2), (2,), (2, 3), (3,)} == states, states)
    print(f"# {steps} steps")


@case("the_same_where_a_rename_cannot_refuse_to_replace")
def _(folder):
    with folder_in_memory() as quick:
        print(f"# {kill_at_each_step(quick, EXITS_LINKS='1')[0]} steps")


def close_at_each_step(folder):
    host_text = "4711 4711 the host's own bytes\n"
    at = failed = 0
    while True:
        at += 1
        one = os.path.join(folder, str(at))
        os.mkdir(one)
        done = run_shimmed(one, "closed", EXITS_CLOSE=str(at), PROFCORE_SAVE_EVERY="1", PROFCORE_MODE="tree")
        lost = int(done.stdout.split()[-1])
        if lost < 0:
            break
        failed += done.stdout.count("cannot")
        check(lost == 0, f"at step {at}: the host lost {lost} of its descriptors\n{done.stdout}")
        for name in (n for n in os.listdir(one) if n.startswith("host_")):
            with open(os.path.join(one, name), encoding="utf-8", errors="replace") as text:
                check(text.read() == host_text, f"at step {at}: {name} was written to")
        # What the save of that moment could not do, the next one does: the last one only if it was hit itself.
        check("stop: ok" in done.stdout or done.stdout.count("save: ok") == 2, f"at step {at}: {done.stdout}{done.stderr}")
        files = [path for path in results(one) if path.endswith(".json")] or \
            [path for path in os.listdir(one) if path.startswith("profcore-")]
        check(files or "went elsewhere" in done.stderr or done.returncode, f"at step {at}: nothing was saved {done}")
        for path in results(one):
            check(calls_in(path)["work"] in range(1, SAVES + 1), path)
        for path in files:
            with open(path, encoding="utf-8") as text:
                memory = json.load(text)["memory"]
            for key in ("rss_start_bytes", "rss_bytes", "rss_peak_bytes"):
                value = memory[key]
                check(value is None or (200_000 < value < 10**10 and value != 4711 * mmap.PAGESIZE),
                      f"at step {at}: {key} is {value}")
    check(at > 60 and failed > 10, f"{at} moments, {failed} failed saves")
    print(f"# {at - 1} moments, {failed} saves failed with a message")


@case("a_host_that_closes_our_descriptors_at_any_step_gets_no_byte_and_keeps_its_own")
def _(_):
    with folder_in_memory() as folder:
        close_at_each_step(folder)


def stuck(folder, mode, which):
    begin = time.monotonic()
    done = run_shimmed(folder, mode, EXITS_STUCK_MS=str(int(STUCK_S * 1000)), EXITS_STUCK=which, PROFCORE_SAVE_EVERY="1",
                       PROFCORE_FORMATS="json")
    seconds = time.monotonic() - begin
    check(done.returncode == 0, done)
    for path in results(folder):
        calls_in(path)
    check(len(results(folder)) == 2 and not drafts(folder), os.listdir(os.path.join(folder, RESULTS)))
    return seconds


@case("prof_stop_ends_soon_after_a_save_that_a_slow_disk_holds_up")
def _(folder):
    check(stuck(folder, "stop", "1") < STUCK_S + 20, "too long")


@case("the_process_ends_soon_after_a_save_that_a_slow_disk_holds_up")
def _(folder):
    check(stuck(folder, "exit", "1") < STUCK_S + 20, "too long")


@case("with_a_disk_that_is_always_slow_stopping_takes_two_saves_at_most")
def _(folder):
    check(stuck(folder, "stop", "0") < 4 * STUCK_S + 20, "too long")


@case("a_reader_of_stderr_that_is_stuck_holds_up_no_stop_and_no_exit")
def _(folder):
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while os.write(writing, b"x" * 4096):
            pass
    except BlockingIOError:
        pass
    os.set_blocking(writing, True)
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PROFCORE")}
    with open(writing, "wb") as full:
        try:
            done = subprocess.run([program, "saves"], cwd=folder, env={**clean, "PROFCORE": "1", "PROFCORE_NONSENSE": "1",
                                                       "PROFCORE_FORMATS": "txt,prof,json"},
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=full, timeout=60)
        finally:
            os.close(reading)
    check(done.returncode == 0 and len(results(folder)) == 6, done)


@case("a_pipe_in_the_place_of_the_folder_is_an_error_at_once")
def _(folder):
    os.mkfifo(os.path.join(folder, RESULTS))
    done = run(folder, program, "saves")
    check(done.returncode == 1 and done.stdout.count("Not a directory") == 3, done)


finish()
