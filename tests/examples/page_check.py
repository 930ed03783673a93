#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The programs of docs/libtorch.md do what the page says.

    page_check.py

Runs them as they stand there: export.py makes the three models (the compiled
one takes half a minute of a C++ compiler), embed.c is built against build/
and run on each.  Needs torch; skips aloud where there is none.
"""

import glob
import importlib.util
import os
import pathlib
import pstats
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build"
PAGE = (ROOT / "docs" / "libtorch.md").read_text(encoding="utf-8")
LIBRARIES = [BUILD / "shim", BUILD / "lib"]

if importlib.util.find_spec("torch") is None or not (BUILD / "shim" / "libprofcore_torch.so").exists():
    print("SKIP: torch is not installed, or build/ was made without libtorch")
    sys.exit(77)
if shutil.which("c++") is None:
    print("SKIP: there is no C++ compiler for torch to compile with")
    sys.exit(77)


def program(language):
    return re.search(rf"```{language}\n(.*?)```", PAGE, re.S).group(1)


def clean(**variables):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PROFCORE", "AOTI_"))}
    return {**kept, "OMP_WAIT_POLICY": "passive", **variables}


class ThePage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="profcore-page."))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        (cls.folder / "export.py").write_text(program("python"), encoding="utf-8")
        (cls.folder / "embed.c").write_text(program("c"), encoding="utf-8")
        done = subprocess.run([sys.executable, "export.py"], cwd=cls.folder, capture_output=True, text=True, timeout=900,
                              env=clean(TORCHINDUCTOR_CACHE_DIR=str(cls.folder / "inductor")))
        if done.returncode != 0:
            raise AssertionError(f"export.py failed:\n{done.stderr[-3000:]}")
        cls.expected = [float(word) for word in done.stdout.split()]
        flags = [f"-I{ROOT / 'include'}", *(f"-L{folder}" for folder in LIBRARIES), "-lprofcore_torch", "-lprofcore",
                 *(f"-Wl,-rpath,{folder}" for folder in LIBRARIES)]
        subprocess.run(["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "embed.c", "-o", "embed", *flags], cwd=cls.folder,
                       check=True)

    def embed(self, *arguments, code=0, **variables):
        done = subprocess.run(["./embed", *arguments], cwd=self.folder, capture_output=True, text=True, timeout=300,
                              env=clean(**variables))
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def test_every_export_gives_what_python_gives(self):
        self.assertEqual(len(self.expected), 4)
        for model in ("encoder.pt", "scripted.pt", "encoder.pt2"):
            with self.subTest(model):
                vector = [float(word) for word in self.embed(model).stdout.split()]
                for ours, theirs in zip(vector, self.expected, strict=True):
                    self.assertAlmostEqual(ours, theirs, delta=2e-4)

    def test_the_operators_stand_below_the_function(self):
        self.embed("encoder.pt", PROFCORE="1", PROFCORE_TORCH="1", PROFCORE_NAME="embed", PROFCORE_DIR=str(self.folder))
        for ending in ("txt", "prof", "json", "pftrace"):
            self.assertEqual(len(glob.glob(f"{self.folder}/embed_*.{ending}")), 1, ending)
        stats = pstats.Stats(glob.glob(f"{self.folder}/embed_*.prof")[0]).stats
        self.assertIn("embed", {key[2] for key in stats})
        self.assertEqual(stats["torch", 0, "aten::linear"][1], 3 * 12)  # two runs to warm up, and one

    def test_a_missing_model_is_said(self):
        self.assertIn("No such file", self.embed("nowhere.pt", code=1).stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
