#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A program is built against the installed copy, with what pkg-config says and nothing else, and runs.

The program uses nothing but a macro: also linked statically it must bring the code that reads the environment.  One in
C++ goes through profcore.hpp.

usage: install_check.py MESON BUILD_FOLDER
"""
import glob
import os
import shutil
import subprocess
import sys
import tempfile

meson, build = sys.argv[1:]
PROGRAM = """#include <profcore/snapshot.h>
int main(void) { PROF_FUNCTION(); return 0; }
"""
CPP_PROGRAM = """#include <profcore/profcore.hpp>
int main() { profcore::scope whole(PROF_SITE("whole")); PROF_METHOD(); return 0; }
"""
STRICT = ["-pedantic", "-Wall", "-Wextra", "-Werror"]
CASES = [ # name, source, compiler, arguments, is static
    ("shared", "program.c", "cc", ["-std=c99", *STRICT], False),
    ("static", "program.c", "cc", ["-std=c99", *STRICT], True),
    ("cpp_shared", "program.cpp", "c++", ["-std=c++11", *STRICT], False),
    ("cpp_static", "program.cpp", "c++", ["-std=c++11", *STRICT], True),
]


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")
    return done.stdout


number = failures = 0
with tempfile.TemporaryDirectory() as root:
    run(meson, "install", "-C", build, "--no-rebuild", "--destdir", root)
    folder = os.path.dirname(glob.glob(os.path.join(root, "**/profcore.pc"), recursive=True)[0])
    library = os.path.dirname(glob.glob(os.path.join(root, "**/libprofcore.so.0"), recursive=True)[0])
    environment = {**os.environ, "PKG_CONFIG_PATH": folder, "PKG_CONFIG_SYSROOT_DIR": root, "LD_LIBRARY_PATH": library}
    for source, program in (("program.c", PROGRAM), ("program.cpp", CPP_PROGRAM)):
        with open(os.path.join(root, source), "w", encoding="ascii") as text:
            text.write(program)
    for name, source, compiler, arguments, static in CASES:
        number += 1
        if not shutil.which(compiler):
            print(f"ok {number} a_program_links_the_installed_{name}_library_by_pkg_config # SKIP there is no {compiler}")
            continue
        try:
            flags = run("pkg-config", "--cflags", "--libs", *(["--static"] if static else []), "profcore", env=environment).split()
            if static:
                flags = [flag if flag != "-lprofcore" else "-l:libprofcore.a" for flag in flags]
            program = os.path.join(root, name)
            run(compiler, *arguments, "-o", program, os.path.join(root, source), *flags, env=environment)
            run(program, env={**environment, "PROFCORE": "1"}, cwd=root)
            written = glob.glob(os.path.join(root, f"profiling_results/{name}_*"))
            if len(written) != 4:
                raise AssertionError(f"files: {written}")
            if static and "libprofcore" in run("ldd", program):
                raise AssertionError("the static program needs the shared library")
            print(f"ok {number} a_program_links_the_installed_{name}_library_by_pkg_config")
        except AssertionError as error:
            failures += 1
            print("# " + str(error).replace("\n", "\n# "))
            print(f"not ok {number} a_program_links_the_installed_{name}_library_by_pkg_config")
    number += 1
    name = "the_installed_command_line_runs_with_the_installed_library"
    try:
        tool = glob.glob(os.path.join(root, "**/bin/profcore"), recursive=True)[0]
        alone = {name: value for name, value in environment.items() if name != "LD_LIBRARY_PATH"}
        if not run(tool, "--version", env=alone).startswith("profcore "):
            raise AssertionError("no version")
        done = run(tool, "doctor", env=alone, cwd=root)
        if os.path.realpath(library) not in done and os.path.join(os.path.dirname(tool), "..") not in done:
            raise AssertionError(f"it does not use the library in {library}:\n{done}")
        run(tool, "run", "-q", os.path.join(root, "shared"), env=environment, cwd=root)
        print(f"ok {number} {name}")
    except (AssertionError, IndexError) as error:
        failures += 1
        print("# " + str(error).replace("\n", "\n# "))
        print(f"not ok {number} {name}")
print(f"1..{number}")
sys.exit(failures != 0)
