# SPDX-License-Identifier: Apache-2.0
"""The frame of a check: cases named as sentences, each in a folder of its own, and a line of TAP for each.

    @case("a_run_leaves_its_files")
    def _(folder):
        check(os.listdir(folder), "no files")

    finish()

A case that cannot run here raises Skip("why").  CASES in the environment selects cases by a part of their names.
"""
import os
import shutil
import signal
import subprocess
import sys
import tempfile

number = failures = 0
after_each = []  # called when a case is over, however it ended
started = []     # processes that do not outlive their case

# What is sent to a program must reach it, also where whoever started this check ignores it, as nohup does.
for each in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
    signal.signal(each, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)


class Skip(Exception):
    pass


def case(name):
    def run(body):
        global number, failures
        if os.environ.get("CASES", "") not in name:
            return
        number += 1
        folder = tempfile.mkdtemp()
        os.chmod(folder, 0o755)  # some cases run programs as another user
        try:
            body(folder)
            print(f"ok {number} {name}", flush=True)
        except Skip as why:
            print(f"ok {number} {name} # SKIP {why}", flush=True)
        except Exception as error:  # a check that fails, or anything else that goes wrong
            failures += 1
            print("# " + (str(error) or repr(error)).replace("\n", "\n# ")[:3000])
            print(f"not ok {number} {name}", flush=True)
        finally:
            for clean_up in after_each:
                clean_up()
            shutil.rmtree(folder, ignore_errors=True)
    return run


def launch(*arguments, **options):
    """A process that is killed when the case ends before it."""
    started.append(subprocess.Popen(*arguments, **options))
    return started[-1]


def end_started():
    while started:
        process = started.pop()
        if process.poll() is None:
            process.kill()
            process.wait()


after_each.append(end_started)


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def equal(actual, expected, what):
    if actual != expected:
        show = str if isinstance(actual, str) and isinstance(expected, str) else repr
        raise AssertionError(f"{what}:\n{show(actual)}\nis not\n{show(expected)}")


def clean_environment():
    """The environment without a word to the library."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PROFCORE")}


def finish():
    print(f"1..{number}")
    sys.exit(failures != 0)
