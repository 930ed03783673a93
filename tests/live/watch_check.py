#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Dumps that make themselves: when a scope exceeds its limit, and on a signal.

usage: watch_check.py LIVE_MAIN [SANITIZER]
"""
import os
import re
import signal
import sys
import time

from live_common import GUARD_S, Program, need_forks, text_of, wait_until
from tap_cases import case, check, finish

driver = os.path.abspath(sys.argv[1])


def start(folder, **variables):
    return Program(driver, folder, **{"PROFCORE": "1", **variables})


def summary_says(program, text):
    found = program.files("svc_1*.txt")
    check(found and text in text_of(found[0]), f"no {text!r} in {found}")


@case("a_scope_that_hangs_is_on_disk_while_it_hangs_and_marked")
def _(folder):
    limit_ms = 100
    program = start(folder, PROFCORE_SLOW=f"get_response={limit_ms}")
    program.do("open main")
    begun = program.do("hang get_response")
    path, = program.wait_for("svc_slow_get_response_*.txt")
    took_ms = (time.monotonic_ns() - begun) / 1e6
    print(f"# on disk {took_ms - limit_ms:.1f} ms after the limit of {limit_ms} ms")
    check(took_ms > limit_ms, f"before its limit: {took_ms}")
    text = text_of(path)
    check(re.search(r"\n-- profcore \S+: dump, slow\n   get_response had run for \d+\.\d{3} ms, its limit is 100\.000 ms, on thread \d+\n",
                    text), text)
    check(re.search(r'Thread \d+ "hanging"\n +\d+\.\d{3} ms  get_response  live\.c:7\n +\d+\.\d{3} ms    waits  ', text), text)
    check(re.search(r'Thread \d+ "live_main"\n +\d+\.\d{3} ms  main  live\.c:7\n', text), text)
    program.wait_for("svc_slow_get_response_*.pftrace")
    check("profcore-watch" in program.threads(), program.threads())
    program.do("release")
    status, said = program.end()
    check(status == 0 and "profcore: slow get_response: wrote profiling_results/svc_slow_get_response_" in said, said)
    summary_says(program, "Dumps:    1 written, 0 skipped, too soon after another, 0 failed")


@case("a_call_makes_one_dump_however_long_it_hangs")
def _(folder):
    program = start(folder, PROFCORE_SLOW="get_*=20ms", PROFCORE_DUMP_EVERY="0")
    program.do("hang get_response")
    program.wait_for("*_slow_*.pftrace")
    time.sleep(0.3)
    check(len(program.files("*_slow_*.txt")) == 1, program.files())
    program.do("release", "hang get_response")
    program.wait_for("*_slow_*.pftrace", 2)
    time.sleep(0.1)
    check(len(program.files("*_slow_*.txt")) == 2, program.files())


@case("calls_that_are_slow_at_once_are_marked_in_one_dump")
def _(folder):
    program = start(folder, PROFCORE_SLOW="get_response=150,waits=150")
    program.do("hang get_response", "hang get_response")
    path, = program.wait_for("*_slow_*.txt")
    wait_until(lambda: len(re.findall("had run for", text_of(path))) >= 2, "two marks at least")
    time.sleep(0.3)
    check(len(program.files("*_slow_*.txt")) == 1, program.files())


@case("dumps_are_apart_as_told_and_what_is_left_out_is_counted")
def _(folder):
    program = start(folder, PROFCORE_SLOW="*_response=20", PROFCORE_DUMP_EVERY="3600")
    program.do("hang get_response")
    program.wait_for("*_slow_*.pftrace")
    program.do("hang late_response")
    time.sleep(0.2)
    program.do("release")
    time.sleep(0.2)
    check(len(program.files("*_slow_*.txt")) == 1, program.files())
    program.do("save")
    summary_says(program, "Dumps:    1 written, 1 skipped")


@case("a_call_that_still_hangs_when_a_dump_may_be_made_again_makes_it")
def _(folder):
    program = start(folder, PROFCORE_SLOW="*_response=20", PROFCORE_DUMP_EVERY="1")
    program.do("hang get_response")
    program.wait_for("*_slow_get_response_*.pftrace")
    program.do("hang late_response")
    path, = program.wait_for("*_slow_late_response_*.txt")
    check("get_response had run" not in text_of(path) and "late_response had run" in text_of(path), text_of(path))


@case("limits_in_code_count_too_and_the_operators_go_before_them")
def _(folder):
    program = start(folder, PROFCORE_SLOW="get_response=3600s", PROFCORE_DUMP_EVERY="0")
    program.do("slow get_response 1", "slow other 20", "hang get_response", "hang other")
    program.wait_for("*_slow_other_*.pftrace")
    check(program.files("*_slow_get_response_*") == [], program.files())
    program.do("slow other 0", "release", "hang other")
    time.sleep(0.2)
    check(len(program.files("*_slow_*.txt")) == 1, program.files())


@case("a_limit_in_code_alone_starts_the_watch")
def _(folder):
    program = start(folder, PROFCORE="")
    program.do("slow get_response 20", "start")
    check("profcore-watch" in program.threads(), program.threads())
    program.do("hang get_response")
    program.wait_for("*_slow_*.pftrace")


@case("without_limits_and_signals_there_is_no_watch")
def _(folder):
    program = start(folder)
    program.do("open main", "close", "slow x 0")
    check(program.threads() == ["live_main"], program.threads())


@case("bad_limits_and_signals_are_reported_and_ignored")
def _(folder):
    program = start(folder, PROFCORE_SLOW="get_response=250,embed_*", PROFCORE_DUMP_SIGNAL="KILL", PROFCORE_DUMP_EVERY="x",
                    PROFCORE_ON_CRASH="yes", PROFCORE_DUMP_SECONDS="-1")
    status, said = program.end()
    for text in ('PROFCORE_SLOW=get_response=250,embed_* ignored: rule "embed_*": no =LIMIT', "unknown signal \"KILL\"",
                 "PROFCORE_DUMP_EVERY=x ignored", "PROFCORE_ON_CRASH=yes ignored: neither 0 nor 1", "PROFCORE_DUMP_SECONDS=-1 ignored"):
        check(said.count(text) == 1, f"{text!r} once in:\n{said}")
    check(status == 0, status)


@case("a_signal_makes_a_dump_and_does_the_process_no_harm")
def _(folder):
    program = start(folder, PROFCORE_DUMP_SIGNAL="SIGUSR2")
    program.do("open get_response")
    os.kill(program.pid, signal.SIGUSR2)
    program.do("slow x 0")  # ThreadSanitizer hands signals on at the next call
    path, = program.wait_for("svc_signal_*.txt")
    check("\n   signal: SIGUSR2\n" in text_of(path) and "get_response" in text_of(path), text_of(path))
    program.wait_for("svc_signal_*.pftrace")
    os.kill(program.pid, signal.SIGUSR2)
    program.do("close")

    def is_skipped():
        program.do("save")
        return "Dumps:    1 written, 1 skipped" in text_of(program.files("svc_1*.txt")[0])
    wait_until(is_skipped, "the second is counted as skipped")
    check(len(program.files("svc_signal_*.txt")) == 1, program.files())


@case("the_hosts_own_handler_runs_too")
def _(folder):
    for number, text in ((signal.SIGUSR2, "the host's handler\n"), (-signal.SIGUSR2, "the host's newer handler\n")):
        program = start(folder, PROFCORE="", PROFCORE_DUMP_SIGNAL="USR2", PROFCORE_DUMP_EVERY="0", PROFCORE_NAME=f"s{number}")
        program.do(f"handle {int(number)}", "start")
        os.kill(program.pid, signal.SIGUSR2)
        program.do("slow x 0")
        program.wait_for(f"s{number}_signal_*.pftrace".replace("-", "[-_]"))
        status, said = program.end()
        check(status == 0 and said.count(text) == 1, said)


@case("a_forked_child_has_no_watch_and_the_signals_old_action_until_it_starts_one")
def _(folder):
    need_forks()
    program = start(folder, PROFCORE_SLOW="get_response=20", PROFCORE_DUMP_SIGNAL="USR2", PROFCORE_DUMP_EVERY="0")
    program.do("open parent", "fork", "hang get_response")
    time.sleep(0.2)
    check(program.files("*_slow_*") == [], program.files())
    program.do("release", "start", "hang get_response")
    path, = program.wait_for("*_slow_*_pid*.txt")
    check("parent" not in text_of(path), text_of(path))
    program.wait_for("*_slow_*_pid*.pftrace")


@case("a_forked_child_that_starts_nothing_dies_of_the_signal_as_it_would")
def _(folder):
    for more in ({}, {"PROFCORE_SIGNALS": "USR2"}):
        program = start(folder, PROFCORE_DUMP_SIGNAL="USR2", **more)
        program.do("open parent", "fork")
        with open(f"/proc/{program.pid}/task/{program.pid}/children", encoding="ascii") as children:
            os.kill(int(children.read()), signal.SIGUSR2)
        status, _ = program.end()
        check(status == 128 + signal.SIGUSR2, (status, more))


@case("a_signal_that_saves_too_does_both")
def _(folder):
    program = start(folder, PROFCORE_DUMP_SIGNAL="TERM", PROFCORE_SIGNALS="TERM")
    program.do("open main", "close")
    os.kill(program.pid, signal.SIGTERM)
    program.ask("slow x 0")
    status = program.process.wait(GUARD_S)
    check(status == -signal.SIGTERM and program.files("svc_1*.json"), (status, program.files()))


@case("the_watch_dumps_beside_threads_that_record_all_the_time")
def _(folder):
    program = start(folder, PROFCORE_SLOW="get_response=50", PROFCORE_MEMORY="4MiB")
    program.do("busy 3", "hang get_response")
    path, = program.wait_for("*_slow_*.txt")
    check(len(re.findall("\nThread ", text_of(path))) >= 4, text_of(path))
    program.wait_for("*_slow_*.pftrace")
    status, _ = program.end()
    check(status == 0, status)


finish()
