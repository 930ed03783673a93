#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The dynamic symbols of a shared library are those that its version script lists.

usage: symbols_check.py NM LIBRARY VERSION_SCRIPT [--may-abort]

Also: each carries the version PROFCORE_0, and, but for --may-abort (C++'s
own run time may), nothing that could end the host's process is imported.
"""
import re
import subprocess
import sys

nm, library, version_script, *options = sys.argv[1:]
defined, undefined = set(), set()
for line in subprocess.run([nm, "-D", library], check=True, capture_output=True, text=True).stdout.splitlines():
    *_, kind, name = line.split()
    (undefined if kind in "Uwv" else defined).add(name)
with open(version_script, encoding="ascii") as text:
    wanted = {name + "@@PROFCORE_0" for name in re.findall(r"^\s*(\w+);$", text.read(), re.M)}
if not wanted:
    sys.exit(f"{version_script} lists nothing")
exported = defined - {"PROFCORE_0@@PROFCORE_0", "PROFCORE_0"}
fatal = {name for name in undefined
         if name.split("@")[0] in ("abort", "exit", "_exit", "_Exit", "quick_exit", "longjmp", "__assert_fail")}
results = [("exported_symbols_equal_the_list", exported ^ wanted)]
if "--may-abort" not in options:
    results.append(("nothing_imported_can_end_the_process", fatal))
for number, (name, wrong) in enumerate(results, 1):
    for symbol in sorted(wrong):
        print(f"# {symbol}: {'exported but not in the list' if symbol in exported else 'in the list but not exported' if symbol in wanted else 'imported'}")
    print(f"{'not ok' if wrong else 'ok'} {number} {name}")
print(f"1..{len(results)}")
sys.exit(any(wrong for _, wrong in results))
