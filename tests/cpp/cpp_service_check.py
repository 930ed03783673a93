#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The C++ example runs, what it records is what it did, and the README quotes it as it is.

usage: cpp_service_check.py SOURCE_ROOT CPP_SERVICE
"""
import glob
import os
import pstats
import re
import subprocess
import sys
import tempfile
import unittest

root, service = sys.argv[1], os.path.abspath(sys.argv[2])


def run(folder, **variables):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PROFCORE")}
    return subprocess.run([service], cwd=folder, env={**clean, **variables}, capture_output=True, text=True, check=True)


class CppService(unittest.TestCase):
    def test_it_reports_its_routes_without_a_file(self):
        with tempfile.TemporaryDirectory() as folder:
            done = run(folder)
            self.assertEqual(done.stderr, "")
            self.assertEqual(os.listdir(folder), [])
        self.assertIn("5980 requests answered, 20 refused\n", done.stdout)
        self.assertRegex(done.stdout, r"(?m)^POST /documents +2000 +[0-9.]+ us$")
        self.assertRegex(done.stdout, r"(?m)^GET /count +4000 +[0-9.]+ us$")

    def test_it_serves_without_a_recorder(self):
        with tempfile.TemporaryDirectory() as folder:
            done = run(folder, PROFCORE="0")
        self.assertIn("5980 requests answered, 20 refused\n", done.stdout)
        self.assertNotIn("POST", done.stdout)

    def test_its_profile_has_the_calls_that_it_made(self):
        with tempfile.TemporaryDirectory() as folder:
            run(folder, PROFCORE="1", PROFCORE_DIR=folder)
            stats = pstats.Stats(glob.glob(folder + "/cpp_service_*.prof")[0]).stats
            with open(glob.glob(folder + "/cpp_service_*.txt")[0], encoding="utf-8") as text:
                self.assertIn("0 scopes lost, 0 closed by repair, 0 ends without a scope", text.read())
        calls = {key[2]: row[1] for key, row in stats.items()}
        self.assertEqual(calls, {"example::serve": 1, "<POST /documents>": 2000, "<GET /count>": 4000, "check": 6000,
                                 "work": 5980, "render": 5980, "example::index::add": 2000, "example::index::count": 3980})

    def test_the_readme_quotes_it(self):
        with open(root + "/README.md", encoding="utf-8") as text:
            quoted = re.findall(r"```cpp\n(.*?)```", text.read(), re.S)
        with open(root + "/examples/cpp_service/cpp_service.cpp", encoding="utf-8") as text:
            source = {line.strip() for line in text}
        self.assertTrue(quoted)
        for line in quoted[0].splitlines():
            self.assertIn(line.strip(), source)


class Tap(unittest.TextTestResult):
    """One line a case, for meson."""

    count = 0

    def tell(self, test, verdict, why=""):
        Tap.count += 1
        print("".join(f"# {line}\n" for line in why.splitlines()), end="")
        print(f"{verdict} {Tap.count} {test.id().split('.test_')[-1]}", flush=True)

    def addSuccess(self, test):
        self.tell(test, "ok")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.tell(test, "not ok", self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self.tell(test, "not ok", self.errors[-1][1])


with open(os.devnull, "w", encoding="ascii") as nowhere:
    result = unittest.TextTestRunner(nowhere, resultclass=Tap).run(unittest.defaultTestLoader.loadTestsFromTestCase(CppService))
print(f"1..{Tap.count}")
sys.exit(not result.wasSuccessful())
