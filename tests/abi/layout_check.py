#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every field of every struct that the public headers show has its place asserted in layout_test.c.

usage: layout_check.py HEADERS LAYOUT_TEST
"""
import glob
import re
import sys

VALUES = {"prof_scope", "prof_arg", "prof_span", "prof_request", "prof_timeline_source"} # passed as they are: they never grow

headers, test = sys.argv[1:]
with open(test, encoding="utf-8") as text:
    asserted = set(re.findall(r"^((?:AT|SIZE)\(\w+(?:, \w+)?), \d+\);$", text.read(), re.M))
wanted, without_size = [], []
for header in sorted(glob.glob(headers + "/*.h")):
    with open(header, encoding="utf-8") as text:
        code = re.sub(r"/\*.*?\*/", "", text.read(), flags=re.S)
    for name, body in re.findall(r"struct (?:__attribute__\(\(may_alias\)\) )?(\w+) \{(.*?)\}", code, re.S):
        wanted.append(f"SIZE({name}")
        # A function's pointer hides its name in brackets.
        fields = [field for declaration in re.sub(r"\(\*(\w+)\)\([^)]*\)", r" \1", body).split(";")
                  for field in re.findall(r"[\s*](\w+)(?:\[[^]]*\])*\s*(?:,|$)", declaration.strip())]
        wanted += [f"AT({name}, {field}" for field in fields]
        if fields[0] != "size" and name not in VALUES and not name.startswith("prof_inline_"):
            without_size.append(name)
cases = [("every_field_of_a_visible_struct_is_asserted", [f"layout_test.c lacks {each}, …);" for each in wanted if each not in asserted]),
         ("every_assertion_is_about_a_struct_of_today", sorted(asserted - set(wanted))),
         ("every_visible_struct_but_small_values_and_the_inlined_begins_with_its_size", without_size),
         ("there_are_structs_to_look_at", [] if len(wanted) > 50 else [f"only {wanted}"])]
for number, (name, wrong) in enumerate(cases, 1):
    print("".join(f"# {each}\n" for each in wrong), end="")
    print(f"{'not ok' if wrong else 'ok'} {number} {name}")
print(f"1..{len(cases)}")
sys.exit(any(wrong for _, wrong in cases))
