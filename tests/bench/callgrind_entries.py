#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sums what callgrind counted in a library: every call from outside into it, with all that it calls in turn.

usage: callgrind_entries.py FILE LIBRARY [FUNCTION…]

Prints the sum for LIBRARY, a part of its path; then what each FUNCTION, of any object, took with all that it calls.
"""
import re
import sys

path, library, *functions = sys.argv[1:]
names = {}  # (kind, number) to a name: the file gives it once
entered = 0
inclusive = dict.fromkeys(functions, 0)
now = {}    # where the cost lines belong


def name_of(kind, text):
    number, name = re.fullmatch(r"\((\d+)\)(?: (.*))?", text).groups()
    if name is not None:
        names[kind, number] = name
    return names.get((kind, number), "")


with open(path, encoding="utf-8", errors="replace") as lines:
    for line in lines:
        field = re.match(r"(c?)(ob|fn)=(.*)", line)
        if field:
            now[field[1] + field[2]] = name_of(field[2], field[3])
        elif line.startswith("calls="):
            cost = int(next(lines).split()[-1])
            callee = now.pop("cob", now["ob"])
            if library in callee and library not in now["ob"]:
                entered += cost
            if now["fn"] in inclusive:
                inclusive[now["fn"]] += cost
        elif now.get("fn") in inclusive and re.match(r"[-+*\d]", line):
            inclusive[now["fn"]] += int(line.split()[-1])
print(entered, *inclusive.values())
