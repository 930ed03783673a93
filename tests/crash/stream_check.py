#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Events that are streamed to a pipe, a socket or a FIFO: whoever reads, however slowly, counts are exact and nobody waits.

usage: stream_check.py STREAM_MAIN PROFCORE_TOOL
"""
import collections
import glob
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "support"))
from tap_cases import Skip, case, check, clean_environment, equal, finish, launch

program, tool = (os.path.abspath(path) for path in sys.argv[1:3])
FEW, MANY = 20000, 400000  # scopes of a thread: what 1 MiB holds, and far more
LIMIT_S = 100              # a hang, and no figure


def start(folder, to, scopes, way="", pass_fds=(), user=None, **variables):
    """The host, which has `to` as where it streams to, unless it says so itself."""
    by_program = {} if way == "stop" else {"PROFCORE": "1", "PROFCORE_STREAM": to}
    settings = {"PROFCORE_MEMORY": "1MiB", "PROFCORE_FORMATS": "json", "PROFCORE_DIR": os.path.join(folder, "out"), **by_program,
                **variables}
    with open(os.path.join(folder, "said"), "w", encoding="utf-8") as said:
        return launch([program, str(scopes), way, to], cwd=folder, env={**clean_environment(), **settings}, pass_fds=pass_fds,
                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True, user=user)


def end(process):
    told = process.communicate(timeout=LIMIT_S)[0]
    check(process.returncode == 0, f"it ended with {process.returncode}")
    done = json.loads(told)
    check(done["is_open"] and not done["is_nonblocking"], f"the program's descriptor was touched: {done}")
    return done


def said(folder):
    with open(os.path.join(folder, "said"), encoding="utf-8") as text:
        return [line for line in text if line.startswith("profcore: ") and "wrote" not in line]


def convert(folder, data, code=0):
    done = subprocess.run([tool, "convert", "-", "out.trace.json"], cwd=folder, input=data, env=clean_environment(),
                          capture_output=True, timeout=LIMIT_S)
    check(done.returncode == code, done)
    return done.stderr.decode()


def tracks(folder):
    """Of each thread by its name: slices, and events that are lost."""
    with open(os.path.join(folder, "out.trace.json"), encoding="utf-8") as text:
        events = json.load(text)["traceEvents"]
    names = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["ph"] == "M" and e["name"] == "thread_name"}
    found = collections.defaultdict(lambda: [0, 0])
    for event in events:
        lost = re.fullmatch(r"<profcore: (\d+) events lost>", event["name"])
        name = names.get((event["pid"], event.get("tid")), "?")
        if event["ph"] == "B":
            found[name][0] += 1
        elif lost:
            found[name][1] += int(lost[1])
    return found


def check_exact(folder, done, may_lose):
    """recorded + lost = issued, for each thread that lives and for all that have ended; returns what was lost."""
    found = tracks(folder)
    for number in range(3):
        equal(sum(found[f"worker {number}"]), done["worker"], f"worker {number}: {found[f'worker {number}']}")
    others = [sum(each) for name, each in found.items() if not name.startswith("worker")]
    equal(sum(others), done["guests"], f"of threads that have ended: {dict(found)}")
    lost = sum(each[1] for each in found.values())
    check(may_lose or lost == 0, f"{lost} are lost")
    return lost


def check_own_files(folder, done):
    with open(glob.glob(os.path.join(folder, "out", "*[0-9].json"))[0], encoding="utf-8") as text:
        calls = {f["name"]: f["calls"] for f in json.load(text)["functions"]}
    equal(calls, {"outer": done["worker"] * 3 // 2, "inner": done["worker"] * 3 // 2, "guest": done["guests"]}, "the run's own table")


def read_slowly(fd, kept, piece, pause_s):
    while data := os.read(fd, piece):
        kept.append(data)
        time.sleep(pause_s)


class Reader:
    """Reads a pipe, or another descriptor, on a thread."""
    def __init__(self, fd, piece=1 << 16, pause_s=0.0):
        self.kept, self.fd = [], fd
        self.thread = threading.Thread(target=read_slowly, args=(fd, self.kept, piece, pause_s), daemon=True)
        self.thread.start()

    def data(self):
        self.thread.join(LIMIT_S)
        check(not self.thread.is_alive(), "the stream has no end")
        os.close(self.fd)
        return b"".join(self.kept)


def piped(folder, scopes, way="", user=None, reader=None, **variables):
    """Runs the host with a pipe as descriptor 3, say; gives what it told, and what a reader has read."""
    out, into = os.pipe()
    process = start(folder, f"fd:{into}", scopes, way, (into,), user, **variables)
    os.close(into)
    reading = reader(out) if reader else Reader(out)
    done = end(process)
    return done, reading.data()


@case("who_reads_at_once_has_every_event_of_every_thread")
def _(folder):
    done, data = piped(folder, FEW, PROFCORE_MEMORY="16MiB")
    equal(convert(folder, data), "", "said")
    check_exact(folder, done, may_lose=False)
    equal(tracks(folder)["visitor"], [done["guests"], 0], "of threads that have ended, by their name")
    check_own_files(folder, done)
    equal(said(folder), [], "said")


@case("the_tool_reads_a_pipe_while_the_program_runs_and_ends_with_it")
def _(folder):
    out, into = os.pipe()
    with launch([tool, "info", "-"], stdin=out, stdout=subprocess.PIPE, text=True, env=clean_environment()) as info:
        os.close(out)
        process = start(folder, f"fd:{into}", FEW, pass_fds=(into,), PROFCORE_MEMORY="16MiB")
        done = end(process)  # `into` is open here: what ends the stream is its last record
        told = info.communicate(timeout=LIMIT_S)[0]
        os.close(into)
    check(info.returncode == 0 and "kind       timeline, stream\n" in told, told)
    check(f"events     {3 * done['worker'] + done['guests']}\nlosses     0 " in told, told)


@case("what_a_trickle_does_not_take_is_lost_and_counted_for_each_thread")
def _(folder):
    done, data = piped(folder, MANY, reader=lambda fd: Reader(fd, 8192, 0.005))
    told = convert(folder, data)
    lost = check_exact(folder, done, may_lose=True)
    check(lost > 0, "nothing is lost: that proves nothing")
    print(f"# {lost} of {3 * done['worker'] + done['guests']} are lost; {told.strip() or 'it has its end'}")
    check_own_files(folder, done)


def check_end_is_missed(told):
    """What a pipe takes of the last records may end between two of them as well as within one."""
    check("which is cut off" in told or "ends before the stream's end" in told, told or "nothing is said of the torn end")


class Silent:
    """Reads when all is over."""
    def __init__(self, fd):
        self.fd = fd

    def data(self):
        return Reader(self.fd).data()


@case("a_pipe_that_is_never_read_keeps_nobody_and_the_torn_end_is_cut_off_and_said")
def _(folder):
    done, data = piped(folder, MANY, reader=Silent)
    check_end_is_missed(convert(folder, data))
    check(sum(each[0] for each in tracks(folder).values()) > 0, "nothing of what was in the pipe")
    check_own_files(folder, done)
    equal(len([line for line in said(folder) if "has not kept up" in line]), 1, said(folder))


@case("a_stop_that_nobody_reads_comes_back_and_so_does_the_end")
def _(folder):
    piped(folder, MANY, "stop", reader=Silent)


@case("a_reader_that_goes_away_ends_the_stream_and_neither_the_program_nor_its_rings")
def _(folder):
    for kind in ("pipe", "socket"):
        place = os.path.join(folder, kind)
        os.mkdir(place)
        ends = os.pipe() if kind == "pipe" else [end.detach() for end in socket.socketpair()]
        process = start(place, f"fd:{ends[1]}", MANY, "pause", (ends[1],), PROFCORE_FORMATS="json,chrome")
        os.close(ends[1])
        check(os.read(ends[0], 8), "there is no stream")
        os.close(ends[0])
        process.stdin.write("go on\n")
        done = end(process)
        check_own_files(place, done)
        equal(len([line for line in said(place) if "its reader has gone" in line]), 1, said(place))
        check(glob.glob(os.path.join(place, "out", "*.trace.json")), "the rings are not there")


@case("nor_does_one_that_goes_away_while_the_program_waits_for_it_at_its_end")
def _(folder):
    for number in range(8):  # it is the program's own thread that meets it, or the one that streams
        place = os.path.join(folder, str(number))
        os.mkdir(place)
        out, into = os.pipe()
        process = start(place, f"fd:{into}", MANY, "stop", (into,))
        os.close(into)
        time.sleep(0.3 + 0.1 * number)
        os.close(out)
        end(process)


@case("a_socket_does_as_well")
def _(folder):
    ours, theirs = socket.socketpair()
    process = start(folder, f"fd:{theirs.fileno()}", FEW, pass_fds=(theirs.fileno(),), PROFCORE_MEMORY="16MiB")
    theirs.close()
    reading = Reader(ours.detach())
    done = end(process)
    equal(convert(folder, reading.data()), "", "said")
    check_exact(folder, done, may_lose=False)


@case("a_fifo_is_written_to_from_when_somebody_reads_it")
def _(folder):
    fifo = os.path.join(folder, "fifo")
    os.mkfifo(fifo)
    process = start(folder, fifo, FEW, "pause", PROFCORE_MEMORY="16MiB")
    time.sleep(0.2)
    reading = Reader(os.open(fifo, os.O_RDONLY))
    process.stdin.write("go on\n")
    done = end(process)
    equal(convert(folder, reading.data()), "", "said")
    check_exact(folder, done, may_lose=False)


@case("a_fifo_that_nobody_reads_keeps_nobody")
def _(folder):
    fifo = os.path.join(folder, "fifo")
    os.mkfifo(fifo)
    check_own_files(folder, end(start(folder, fifo, MANY)))


@case("of_a_pipe_that_cannot_be_opened_once_more_a_copy_does")
def _(folder):
    if os.geteuid() != 0:
        raise Skip("only root can run a program as another user, who may not open this pipe")
    os.mkdir(os.path.join(folder, "out"))
    os.chmod(os.path.join(folder, "out"), 0o777)
    if subprocess.run([program, "1"], user=65534, cwd=folder, capture_output=True).returncode != 0:
        raise Skip("another user cannot run the program from here")
    done, data = piped(folder, FEW, user=65534, PROFCORE_MEMORY="16MiB", PROFCORE_FORMATS="none")
    convert(folder, data)
    check_exact(folder, done, may_lose=True)
    done, data = piped(folder, MANY, user=65534, reader=Silent, PROFCORE_FORMATS="none")
    check_end_is_missed(convert(folder, data))


@case("what_was_recorded_until_the_stop_is_there_where_the_program_then_ends_without_a_word")
def _(folder):
    done, data = piped(folder, FEW, "stop", PROFCORE_MEMORY="16MiB")
    check("ends before the stream's end" in convert(folder, data), "nothing is said of the missing end")
    check_exact(folder, done, may_lose=False)


@case("children_write_nothing_to_their_parents_stream")
def _(folder):
    done, data = piped(folder, FEW, "fork", PROFCORE_MEMORY="16MiB")
    equal(convert(folder, data), "", "said")
    check_exact(folder, done, may_lose=False)
    with open(os.path.join(folder, "out.trace.json"), encoding="utf-8") as text:
        check("in_child" not in text.read(), "a child is in its parent's stream")


@case("of_a_program_that_is_killed_all_whole_records_are_read")
def _(folder):
    out, into = os.pipe()
    process = start(folder, f"fd:{into}", FEW, "forever", (into,))
    os.close(into)
    reading = Reader(out)
    time.sleep(0.5)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=LIMIT_S)
    data = reading.data()
    convert(folder, data)
    check(sum(each[0] for each in tracks(folder).values()) > 1000, "next to nothing was read")
    for share in (0.9, 0.5, 0.1):
        cut = data[:int(len(data) * share) // 2 * 2 + 1]
        check("cut off" in convert(folder, cut), f"cut to {share}: nothing is said")


def without_last_record(data):
    at = last = 0
    while at < len(data):
        last, at = at, at + 16 + (struct.unpack_from("<Q", data, at + 8)[0] + 7) // 8 * 8
    check(at == len(data), "it is no row of whole records")
    return data[:last]


@case("a_stream_that_is_cut_between_two_records_is_said_to_lack_its_end")
def _(folder):
    done, data = piped(folder, FEW, PROFCORE_MEMORY="16MiB")
    for _ in range(2):
        data = without_last_record(data)
        check("ends before the stream's end" in convert(folder, data), "nothing is said of the missing end")
    info = subprocess.run([tool, "info", "-"], input=data, env=clean_environment(), capture_output=True, timeout=LIMIT_S)
    check(b"the stream's end is missing" in info.stdout, info)
    check_exact(folder, done, may_lose=True)


@case("what_is_no_pipe_socket_or_fifo_is_said_and_recording_goes_on")
def _(folder):
    out, into = os.pipe()
    with open(os.path.join(folder, "file"), "w", encoding="utf-8") as file:
        for to, why in (("fd:999", "fd:999: "), ("fd:x", "neither a descriptor"), (f"fd:{file.fileno()}", "neither a pipe nor"),
                        (f"fd:{out}", "open for reading only"), ("missing", "missing"), (file.name, "is no FIFO")):
            place = os.path.join(folder, str(len(os.listdir(folder))))
            os.mkdir(place)
            process = start(place, to, FEW, pass_fds=(out, into, file.fileno()))
            told = json.loads(process.communicate(timeout=LIMIT_S)[0])
            check(process.returncode == 0, to)
            check_own_files(place, told)
            check(any(why in line for line in said(place)), f"{to}: {said(place)}")
    os.close(out)
    os.close(into)
    process = start(folder, "fd:x", FEW, "stop")
    process.communicate(timeout=LIMIT_S)
    check(process.returncode == 3, "a bad option of the program's is no error")


@case("a_stream_becomes_a_table_too_and_is_not_merged_as_it_is")
def _(folder):
    done, data = piped(folder, FEW, PROFCORE_MEMORY="16MiB")
    with open(os.path.join(folder, "it.stream"), "wb") as file:
        file.write(data)
    for source in ("-", "it.stream"):
        report = subprocess.run([tool, "report", source], cwd=folder, input=data, env=clean_environment(), capture_output=True,
                                timeout=LIMIT_S)
        check(report.returncode == 0 and b"(guest)" in report.stdout, report)
        check(f"{3 * done['worker'] + done['guests']} function calls".encode() in report.stdout, report.stdout[:300])
    merged = subprocess.run([tool, "merge", "it.stream", "it.stream", "-o", "both.pftrace"], cwd=folder, env=clean_environment(),
                            capture_output=True, text=True, timeout=LIMIT_S)
    check(merged.returncode == 1 and "is not merged" in merged.stderr and merged.stderr.count("\n") == 1, merged)


finish()
