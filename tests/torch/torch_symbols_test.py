# SPDX-License-Identifier: Apache-2.0
"""Checks what a library exports against the list in its version script.

Usage: torch_symbols_test.py NM LIBRARY VERSION_SCRIPT
"""
import re
import subprocess
import sys


def main():
    nm, library, script = sys.argv[1:4]
    with open(script, encoding="utf-8") as file:
        listed = set(re.findall(r"^\s*(\w+);$", file.read(), re.M))
    output = subprocess.run([nm, "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    exported = {line.split()[-1] for line in output.splitlines() if line.split()[-2] != "A"}
    wanted = {name + "@@PROFCORE_0" for name in listed}
    print("1..1")
    for name in sorted(exported - wanted):
        print(f"# exported, but not in the list: {name}")
    for name in sorted(wanted - exported):
        print(f"# in the list, but not exported: {name}")
    is_equal = exported == wanted and listed
    print(f"{'ok' if is_equal else 'not ok'} 1 the_exported_symbols_are_those_of_the_list")


main()
