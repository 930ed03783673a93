#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The open-loop measurement runs and says what its samples say: a small run, whose timings nobody looks at.

    tail_check.py TAIL_BENCH [--models FOLDER]

Needs the exported encoder (build/models by default); where it is missing this
skips and says so.
"""

import argparse
import csv
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
ARMS = ["on", "off", "off again"]
SHARES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
REQUESTS, BLOCK = 90, 30

given = None


def run(folder, *arguments, **variables):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PROFCORE", "OMP_", "OPENBLAS_"))}
    documents = folder / "documents"
    documents.write_text("a dog: an animal that barks\na cat: an animal that purrs\nrain: water that falls from clouds\n")
    return subprocess.run([given.program, "--models", str(given.models), "--index", str(folder / "index"), "--documents",
                           str(documents), *map(str, arguments)], env={**clean, **variables}, capture_output=True, text=True)


class Tail(unittest.TestCase):
    def setUp(self):
        kept = tempfile.TemporaryDirectory()
        self.addCleanup(kept.cleanup)
        self.folder = pathlib.Path(kept.name)

    def test_its_figures_are_those_of_its_samples(self):
        result, samples = self.folder / "result.json", self.folder / "samples.csv"
        done = run(self.folder, "--requests", REQUESTS, "--block", BLOCK, "--json", result, "--samples", samples)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        told = json.loads(result.read_text())
        self.assertEqual((told["schema"], told["requests_per_arm"], told["rounds"]), ("profcore.tail/1", REQUESTS, REQUESTS // BLOCK))
        self.assertAlmostEqual(told["offered_per_s"], told["capacity_per_s"] / 2, delta=0.02)
        latencies = {arm: [] for arm in ARMS}
        for row in csv.DictReader(samples.read_text().splitlines()):
            latencies[row["arm"]].append(int(row["latency_ns"]))
            self.assertLess(int(row["round"]), REQUESTS // BLOCK)
        for arm in ARMS:
            ordered = sorted(latencies[arm])
            self.assertEqual(len(ordered), REQUESTS)
            self.assertGreater(ordered[0], 100000)  # the model has run
            for name, share in SHARES.items():
                self.assertEqual(told["arms"][arm][name + "_ns"], ordered[math.ceil(share * REQUESTS - 1e-9) - 1])
        for name in SHARES:
            of = told["differences"][name]
            quantile = {arm: told["arms"][arm][name + "_ns"] for arm in ARMS}
            self.assertEqual(of["on - off"]["difference_ns"], quantile["on"] - quantile["off"])
            self.assertEqual(of["off - off"]["difference_ns"], quantile["off again"] - quantile["off"])
            for interval in (of["on - off"], of["off - off"]):
                self.assertLessEqual(interval["low_ns"], interval["high_ns"])
            self.assertEqual(of["overlap"], of["on - off"]["low_ns"] <= of["off - off"]["high_ns"]
                             and of["off - off"]["low_ns"] <= of["on - off"]["high_ns"])
            self.assertEqual(of["enough"], name == "p50")
            self.assertEqual(of["verdict"] == "too few requests to tell", name != "p50")
            self.assertIn(of["verdict"], done.stdout)

    def test_it_refuses_arms_that_would_be_the_same(self):
        done = run(self.folder, "--requests", BLOCK, "--block", BLOCK, PROFCORE="1", PROFCORE_FORMATS="none", PROFCORE_QUIET="1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("both arms would be the same", done.stderr)

    def test_wrong_arguments_say_how_it_is_called(self):
        for wrong in (["--load", "1.5"], ["--requests", "many"], ["--block", "0"], ["surplus"], ["--unknown"]):
            done = run(self.folder, *wrong)
            self.assertEqual(done.returncode, 2, wrong)
            self.assertIn("usage: tail_bench", done.stderr)


def main():
    global given
    parser = argparse.ArgumentParser(description="Runs tests/bench/tail_bench on few requests.")
    parser.add_argument("program", nargs="?", default=ROOT / "build/tests/bench/tail_bench", help="the built tail_bench")
    parser.add_argument("--models", type=pathlib.Path, default=ROOT / "build" / "models")
    given, rest = parser.parse_known_args()
    for needed in (pathlib.Path(given.program), given.models / "minilm" / "model.pt"):
        if not needed.exists():
            print(f"SKIP: there is no {needed}")
            return 77
    unittest.main(argv=[sys.argv[0], *rest])
    return 0


if __name__ == "__main__":
    sys.exit(main())
