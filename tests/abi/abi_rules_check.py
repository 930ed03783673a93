#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What abi_dump.py takes for a break, for an addition, and for nothing, on small libraries with one change each.

usage: abi_rules_check.py COMPILER...
"""
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import abi_dump  # noqa: E402

HEADER = """#include <stdint.h>
typedef struct prof_scope { uintptr_t place; } prof_scope;
typedef struct prof_opaque prof_opaque;
typedef struct prof_row { uint32_t size; uint32_t flags; const char *name; uint64_t calls, times; uint32_t reserved; } prof_row;
prof_scope prof_open(prof_opaque *used, uint32_t flags);
int32_t prof_read(const prof_opaque *used, prof_row *row);
void prof_close(prof_opaque *used);
"""
SOURCE = """#pragma GCC visibility push(default)
#include "public.h"
#pragma GCC visibility pop
#include "private.h"
prof_scope prof_open(prof_opaque *used, uint32_t flags) { prof_scope s = { used->held + flags }; return s; }
int32_t prof_read(const prof_opaque *used, prof_row *row) { row->calls = used->held; return 0; }
void prof_close(prof_opaque *used) { used->held = 0; }
"""
PRIVATE = "struct profi_inner { int a; };\nstruct prof_opaque { uint32_t held; struct profi_inner inner; };\n"
MAP = "PROFCORE_0 { global: prof_*; local: *; };\n"

NOTHING, ADDITION, BREAK = "nothing", "an addition", "a break"
CASES = [  # name, what it is, [(text, its replacement), …]
    ("the_same_source_elsewhere_is_nothing", NOTHING, []),
    ("a_private_struct_that_changes_is_nothing", NOTHING, [("uint32_t held;", "uint64_t before; uint32_t held;")]),
    ("a_parameter_that_is_renamed_is_nothing", NOTHING, [("prof_row *row)", "prof_row *into)"), ("row->calls", "into->calls")]),
    ("a_name_for_what_was_reserved_is_nothing", NOTHING, [("uint32_t reserved;", "uint32_t more;")]),
    ("a_new_function_is_an_addition", ADDITION,
     [("void prof_close(prof_opaque *used);", "void prof_close(prof_opaque *used);\nint32_t prof_more(void);"),
      ("{ used->held = 0; }", "{ used->held = 0; }\nint32_t prof_more(void) { return 1; }")]),
    ("a_field_appended_to_a_struct_with_a_size_is_an_addition", ADDITION,
     [("uint32_t reserved; }", "uint32_t reserved; uint64_t more; }")]),
    ("so_is_one_appended_when_another_is_renamed", ADDITION, [("uint32_t reserved; }", "uint32_t flags2; uint64_t more; }")]),
    ("a_function_removed_is_a_break", BREAK,
     [("void prof_close(prof_opaque *used);\n", ""), ("void prof_close(prof_opaque *used) { used->held = 0; }\n", "")]),
    ("a_parameter_of_another_type_is_a_break", BREAK, [("prof_opaque *used, uint32_t flags)", "prof_opaque *used, uint64_t flags)")]),
    ("another_result_is_a_break", BREAK, [("int32_t prof_read(", "int64_t prof_read(")]),
    ("a_parameter_more_is_a_break", BREAK, [("void prof_close(prof_opaque *used)", "void prof_close(prof_opaque *used, int how)")]),
    ("a_field_that_moved_is_a_break", BREAK,
     [("const char *name; uint64_t calls, times;", "uint64_t calls, times; const char *name;")]),
    ("two_fields_of_one_type_that_change_places_are_a_break", BREAK, [("calls, times;", "times, calls;")]),
    ("so_they_are_when_the_struct_grows_too", BREAK,
     [("calls, times;", "times, calls;"), ("uint32_t reserved; }", "uint32_t reserved; uint64_t more; }")]),
    ("a_field_put_between_others_is_a_break", BREAK, [("uint64_t calls, times;", "uint64_t more, calls, times;")]),
    ("a_field_removed_is_a_break", BREAK, [(" uint32_t reserved; }", " }")]),
    ("a_field_of_another_type_is_a_break", BREAK, [("uint64_t calls,", "int64_t calls,")]),
    ("a_reserved_field_of_another_type_is_a_break", BREAK, [("uint32_t reserved;", "uint64_t reserved;")]),
    ("a_field_in_the_padding_is_a_break", BREAK, [("uint32_t reserved;", "uint32_t reserved, more;")]),
    ("a_field_appended_and_another_changed_is_a_break", BREAK,
     [("uint64_t calls,", "int64_t calls,"), ("uint32_t reserved; }", "uint32_t reserved; uint64_t more; }")]),
    ("a_token_that_grows_is_a_break", BREAK, [("{ uintptr_t place; }", "{ uintptr_t place, more; }"), ("= { used->held + flags }", "= { used->held + flags, 0 }")]),
]


def build(root, changes):
    """Compiles the library with a change into a folder of its own; returns its dump."""
    folder = tempfile.mkdtemp(dir=root)
    os.makedirs(os.path.join(folder, "include"))
    files = {"include/public.h": HEADER, "private.h": PRIVATE, "lib.c": SOURCE, "lib.map": MAP}
    for before, after in changes:
        assert any(before in text for text in files.values()), before
        files = {name: text.replace(before, after) for name, text in files.items()}
    for name, text in files.items():
        with open(os.path.join(folder, name), "w", encoding="ascii") as out:
            out.write(text)
    library = os.path.join(folder, "lib.so")
    subprocess.run([*sys.argv[1:], "-g", "-fPIC", "-shared", "-I" + folder + "/include", "-Wl,--version-script=" + folder + "/lib.map",
                    "-Wl,-soname,lib.so.0", "-o", library, folder + "/lib.c"], check=True)
    return abi_dump.dump(library, os.path.join(folder, "include"))


failures = 0
with tempfile.TemporaryDirectory() as root:
    try:
        before = build(root, [])
    except abi_dump.Unable as why:
        print(f"1..0 # SKIP {why}")
        sys.exit(0)
    for number, (name, wanted, changes) in enumerate(CASES, 1):
        now = build(root, changes)
        broken, changed = abi_dump.differences(before, now, breaking_only=True), abi_dump.differences(before, now)
        found = BREAK if broken else ADDITION if changed else NOTHING
        if found != wanted or (broken and not changed):
            failures += 1
            print(f"# taken for {found}\n" + "".join(f"# {line}\n" for line in (broken or changed).splitlines()), end="not ")
        print(f"ok {number} {name}")
print(f"1..{len(CASES)}")
sys.exit(failures != 0)
