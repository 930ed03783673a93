#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The control socket: what it answers, who may ask, and clients that mean no good; and the command line on it.

usage: control_check.py LIVE_MAIN PROFCORE [SANITIZER]
"""
import json
import os
import pty
import select
import signal
import socket
import stat
import subprocess
import sys
import termios
import time

from live_common import GUARD_S, Program, need_forks, text_of, wait_until
from tap_cases import Skip, case, check, clean_environment, finish, launch

driver, tool = (os.path.abspath(path) for path in sys.argv[1:3])


def start(folder, **variables):
    runtime = os.path.join(folder, "run")
    os.makedirs(runtime, exist_ok=True)
    program = Program(driver, folder, **{"PROFCORE": "1", "PROFCORE_CONTROL": "1", "XDG_RUNTIME_DIR": runtime, **variables})
    program.do("open main")
    program.socket = os.path.join(runtime, "profcore", f"{program.pid}.sock")
    return program


def connect(program):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(GUARD_S)
    client.connect(program.socket)
    return client


def read_answer(client):
    stream = client.makefile("rb")
    head = stream.readline().decode()
    if head.startswith("profcore/1 ok "):
        return stream.read(int(head.split()[2])).decode()
    return head


def ask(program, line):
    with connect(program) as client:
        client.sendall(line.encode() + b"\n")
        return read_answer(client)


def run(*arguments, **how):
    return subprocess.run([tool, *(str(argument) for argument in arguments)], env=clean_environment(), text=True,
                          capture_output=True, timeout=GUARD_S * 2, **how)


def still_works(program):
    check(json.loads(ask(program, "info"))["pid"] == program.pid, "it does not answer any more")
    program.do("open more", "close")


@case("every_command_is_answered")
def _(folder):
    program = start(folder)
    program.do("hang get_response")
    info = json.loads(ask(program, "info"))
    check(info["schema"] == "profcore.control/1" and info["pid"] == program.pid and info["is_recording"], info)
    top = json.loads(ask(program, "top"))
    check(top["schema"] == "profcore.summary/1" and {"main", "get_response"} <= {f["name"] for f in top["functions"]}, top)
    check("\n" in ask(program, "stacks") and "get_response  live.c:7" in ask(program, "stacks txt"), ask(program, "stacks"))
    threads = json.loads(ask(program, "stacks json"))["threads"]
    check([[s["name"] for s in t["open_scopes"]] for t in threads] == [["main"], ["get_response", "waits"]], threads)
    path = ask(program, "dump 5").strip()
    check(path.startswith(os.path.join(folder, "profiling_results", "svc_asked_")), path)
    check("asked: by the control socket" in text_of(path + ".txt") and os.path.exists(path + ".pftrace"), path)
    for line, part in (("", "there are: info"), ("nonsense", "there are: info"), ("dump -1", "not a whole number"),
                       ("dump x", "not a whole number"), ("stacks xml", "txt or json"), ("top\0secret", "profcore.summary/1")):
        check(part in ask(program, line), f"{line!r}: {ask(program, line)[:200]}")


@case("several_questions_go_over_one_connection_in_pieces_or_at_once")
def _(folder):
    program = start(folder)
    with connect(program) as client:
        for piece in (b"in", b"fo", b"\n"):
            client.sendall(piece)
            time.sleep(0.02)
        check("profcore.control/1" in read_answer(client), "in pieces")
        client.sendall(b"info\nstacks\n")
        stream = client.makefile("rb")
        for _ in range(2):
            head = stream.readline().decode()
            check(head.startswith("profcore/1 ok "), head)
            stream.read(int(head.split()[2]))


@case("recording_is_switched_from_outside")
def _(folder):
    program = start(folder)
    check("already" in ask(program, "start"), "start")
    check("paused" in ask(program, "stop") and "is not recording" in ask(program, "stop"), "stop")
    program.do("open unseen", "close")
    check("goes on" in ask(program, "start"), "start again")
    program.do("open seen", "close")
    names = {f["name"] for f in json.loads(ask(program, "top"))["functions"]}
    check("seen" in names and "unseen" not in names, names)
    idle = start(folder, PROFCORE="", PROFCORE_NAME="idle")
    check("ask it to start" in ask(idle, "top"), ask(idle, "top"))
    check("has begun" in ask(idle, "start"), "start")
    idle.do("open seen", "close")
    check("files are written" in ask(idle, "stop") and idle.files("idle_*.json"), idle.files())
    check("CUPTI is free" in ask(program, "gpu stop"), "gpu stop")
    check("PROF_E_UNAVAILABLE: GPU work is not traced" in ask(program, "gpu start"), "there is no GPU")
    check("PROF_E_INVALID" in ask(program, "gpu"), "gpu")
    check("already" in ask(program, "start"), "it has not stopped recording")
    never = start(folder, PROFCORE="0")
    check("PROFCORE=0 keeps" in ask(never, "start"), ask(never, "start"))


@case("socket_and_folder_are_the_users_alone_and_gone_at_the_end")
def _(folder):
    program = start(folder)
    found = os.lstat(program.socket)
    check(stat.S_ISSOCK(found.st_mode) and found.st_mode & 0o777 == 0o600, oct(found.st_mode))
    check(os.stat(os.path.dirname(program.socket)).st_mode & 0o777 == 0o700, "the folder")
    check("profcore-ctl" in program.threads(), program.threads())
    status, said = program.end()
    check(status == 0 and not os.path.lexists(program.socket), said)


@case("without_the_variable_there_is_no_socket_and_no_thread")
def _(folder):
    for value in ("", "0"):
        program = start(folder, PROFCORE_CONTROL=value)
        check(program.threads() == ["live_main"] and not os.path.lexists(program.socket), program.threads())
    program = start(folder, PROFCORE_CONTROL="relative/path")
    check("PROFCORE_CONTROL=relative/path ignored: neither 0, 1 nor a path" in program.end()[1], "a bad value")


@case("a_folder_that_others_may_enter_or_have_made_is_refused")
def _(folder):
    inner = os.path.join(folder, "run", "profcore")
    os.makedirs(inner)
    os.chmod(inner, 0o755)
    check("only user" in start(folder).end()[1], "a shared folder")
    os.rmdir(inner)
    os.mkdir(os.path.join(folder, "elsewhere"), 0o700)
    os.symlink(os.path.join(folder, "elsewhere"), inner)
    check("only user" in start(folder).end()[1], "a link")
    check(os.listdir(os.path.join(folder, "elsewhere")) == [], "something behind the link")
    os.unlink(inner)
    if os.geteuid() == 0:
        os.mkdir(inner, 0o700)
        os.chown(inner, 65534, 65534)
        check("only user" in start(folder).end()[1], "a stranger's folder")


@case("a_stale_socket_is_replaced_and_what_is_in_use_or_no_socket_is_not")
def _(folder):
    path = os.path.join(folder, "control.sock")
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(path)
    stale.close()
    program = start(folder, PROFCORE_CONTROL=path)
    program.socket = path
    still_works(program)
    check("cannot listen" in start(folder, PROFCORE_CONTROL=path).end()[1], "in use")
    still_works(program)
    program.end()
    check(not os.path.lexists(path), "it is still there")
    with open(path, "w", encoding="ascii") as file:
        file.write("mine")
    check("cannot listen" in start(folder, PROFCORE_CONTROL=path).end()[1] and text_of(path) == "mine", "a file")


@case("another_user_gets_no_answer")
def _(folder):
    if os.geteuid() != 0:
        raise Skip("needs root")
    program = start(folder, PROFCORE_CONTROL=os.path.join(folder, "control.sock"))
    program.socket = os.path.join(folder, "control.sock")
    os.chmod(program.socket, 0o666)
    code = ("import socket,sys; s=socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(sys.argv[1]); "
            "s.sendall(b'info\\n'); print(s.recv(4096).decode())")
    python = "/usr/bin/python3"
    if not os.path.exists(python):
        raise Skip("there is no Python that another user could run")
    done = subprocess.run([python, "-c", code, program.socket], user=65534, capture_output=True, text=True, timeout=GUARD_S)
    check("another user" in done.stdout or "Broken pipe" in done.stderr or "reset" in done.stderr, done)
    check("profcore.control/1" not in done.stdout, done)
    still_works(program)


@case("garbage_and_lines_without_an_end_are_dropped")
def _(folder):
    program = start(folder)
    for data in (b"\xff\xfe\x00\x80" * 10 + b"\n", b"x" * 255 + b"\n", b"%n%s%n\n", b"../../etc/passwd\n"):
        with connect(program) as client:
            client.sendall(data)
            check(read_answer(client).startswith("profcore/1 error "), data)
    with connect(program) as client:
        try:
            client.sendall(b"x" * 100000)
            said = client.recv(1)
        except (BrokenPipeError, ConnectionResetError):
            said = b""
        check(said == b"", "a line of 100,000 bytes")
    with connect(program) as client:
        client.sendall(b"inf")
        began = time.monotonic()
        check(client.recv(1) == b"" and time.monotonic() - began > 5, "half a line")
    still_works(program)


@case("a_client_that_does_not_read_holds_nobody_up_and_is_dropped")
def _(folder):
    program = start(folder)
    for i in range(300):
        program.do(f"open {'n' * 900}{i}", "close")
    with connect(program) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.sendall(b"top\n" * 3)
        time.sleep(0.2)
        still_works(program)

        def is_dropped():
            try:
                client.send(b"info\n")
                time.sleep(0.1)
                return False
            except OSError:
                return True
        wait_until(is_dropped, "the slow reader is dropped")
    still_works(program)


@case("a_hundred_connections_are_no_harm")
def _(folder):
    program = start(folder)
    clients = []
    for _ in range(100):
        client = socket.socket(socket.AF_UNIX)
        client.setblocking(False)
        try:
            client.connect(program.socket)
        except OSError:
            pass
        clients.append(client)
    program.do("open while", "close")
    for client in clients:
        client.close()

    def answers():
        try:
            return "profcore.control/1" in ask(program, "info")
        except OSError:
            return False
    wait_until(answers, "an answer after all that")
    check(len(os.listdir(f"/proc/{program.pid}/fd")) < 20, os.listdir(f"/proc/{program.pid}/fd"))


@case("a_forked_child_has_no_socket_and_leaves_the_parents_alone")
def _(folder):
    need_forks()
    program = start(folder)
    program.do("fork")
    status, _ = program.end()
    check(status == 0, status)
    program = start(folder)
    still_works(program)
    program.do("fork", "start", "open child")
    with open(f"/proc/{program.pid}/task/{program.pid}/children", encoding="ascii") as children:
        child = int(children.read())
    check("child" in run("stacks", child, ).stdout, run("stacks", child))
    still = os.path.lexists(program.socket)
    program.end()
    check(still, "the parent's socket is gone")


# ---- the command line ----

@case("profcore_stacks_dump_start_and_stop_ask_a_running_program")
def _(folder):
    program = start(folder)
    program.do("hang get_response")
    done = run("stacks", program.pid)
    check(done.returncode == 0 and "get_response  live.c:7" in done.stdout and "-- profcore" in done.stdout, done)
    check(json.loads(run("stacks", "--json", program.pid).stdout)["pid"] == program.pid, "--json")
    done = run("dump", "--seconds", "3", program.pid)
    check([os.path.splitext(line)[1] for line in done.stdout.splitlines()] == [".txt", ".pftrace"], done)
    check(all(os.path.exists(line) for line in done.stdout.splitlines()), done)
    check("CUPTI is free" in run("stop", "--gpu", program.pid).stdout, "stop --gpu")
    check("paused" in run("stop", program.pid).stdout and "goes on" in run("start", program.pid).stdout, "stop and start")


@case("profcore_top_shows_rates_of_the_last_interval")
def _(folder):
    program = start(folder)
    program.do("busy 1", "hang get_response")
    done = run("top", "--once", "--interval", "0.3", program.pid)
    check(done.returncode == 0, done)
    rows = {line.split("  ")[-2].strip(): line.split() for line in done.stdout.splitlines()[3:]}
    check(float(rows["part"][0]) > 1000 and float(rows["get_response"][0]) == 0, done.stdout)
    check(rows["get_response"][5] == "1" and rows["part"][3] != "-", done.stdout)
    check(float(rows["waits"][1]) > 50, f"the self time of what hangs goes on: {done.stdout}")
    check(len(run("top", "--once", "-i", "0.1", "--limit", "1", program.pid).stdout.splitlines()) == 4, "--limit")
    for arguments, part in ((("-i", "0"), "0.1 to 3600"), (("--sort", "x"), "--sort is"), (("-l", "0"), "--limit takes")):
        done = run("top", *arguments, program.pid)
        check(done.returncode == 2 and part in done.stderr, done)


@case("profcore_top_on_a_terminal_is_drawn_again_and_leaves_it_as_it_was")
def _(folder):
    program = start(folder)
    program.do("busy 1")
    for end in ("q", signal.SIGTERM, signal.SIGINT):
        master, slave = pty.openpty()
        before = termios.tcgetattr(slave)
        top = subprocess.Popen([tool, "top", "-i", "0.1", str(program.pid)], stdin=slave, stdout=slave, stderr=slave,
                               env=clean_environment())
        seen = b""
        while seen.count(b"\x1b[H") < 3:
            check(select.select([master], [], [], GUARD_S)[0], f"nothing is drawn: {seen!r}")
            seen += os.read(master, 65536)
        check(b"\x1b[?1049h" in seen and b"busy" in seen and b"q quits" in seen, seen)
        if end == "q":
            os.write(master, b"q")
        else:
            top.send_signal(end)
        status = top.wait(GUARD_S)
        check(status == (0 if end == "q" else -end), (end, status))
        while select.select([master], [], [], 0.2)[0]:
            seen += os.read(master, 65536)
        check(seen.rstrip().endswith(b"\x1b[?1049l"), seen[-200:])
        check(termios.tcgetattr(slave) == before, "the terminal's modes")
        os.close(master)
        os.close(slave)


@case("what_stays_open_leaves_the_standard_streams_numbers_to_a_program_that_closed_them")
def _(folder):
    if sys.argv[3:] not in ([], ["none"]):
        raise Skip("a sanitizer's library would have to be loaded first")
    library = os.path.join(os.path.dirname(tool), os.pardir, "lib", "libprofcore.so")
    process = launch(["sleep", "100"], cwd=folder, preexec_fn=lambda: os.closerange(0, 3),
                     env={**clean_environment(), "LD_PRELOAD": library, "XDG_RUNTIME_DIR": folder, "PROFCORE": "1",
                          "PROFCORE_CONTROL": "1", "PROFCORE_MODE": "stream", "PROFCORE_CRASH_SAFE": "1"})
    def is_there():
        return os.path.exists(os.path.join(folder, "profcore", f"{process.pid}.sock"))
    wait_until(is_there, "a socket")
    fds = f"/proc/{process.pid}/fd"
    # What the program opens for a moment itself gets such a number.
    wait_until(lambda: min(map(int, os.listdir(fds))) > 2, "numbers above 2 only")
    opened = {int(number): os.readlink(os.path.join(fds, number)) for number in os.listdir(fds)}
    check(any(what.endswith(".stream") for what in opened.values()) and any("socket:" in what for what in opened.values()), opened)


@case("why_a_program_cannot_be_asked_is_said")
def _(folder):
    program = start(folder, PROFCORE_CONTROL="")
    for arguments, status, part in ((("stacks", program.pid), 1, "be started with PROFCORE_CONTROL=1"),
                                    (("stacks", 4194303), 1, "there is no process 4194303"), (("stacks",), 2, "which process?"),
                                    (("dump", "x"), 2, "not a process id: x"), (("dump", "1", "2"), 2, "one process at a time"),
                                    (("dump", "--seconds", "x", "1"), 2, "not a whole number of seconds")):
        done = run(*arguments)
        check(done.returncode == status and part in done.stderr, (arguments, done))
    if os.geteuid() == 0:
        other = subprocess.Popen(["sleep", "60"], user=65534)
        done = run("stacks", other.pid)
        other.kill()
        other.wait()
        check(done.returncode == 1 and "is another user's" in done.stderr, done)


finish()
