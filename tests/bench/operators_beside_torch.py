#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The operators of a model's forward, as torch.profiler lists them and as `profcore run --torch` does.

usage: operators_beside_torch.py PROFCORE MODEL TOKENS
       (in a process of its own, by that)  --forwards MODEL TOKENS COUNT [FILE-FOR-TORCH'S-LIST]

Two processes make the same forwards, the first ones included; one has torch's profiler on, the other ours.
"""
import collections
import glob
import json
import os
import subprocess
import sys
import tempfile
import time

FORWARDS = 200


def make_forwards(path, tokens, count, listed=None):
    import torch  # pylint: disable=import-outside-toplevel
    from torch.profiler import ProfilerActivity, profile  # pylint: disable=import-outside-toplevel

    torch.set_num_threads(1)
    time.sleep(0.2)  # so that who looks for libtorch has found it

    def run():
        ids = torch.tensor([[1000 + i * 37 % 20000 for i in range(tokens)]])
        mask = torch.ones_like(ids)
        model = torch.jit.load(path)
        with torch.inference_mode():
            for _ in range(count):
                model(ids, mask)

    if listed is None:
        run()
        return
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        run()
    rows = collections.defaultdict(lambda: [0, 0.0])
    for event in profiler.events():
        rows[event.name][0] += 1
        rows[event.name][1] += event.self_cpu_time_total
    with open(listed, "w", encoding="utf-8") as file:
        json.dump(rows, file)


def compare(tool, model, tokens):
    with tempfile.TemporaryDirectory(prefix="profcore-operators-") as folder:
        again = [sys.executable, "-W", "ignore", os.path.abspath(__file__), "--forwards", model, tokens, str(FORWARDS)]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PROFCORE")}
        listed = os.path.join(folder, "listed.json")
        subprocess.run([*again, listed], check=True, env=clean)
        subprocess.run([tool, "run", "-q", "--torch", "-f", "json", "-o", folder, "-n", "ours", "--", *again], check=True, env=clean)
        with open(listed, encoding="utf-8") as file:
            theirs = json.load(file)
        with open(glob.glob(os.path.join(folder, "ours_*.json"))[0], encoding="utf-8") as file:
            ours = {f["name"]: (f["primitive_calls"], int(f["self_ns"]) / 1000) for f in json.load(file)["functions"]
                    if f["file"] == "torch" and not f["name"].startswith("nn.Module: ")}
    print(f"\n{'self time a forward':>44} {'calls a forward':>23}")
    print(f"{'torch.profiler':>26} {'ours':>17} {'torch.profiler':>16} {'ours':>6}")
    for name in sorted(theirs.keys() | ours.keys(), key=lambda name: -ours.get(name, (0, 0))[1]):
        their_calls, their_us = theirs.get(name, (0, 0.0))
        our_calls, our_us = ours.get(name, (0, 0.0))
        print(f"{their_us / FORWARDS:23.1f} us {our_us / FORWARDS:14.1f} us {their_calls / FORWARDS:16.2f} {our_calls / FORWARDS:6.2f}  {name}"
              f"{'' if their_calls == our_calls else '   (differs)'}")  # fmt: skip
    print(f"{sum(us for _, us in theirs.values()) / FORWARDS:23.1f} us {sum(us for _, us in ours.values()) / FORWARDS:14.1f} us {'':23}  all operators")


if sys.argv[1] == "--forwards":
    make_forwards(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), *sys.argv[5:])
else:
    compare(*sys.argv[1:4])
