#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts test cases for tests/run, and says aloud which were skipped or failed and why.

    results.py meson LABEL TESTLOG.json      what `meson test` left
    results.py program NAME STATUS OUTPUT    what a stand-alone check printed
    results.py select BUILD-FOLDER PATTERN SUITE    names of meson's tests

A case is a line of TAP, a test of Python's unittest, or else the whole
program.  A program that fails although none of its cases did counts as one
more failure.  The last line printed is `count PASSED FAILED SKIPPED`.
"""

import fnmatch
import json
import os
import re
import signal
import sys

TAP = re.compile(r"(ok|not ok) (\d+)\b *-? *([^#]*?) *(?:# *(?i:(SKIP|TODO))\S* *(.*))?$")
PLAN = re.compile(r"1\.\.(\d+) *(?:# *(?i:SKIP)\S* *(.*))?$")
SKIPPED = 77  # the exit status by which a program says that it cannot run here
OUTPUT_LINES = 80


class Count:
    def __init__(self, label):
        self.label, self.passed, self.failed, self.skipped = label, 0, 0, 0

    def skip(self, name, reason):
        self.skipped += 1
        print(f"  skipped: {self.label}{name}: {reason or 'no reason given'}")

    def fail(self, name, why=""):
        self.failed += 1
        print(f"  FAILED: {self.label}{name}{': ' if why else ''}{why}")


def matches(pattern, *names):
    return any(fnmatch.fnmatchcase(name.lower(), f"*{pattern.lower()}*") for name in names)


def status_text(status):
    if status < 0 or status > 128:
        number = -status if status < 0 else status - 128
        try:
            return f"killed by {signal.Signals(number).name}"
        except ValueError:
            pass
    return f"exit status {status}"


def count_tap(count, name, lines):
    """Returns whether the lines are TAP."""
    cases = [match for match in map(TAP.match, lines) if match]
    plan = next((match for match in map(PLAN.match, lines) if match), None)
    if plan and plan.group(1) == "0":
        count.skip(name, plan.group(2))
        return True
    for verdict, number, text, directive, reason in (case.groups() for case in cases):
        case = f"{name}: {text or number}"
        if directive and directive.upper() == "SKIP":
            count.skip(case, reason)
        elif verdict == "ok" or directive:  # a TODO may fail
            count.passed += 1
        else:
            count.fail(case)
    if plan and len(cases) != int(plan.group(1)):
        count.fail(name, f"{len(cases)} cases ran, not {plan.group(1)}")
    return bool(cases or plan)


def count_unittest(count, name, text):
    """Returns whether the text ends like one of Python's unittest."""
    ran = re.search(r"^Ran (\d+) tests? in .*\n\n(OK|FAILED)(?: \((.*)\))?", text, re.MULTILINE)
    if not ran:
        return False
    numbers = {key: int(number) for key, number in re.findall(r"(\w+)=(\d+)", ran.group(3) or "")}
    skipped = numbers.get("skipped", 0)
    failed = numbers.get("failures", 0) + numbers.get("errors", 0)
    count.passed += max(int(ran.group(1)) - failed - skipped, 0)
    for number in range(skipped):
        count.skip(f"{name}: test {number + 1} of {skipped} skipped", "its reason is in the program's output with -v")
    for case in re.findall(r"^(?:FAIL|ERROR): (.*)$", text, re.MULTILINE)[:failed]:
        count.fail(f"{name}: {case}")
        failed -= 1
    for _ in range(failed):
        count.fail(name)
    return True


def count_program(count, name, status, text, how=""):
    """Counts one program by what it printed and how it ended."""
    lines = text.splitlines()
    before = count.failed
    if status == SKIPPED:
        count.skip(name, next((line for line in reversed(lines) if line.strip()), ""))
    elif count_tap(count, name, lines) or count_unittest(count, name, text):
        if (status != 0 or how) and count.failed == before:
            count.fail(name, how or status_text(status))
    elif status == 0 and not how:
        count.passed += 1
    else:
        count.fail(name, how or status_text(status))
    if count.failed > before:
        shown = lines[-OUTPUT_LINES:]
        print("".join(f"    | {line}\n" for line in shown), end="")


HOW = {"TIMEOUT": "took too long", "INTERRUPT": "interrupted", "UNEXPECTEDPASS": "passed, though it should fail"}


def count_meson(count, path):
    with open(path, encoding="utf-8") as file:
        tests = [json.loads(line) for line in file]
    for test in tests:
        name, result, status = test["name"].split(" / ")[-1], test["result"], test["returncode"]
        text = test.get("stdout") or ""
        if test.get("stderr"):
            text += ("" if text.endswith("\n") or not text else "\n") + test["stderr"]
        if result == "EXPECTEDFAIL":
            count.passed += 1
        elif result == "SKIP" and not any(map(TAP.match, text.splitlines())):
            count_program(count, name, SKIPPED, text)
        else:
            how = HOW.get(result, "" if result in ("OK", "SKIP") or status != 0 else f"meson says {result}")
            count_program(count, name, status, text, how)


def select(folder, pattern, suite):
    with open(os.path.join(folder, "meson-info", "intro-tests.json"), encoding="utf-8") as file:
        for test in json.load(file):
            suites = [name.split(":")[-1] for name in test["suite"]]
            if (not suite or suite in suites) and matches(pattern, test["name"], *suites):
                print(test["name"])


def main():
    verb, *arguments = sys.argv[1:]
    if verb == "select":
        select(*arguments)
        return
    count = Count(f"{arguments[0]}: " if verb == "meson" else "")
    if verb == "meson":
        count_meson(count, arguments[1])
    else:
        name, status, path = arguments
        with open(path, encoding="utf-8", errors="replace") as file:
            count_program(count, name, int(status), file.read())
    print("count", count.passed, count.failed, count.skipped)


main()
