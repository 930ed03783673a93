#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the pins of requirement files that this Python's environment does not meet.

    pins.py REQUIREMENTS...

One line each: `missing NAME==VERSION`, or `broken NAME==VERSION` for a package
whose installation was interrupted: pip writes INSTALLER last, and would take
what lies there for installed.  Exit codes: 0 all met, 1 not.
"""

import importlib.metadata
import sys


def state_of(name, version):
    try:
        package = importlib.metadata.distribution(name)
        found = package.version
    except importlib.metadata.PackageNotFoundError:
        return "missing"
    if found is None or not package.read_text("INSTALLER"):
        return "broken"
    return "met" if found.split("+")[0] == version else "missing"


def main():
    unmet = 0
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            pins = [line.strip() for line in file if "==" in line and not line.startswith("#")]
        for pin in pins:
            state = state_of(*pin.split("=="))
            if state != "met":
                print(state, pin)
                unmet += 1
    return 1 if unmet else 0


sys.exit(main())
