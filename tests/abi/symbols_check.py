#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The dynamic symbols of a shared library are those that its version script lists.

usage: symbols_check.py NM LIBRARY VERSION_SCRIPT [STATIC_LIBRARY]

Also: a static library, whose globals all stand beside its host's, has none
but those with our prefixes; each symbol carries the version PROFCORE_0, and nothing that could end the
host's process or thread, or leave a function by the side door, is imported.

Of NVTX's headers what they leave in objects is let through.  So are three kinds of imports.  __stack_chk_fail and the _chk functions, where a
distribution's flags bring them in, stop a program whose memory has been
overwritten: to go on would be the greater harm.  __cxa_pure_virtual stands in
tables of C++ and is never called.  kill() and raise() give a signal back to
the host whose action the host chose: see lib/api/saver.c.
"""
import re
import subprocess
import sys

nm, library, version_script, *static_libraries = sys.argv[1:]


def lines_of(*arguments):
    return subprocess.run([nm, *arguments], check=True, capture_output=True, text=True).stdout.splitlines()


defined, undefined = set(), set()
for line in lines_of("-D", library):
    *_, kind, name = line.split()
    (undefined if kind in "Uwv" else defined).add(name)
with open(version_script, encoding="ascii") as text:
    wanted = {name + "@@PROFCORE_0" for name in re.findall(r"^\s*(\w+);$", text.read(), re.M)}
if not wanted:
    sys.exit(f"{version_script} lists nothing")
exported = defined - {"PROFCORE_0@@PROFCORE_0", "PROFCORE_0"}
FATAL = re.compile(r"abort|_?_?[eE]xit|_Exit|quick_exit|exit_group|(_|sig)?longjmp|__longjmp_chk|__assert\w*|__libc_fatal|errx?|verrx?|"
                   r"error|error_at_line|exec\w+|tgkill|killpg|pthread_(exit|kill|cancel|sigqueue)|sigqueue|setcontext|"
                   r"_ZSt9terminatev|_ZSt10unexpectedv|__cxa_call_terminate|__cxa_call_unexpected|__clang_call_terminate|"
                   r"__cxa_throw_bad_array_\w+|__ubsan\w+abort")
fatal = {name for name in undefined if FATAL.fullmatch(name.split("@")[0])}
# NVTX is nothing but headers: weak and hidden in each object that uses them, and one in a program, of whoever is linked first.
OF_NVTX = re.compile(r"nvtx\w+_v\d+|InitializeInjectionNvtx2_fnptr")
results = [("exported_symbols_equal_the_list", {name: "exported but not in the list" for name in exported - wanted} |
            {name: "in the list but not exported" for name in wanted - exported}),
           ("nothing_imported_can_end_the_process", dict.fromkeys(fatal, "imported"))]
for static_library in static_libraries:
    rows = [line.split() for line in lines_of("-g", "--defined-only", static_library) if len(line.split()) == 3]
    of_it = {name for _, kind, name in rows if not (kind in "WV" and OF_NVTX.fullmatch(name))}
    if len(of_it) <= len(wanted):
        sys.exit(f"{static_library} defines hardly anything")
    results.append(("globals_of_the_static_library_have_a_prefix",
                    {name: "a global without a prefix" for name in of_it if not re.match("profi?_", name)}))
for number, (name, wrong) in enumerate(results, 1):
    for symbol in sorted(wrong):
        print(f"# {symbol}: {wrong[symbol]}")
    print(f"{'not ok' if wrong else 'ok'} {number} {name}")
print(f"1..{len(results)}")
sys.exit(any(wrong for _, wrong in results))
