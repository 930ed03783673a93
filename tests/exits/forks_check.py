#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Forks of every kind from a process that records: each process's data stands in its own files, once.

usage: forks_check.py FORKS_MAIN FORKS LIBPROFCORE [SANITIZED]
"""
import glob
import json
import os
import sys

from exits_common import RESULTS, calls_in, drafts, results, run
from tap_cases import Skip, case, check, finish

program, forks, library, sanitized = os.path.abspath(sys.argv[1]), int(sys.argv[2]), os.path.abspath(sys.argv[3]), sys.argv[4:] != [""]

PYTHON = """
import ctypes, multiprocessing, sys, threading, time
lib = ctypes.CDLL(sys.argv[1])
class Scope(ctypes.Structure):
    _fields_ = [("place", ctypes.c_size_t)]
lib.prof_begin.restype = Scope
lib.prof_end.argtypes = [Scope]
lib.prof_begin.argtypes = [ctypes.c_void_p]
lib.prof_site_get.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_uint32, ctypes.c_uint32,
                              ctypes.c_void_p, ctypes.c_void_p]
def site(name):
    found = ctypes.c_void_p()
    assert lib.prof_site_get(name.encode(), len(name), None, 0, 0, ctypes.byref(found), None) == 0
    return found
def record(where, times):
    for _ in range(times):
        lib.prof_end(lib.prof_begin(where))
def child(number):
    record(site("in_child"), number)
    assert lib.prof_save(None) == 0
    return number
assert lib.prof_start(None, None) == 0
here, threads_too = site("in_parent"), site("in_parent_thread")
record(here, 100)
def loop():
    global looped
    while not over:
        record(threads_too, 1)
        looped += 1
        time.sleep(0.0001)
over, looped = False, 0
thread = threading.Thread(target=loop)
thread.start()
context = multiprocessing.get_context("fork")
for number in range(1, 6):
    process = context.Process(target=child, args=(number,))
    process.start()
    process.join(60)
    assert process.exitcode == 0, process.exitcode
with context.Pool(3) as pool:
    assert pool.map(child, [7] * 6, chunksize=1) == [7] * 6
over = True
thread.join()
record(here, 100)
assert lib.prof_stop(None) == 0
print(looped)
"""


def split(folder):
    children = results(folder, "*_pid*.json")
    return [path for path in results(folder, "*.json") if path not in children], children


@case(f"{forks}_forks_while_threads_record_come_go_and_save_and_the_parents_data_is_in_its_file_once")
def _(folder):
    if sanitized:
        raise Skip("the sanitizer's allocator stays locked in a child when another thread of the parent was in it")
    done = run(folder, program, forks, limit_s=150 + forks // 4, PROFCORE_FORMATS="json", PROFCORE_MODE="tree",
               PROFCORE_QUIET="1")
    check(done.returncode == 0, done)
    issued = json.loads(done.stdout)
    parents, children = split(folder)
    check(len(parents) == 1, parents)
    check(calls_in(parents[0]) == issued, (calls_in(parents[0]), issued))
    # Of each five: one child that records, and one more with a child of its own.
    kinds = [forks // 5 + (forks % 5 > kind) for kind in range(5)]
    check(len(children) == kinds[1] + 2 * kinds[3], f"{len(children)} children's files of {forks} forks")
    for path in children:
        check(calls_in(path) == {"in_child": 5, "in_child_thread": 1}, (path, calls_in(path)))
    check(not drafts(folder), drafts(folder))


@case("a_child_that_only_ends_is_given_no_copies_of_what_its_parent_recorded")
def _(folder):
    if sanitized:
        raise Skip("a sanitizer's own pages are copied as well")
    done = run(folder, program, "cost")
    check(done.returncode == 0, done)
    few, many = json.loads(done.stdout)
    check(many < few + 200, f"{few} page faults beside an empty region, {many} beside 60,000 paths")
    print(f"# {few} page faults beside an empty region, {many} beside 60,000 paths")


@case("children_of_pythons_multiprocessing_save_what_is_theirs")
def _(folder):
    if sanitized:
        raise Skip("a sanitizer's own runtime wants to be the first that is loaded")
    done = run(folder, sys.executable, "-c", PYTHON, library)
    check(done.returncode == 0, done)
    parents, children = split(folder)
    check(len(parents) == 1 and calls_in(parents[0]) == {"in_parent": 200, "in_parent_thread": int(done.stdout)},
          (done.stdout, [calls_in(path) for path in parents]))
    found = [calls_in(path) for path in children]
    check(all(list(calls) == ["in_child"] for calls in found), found)
    check(sum(calls["in_child"] for calls in found) == 15 + 42, found)


finish()
