#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A library still offers what the checked-in dump says, and the dump says all that it offers.

usage: abi_check.py LIBRARY HEADERS DUMP [REASON_TO_SKIP]

After an addition: write it into CHANGELOG.md and run tests/abi/renew.
"""
import re
import sys

sys.dont_write_bytecode = True
import abi_dump  # noqa: E402

library, headers, stored, *reason = sys.argv[1:]
if reason:
    print(f"1..0 # SKIP {reason[0]}")
    sys.exit(0)
try:
    now = abi_dump.dump(library, headers)
except abi_dump.Unable as why:
    print(f"1..0 # SKIP {why}")
    sys.exit(0)
with open(stored, encoding="utf-8") as text:
    before = text.read()
broken = abi_dump.differences(before, now, breaking_only=True)
changed = abi_dump.differences(before, now)
cases = [("programs_built_before_find_all_as_it_was", broken),
         ("every_addition_is_in_the_dump_and_so_in_the_changelog", changed),
         ("the_dump_holds_nothing_of_a_machine", "\n".join(re.findall(r".*=['\"](?:/|\.\.).*", before)))]
for number, (name, wrong) in enumerate(cases, 1):
    print("".join(f"# {line}\n" for line in wrong.splitlines()), end="")
    print(f"{'not ok' if wrong else 'ok'} {number} {name}")
print(f"1..{len(cases)}")
sys.exit(any(wrong for _, wrong in cases))
