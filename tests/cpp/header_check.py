#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""profcore.hpp compiles alone, in every standard and both compilers, with each thing that a build may leave out.

usage: header_check.py SOURCE_ROOT LIBRARY

Also: one translation unit with PROF_DISABLE and one without link together and
each keeps to its own, and what cannot be right does not compile.
"""
import glob
import os
import shutil
import subprocess
import sys
import tempfile

root, library = sys.argv[1:]
STANDARDS = ["c++11", "c++14", "c++17", "c++20"] # the first and the last with each thing left out
WITHOUT = [[], ["-DPROF_INLINE"], ["-DPROF_DISABLE"], ["-fno-exceptions"], ["-fno-rtti"], ["-fno-exceptions", "-fno-rtti", "-DPROF_DISABLE"]]
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Wnon-virtual-dtor", "-Werror"]

# Every macro and every class is used, so that templates and macros are compiled and not only parsed.
USE = """#include <profcore/profcore.hpp>
namespace ns {
template <typename T> T in_template(T value)
{
    PROF_METHOD();
    profcore::scope step(PROF_SITE("step"));
    step.phase(PROF_SITE_WITH("next", PROF_SITE_RSS));
    return value;
}
struct service {
    profcore::scope member{PROF_SITE("member")};
    int answer() const { PROF_METHOD_SAVE(); return in_template(1); }
    profcore::span waits{PROF_SITE("waits")};
    profcore::counter depth;
    explicit service(profcore::error &why) : depth("depth", why) {}
    int other() const { PROF_METHOD_WITH(PROF_SITE_RSS); return in_template(2); }
};
int use(profcore::error &why);
int use(profcore::error &why)
{
    profcore::recorder recording(profcore::options(), why);
    profcore::snapshot taken = profcore::snapshot::take(why);
    service made(why);
    profcore::request serving(profcore::request_id(1, 2));
    profcore::annotate({ profcore::arg(PROF_SITE("n"), 1), profcore::arg(PROF_SITE("share"), 0.5) });
    profcore::instant(PROF_SITE("seen"), { profcore::arg(PROF_SITE("text"), "x") });
    profcore::flow(1);
    made.depth.set(2);
    profcore::memory pool("pool", why);
    pool.allocated(&made, 1);
    pool.freed(&made);
    profcore::memory_mark();
    profcore::memory_check(1, why);
    made.waits.phase(PROF_SITE("served"));
    made.waits.end({ profcore::arg(PROF_SITE("n"), 1u) });
    int sum = made.answer() + made.other();
    const profcore::snapshot twice = profcore::snapshot::merge({ &taken, &taken }, why);
    for (const profcore::counter_row &row : twice.counters())
        sum += static_cast<int>(row.line);
    const profcore::timeline read = profcore::timeline::read_file("x.pftrace", why);
    for (const profcore::slice &row : read.slices(0))
        sum += static_cast<int>(row.depth);
    for (const profcore::function &row : taken)
        sum += static_cast<int>(row.line);
    return sum;
}
}
"""
TWO_MAIN = """#include <profcore/profcore.hpp>
#include <cstdio>
void other();
int main()
{
    profcore::options how;
    profcore::error why;
    how.flags = PROF_NO_FILES;
    { profcore::recorder recording(how, why); other(); profcore::scope here(PROF_SITE("enabled")); }
    for (const profcore::function &row : profcore::snapshot::take(why))
        std::puts(row.name);
}
"""
TWO_OTHER = """#define PROF_DISABLE
#include <profcore/profcore.hpp>
void other() { PROF_METHOD(); profcore::scope here(PROF_SITE("disabled")); }
"""
RIGHT = "as_a_control_what_is_right_compiles"
WRONG = [
    (RIGHT, 'profcore::scope a(PROF_SITE("x")); profcore::scope b(static_cast<profcore::scope &&>(a));'),
    ("a_scope_is_not_copied", 'profcore::scope a(PROF_SITE("x")); profcore::scope b(a);'),
    ("a_name_is_no_site", 'profcore::scope a("x");'),
    ("an_outer_site_is_no_temporary", "profcore::site a(prof_site{});"),
    ("a_span_is_not_copied", 'profcore::span a(PROF_SITE("x")); profcore::span b(a);'),
    ("a_request_is_not_assigned", "profcore::request a(1); a = profcore::request(2);"),
    ("rows_do_not_outlive_a_snapshot_without_a_name", "profcore::error why; profcore::snapshot::take(why).spans();"),
    ("nothing_throws_without_exceptions", "profcore::start();"),
]

number = failures = 0


def report(name, wrong):
    global number, failures
    number += 1
    failures += bool(wrong)
    for line in wrong:
        print("# " + line.replace("\n", "\n# "))
    print(f"{'not ok' if wrong else 'ok'} {number} {name}")


def compile_it(compiler, *arguments):
    done = subprocess.run([compiler, "-I" + include, *arguments], cwd=folder, capture_output=True, text=True)
    return "" if done.returncode == 0 else f"{compiler} {' '.join(arguments)}:\n{done.stdout}{done.stderr}"[:4000]


def write(name, text):
    with open(os.path.join(folder, name), "w", encoding="ascii") as out:
        out.write(text)
    return name


with tempfile.TemporaryDirectory() as folder:
    include = os.path.join(folder, "include")
    os.makedirs(os.path.join(include, "profcore"))
    for header in [*glob.glob(root + "/include/profcore/*.h"), *glob.glob(root + "/bindings/cpp/*.hpp")]:
        shutil.copy(header, os.path.join(include, "profcore"))
    write("use.cpp", USE)
    for compiler in ("g++", "clang++"):
        name = f"the_header_compiles_alone_with_{compiler.replace('+', 'p')}"
        if not shutil.which(compiler):
            number += 1
            print(f"ok {number} {name} # SKIP there is no {compiler}")
            continue
        report(name, [wrong for standard in STANDARDS
                      for without in (WITHOUT if standard in (STANDARDS[0], STANDARDS[-1]) else [WITHOUT[0], WITHOUT[-1]])
                      if (wrong := compile_it(compiler, "-std=" + standard, *without, *WARNINGS, "-fsyntax-only", "use.cpp"))])

    compiler = os.environ.get("CXX") or "g++"
    if not shutil.which(compiler.split()[0]):
        compiler = "c++"
    compiler = compiler.split()[0]
    write("two_main.cpp", TWO_MAIN)
    write("two_other.cpp", TWO_OTHER)
    where = os.path.dirname(os.path.abspath(library))
    wrong = compile_it(compiler, "-std=c++11", *WARNINGS, "-Wno-missing-declarations", "two_main.cpp", "two_other.cpp",
                       "-o", "two", os.path.abspath(library), "-Wl,-rpath," + where)
    if not wrong:
        seen = subprocess.run([os.path.join(folder, "two")], capture_output=True, text=True)
        wrong = "" if seen.stdout == "enabled\n" and seen.returncode == 0 else f"printed {seen.stdout!r} {seen.stderr}"
    report("files_with_and_without_PROF_DISABLE_link_together", [wrong] if wrong else [])

    for name, body in WRONG:
        write("wrong.cpp", "#include <profcore/profcore.hpp>\nvoid wrong();\nvoid wrong()\n{\n    " + body + "\n}\n")
        compiles = not compile_it(compiler, "-std=c++11", "-fno-exceptions", "-fsyntax-only", "wrong.cpp")
        should = name == RIGHT
        report(name, [] if compiles == should else [f"this {'compiles' if compiles else 'does not compile'}: {body}"])
print(f"1..{number}")
sys.exit(failures != 0)
