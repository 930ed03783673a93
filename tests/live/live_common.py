# SPDX-License-Identifier: Apache-2.0
"""What the checks of this folder share: the program that does what it is told, and the files that it leaves."""
import glob
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "support"))
from tap_cases import Skip, after_each, check, clean_environment

GUARD_S = 30  # against hanging; nothing here is about speed
started = []


def stop_what_was_started():
    for program in started:
        try:
            os.killpg(program.pid, signal.SIGKILL)  # a forked child has the pipes too, and may outlive its parent
        except ProcessLookupError:
            pass
        program.process.communicate()
    started.clear()


after_each.append(stop_what_was_started)


class Program:
    """The driver in a folder; each call is a command, and returns its answer."""

    def __init__(self, driver, folder, **variables):
        self.folder = folder
        environment = {**clean_environment(), "PROFCORE_NAME": "svc", "PROFCORE_FORMATS": "txt,json", **variables}
        self.process = subprocess.Popen([driver], cwd=folder, env=environment, text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        self.pid = self.process.pid
        started.append(self)

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def do(self, *commands):
        """Does these; the time on CLOCK_MONOTONIC when the last was done, in nanoseconds."""
        for command in commands:
            answer = self.ask(command)
            check(answer.startswith("PROF_OK "), f"{command}: {answer or self.process.communicate()[1]}")
        return int(answer.split()[1])

    def end(self, command=None):
        """Says one thing more, if need be, and waits for the end: the status, and what it said on stderr."""
        if command is not None:
            self.process.stdin.write(command + "\n")
        _, said = self.process.communicate(timeout=GUARD_S)
        return self.process.returncode, said

    def files(self, pattern="*"):
        return sorted(glob.glob(os.path.join(self.folder, "profiling_results", pattern)))

    def wait_for(self, pattern, count=1):
        return wait_until(lambda: len(self.files(pattern)) >= count and self.files(pattern),
                          f"{count} × {pattern} among {self.files}")

    def threads(self):
        names = []
        for task in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{task}/comm", encoding="utf-8") as comm:
                names.append(comm.read().strip())
        return names


def need_forks():
    """For a child of a program with threads, which goes on recording: SANITIZER, the last argument, may not bear that."""
    if sys.argv[-1] == "thread":
        raise Skip("ThreadSanitizer does not bear threads after a fork; the plain build runs this case")
    if "address" in sys.argv[-1]:
        raise Skip("gcc's AddressSanitizer leaves its own locks to the child as they were; the plain build runs this case")


def wait_until(condition, what):
    end = time.monotonic() + GUARD_S
    while not (found := condition()):
        check(time.monotonic() < end, f"it did not come to: {what}")
        time.sleep(0.001)
    return found


def text_of(path):
    with open(path, encoding="utf-8") as text:
        return text.read()
