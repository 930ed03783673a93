#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What profcore doctor says of GPU work, with libraries that only look like NVIDIA's.

    doctor_check.py PROFCORE FAKES
"""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from tap_cases import case, equal, finish  # noqa: E402

profcore, fakes = sys.argv[1:3]


def row(**environment):
    """The row on GPU work."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PROFCORE", "FAKE_"))}
    done = subprocess.run([profcore, "doctor", "--json"], env={**env, "LD_LIBRARY_PATH": fakes, **environment}, capture_output=True,
                          text=True, timeout=120)  # fmt: skip
    rows = [found for found in json.loads(done.stdout)["rows"] if found["name"] == "GPU work"]
    equal(len(rows), 1, done.stdout)
    return rows[0]["status"], rows[0]["finding"]


@case("where_cuda_and_cupti_work_gpu_work_is_there_by_scope")
def _(folder):
    status, finding = row()
    equal((status, "from CUPTI's version 130001" in finding), ("ok", True), finding)


@case("another_tool_and_a_driver_without_devices_are_named")
def _(folder):
    status, finding = row(FAKE_CUPTI_TAKEN="1")
    equal((status, "in use by another tool" in finding), ("warn", True), finding)
    status, finding = row(FAKE_CUDA_DEVICES="0")
    equal((status, "no device" in finding), ("warn", True), finding)


@case("without_a_driver_there_is_none")
def _(folder):
    status, finding = row(LD_LIBRARY_PATH="")
    equal((status, "libcuda.so.1" in finding), ("no", True), finding)


finish()
