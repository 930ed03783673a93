#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a crash leaves with PROFCORE_ON_CRASH=1, and that the process ends as it would have without.

usage: crash_check.py LIVE_MAIN
"""
import os
import re
import resource
import signal
import sys

from live_common import Program, text_of
from tap_cases import case, check, finish

driver = os.path.abspath(sys.argv[1])
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
KINDS = {"segv": signal.SIGSEGV, "abort": signal.SIGABRT, "fpe": signal.SIGFPE, "ill": signal.SIGILL, "overflow": signal.SIGSEGV}


def start(folder, **variables):
    return Program(driver, folder, **{"PROFCORE": "1", "PROFCORE_ON_CRASH": "1", **variables})


def check_files(program, name, said):
    text, = program.files("svc_crash_*.txt")
    trace, = program.files("svc_crash_*.pftrace")
    found = text_of(text)
    check(re.search(rf"\n-- profcore \S+: dump, crash\n   crash: {name} on thread \d+", found), found)
    check("about to crash  " in found and 'Thread ' in found and " get_response  live.c:7\n" in found, found)
    check(text[:-4] == trace[:-8] and os.path.getsize(trace) > 100, (text, trace))
    check(f"profcore: {name} on thread" in said and "the open scopes are in " + text[len(program.folder) + 1:] in said, said)
    for path in (text, trace):
        check(os.stat(path).st_mode & 0o777 == 0o600, path)


@case("a_crash_leaves_what_was_open_and_the_process_ends_by_its_signal")
def _(folder):
    for kind, number in KINDS.items():
        for command in ("crash", "crash_thread"):
            inner = os.path.join(folder, kind + command)
            os.mkdir(inner)
            program = start(inner)
            program.do("hang get_response", "open main")
            status, said = program.end(f"{command} {kind}")
            check(status == -number, f"{command} {kind}: ended with {status}: {said}")
            check_files(program, number.name, said)


@case("a_signal_that_is_sent_counts_as_a_crash_and_ends_the_process")
def _(folder):
    program = start(folder)
    program.do("hang get_response", "open about to crash")
    os.kill(program.pid, signal.SIGBUS)
    status, said = program.end()
    check(status == -signal.SIGBUS, (status, said))
    check_files(program, "SIGBUS", said)


@case("the_hosts_handler_gets_the_crash_afterwards")
def _(folder):
    for number, status_wanted, text in ((signal.SIGSEGV, 42, "the host's handler\n"), (-signal.SIGSEGV, 43, "the host's newer handler\n")):
        inner = os.path.join(folder, str(status_wanted))
        os.mkdir(inner)
        program = start(inner, PROFCORE="")
        program.do(f"handle {int(number)}", "start", "hang get_response")
        status, said = program.end("crash segv")
        check(status == status_wanted and said.endswith(text), (status, said))
        check_files(program, "SIGSEGV", said)


@case("a_handler_that_returns_from_an_abort_ends_as_without_us")
def _(folder):
    program = start(folder, PROFCORE="")
    program.do(f"handle {int(signal.SIGABRT)}", "start", "hang get_response")
    status, said = program.end("crash abort")
    check(status == -signal.SIGABRT and said.count("the host's handler") == 1, (status, said))
    check_files(program, "SIGABRT", said)


@case("without_the_variable_a_crash_leaves_nothing")
def _(folder):
    program = start(folder, PROFCORE_ON_CRASH="0")
    program.do("hang get_response")
    status, said = program.end("crash segv")
    check(status == -signal.SIGSEGV and said == "" and program.files() == [], (status, said, program.files()))


@case("a_forked_childs_crash_is_its_own_affair_until_it_starts")
def _(folder):
    program = start(folder)
    program.do("open parent", "fork", "hang get_response")
    status, said = program.end("crash segv")
    check(status == 128 + signal.SIGSEGV and program.files("*_crash_*") == [], (status, said, program.files()))
    program = start(folder)
    program.do("open parent", "fork", "start", "hang get_response")
    status, said = program.end("crash segv")
    check(status == 128 + signal.SIGSEGV and len(program.files("*_crash_*_pid*")) == 2, (status, said, program.files()))


@case("a_folder_that_cannot_be_written_changes_nothing_about_the_end")
def _(folder):
    program = start(folder)
    program.do("hang get_response")
    os.rename(os.path.join(folder, "profiling_results"), os.path.join(folder, "elsewhere"))
    status, said = program.end("crash segv")
    check(status == -signal.SIGSEGV and "cannot be written to profiling_results/svc_crash_" in said, (status, said))


finish()
