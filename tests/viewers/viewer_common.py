# SPDX-License-Identifier: Apache-2.0
"""What the cases of run_viewers share: programs that are run, and the files that they leave."""

import json
import os
import pathlib
import subprocess

from profile_readers import functions_of

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent

HOSTILE = (  # words that the rows must show, from hostile_names.c
    "closing_script closing_upper comment cdata image entity quotes backslash template newline separator control "
    "not_utf8 braces proto__proto__ percent path bidi emoji spaces __proto__ constructor toString NaN "
    "file_number_0 file_number_1 file_number_2 file_number_3 file_number_4 long_name inside"
).split()
HOSTILE_FUNCTIONS = 20 + 10 + 5 + 2 + 2  # the names, whole names, files, long ones; main and inside

TREES = {  # for tests/formats/tree_main
    "recursion": """b 1\n+ 1000001\nb 2\n+ 500003\nb 2\n+ 300007\nb 3\n+ 70009\ne\ne\ne\nb 3\n+ 40011\ne\ne
        t\nb 2\n+ 90013\ne\nb @layer 12\n+ 5017\nb 3\ne\ne\nj\nt\nb 2\n+ 19\nb @a;b\n+ 23011\ne\nb @ c\n+ 29017\ne\ne\nj""",
    "mutual recursion": """b 1\n+ 1000001\nb 2\n+ 500003\nb 1\n+ 300007\nb 2\n+ 70009\ne\nb 3\n+ 7\ne\ne\ne\ne
        t\nb 2\n+ 11\nb 1\n+ 13\ne\ne\nj""",
}


class Failure(Exception):
    """Why a case failed."""


def run(command, folder, **variables):
    """Runs a command without PROFCORE_ variables but those given; returns what it printed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PROFCORE")}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder, env=clean | variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace", timeout=300,
    )  # fmt: skip
    if done.returncode != 0:
        raise Failure(f"{command[0]} ended with {done.returncode}: {done.stdout.strip()[-1000:]}")
    return done.stdout


def profile(program, folder, extension="prof", *others, **environment):
    """Runs a program with PROFCORE=1; returns its file of this format, beside which lie those of other formats."""
    output = run([program], folder, PROFCORE="1", PROFCORE_FORMATS=",".join([extension, *others]), **environment)
    found = sorted((folder / "profiling_results").glob(f"{program.name}_*.{extension}"))
    if len(found) != 1:
        raise Failure(f"{program.name} left {len(found)} .{extension} files: {output.strip()[-1000:]}")
    return found[0]


class Maker:
    """Makes files in `folder`, which is each case's own, with what lies in the folder `build`."""

    def __init__(self, build, screenshots):
        self.build, self.folder, self.screenshots = build, None, screenshots

    def start(self, folder):
        """Begins a case, whose files go into a folder that nobody else has."""
        folder.mkdir()
        self.folder = folder

    def compile(self, source, program):
        library = self.build / "lib"
        run(
            [os.environ.get("CC", "cc"), "-std=gnu11", "-Wall", "-Werror", "-O1", f"-I{ROOT / 'include'}", source,
             "-o", program, f"-L{library}", f"-Wl,-rpath,{library}", "-lprofcore", "-ldl"], self.folder,
        )  # fmt: skip

    def screenshot(self, name):
        return str(self.screenshots / f"{name}.png") if self.screenshots else None

    def tree(self, case):
        """Executes a call tree; returns the path of its files without the extension, and the figures of its summary."""
        folder = self.folder / case.replace(" ", "_")
        folder.mkdir(exist_ok=True)
        lines = "\n".join(line.strip() for line in TREES[case].splitlines())
        run(["sh", "-c", 'printf "%s\\n" "$2" | "$0" "$1"', self.build / "tests" / "tree_main", folder, lines], folder)
        return folder / "profile", functions_of(json.loads((folder / "profile.json").read_text()))

    def hostile(self):
        """The same of a program that records hostile names."""
        program = self.folder / "hostile_tables"
        self.compile(HERE / "hostile_names.c", program)
        found = profile(program, self.folder, "json", "pprof", "collapsed", "callgrind")
        return found.with_suffix(""), functions_of(json.loads(found.read_text()))
