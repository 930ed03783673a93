# SPDX-License-Identifier: Apache-2.0
"""What is sampled of processors and GPUs, against a libnvidia-ml.so.1 that does what a script says.

    utilization_check.py USAGE_MAIN PROFCORE (nvml | no nvml)
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support"))
from tap_cases import Skip, case, check, clean_environment, equal, finish

USAGE_MAIN, PROFCORE = (pathlib.Path(path).resolve() for path in sys.argv[1:3])
HAS_NVML = sys.argv[3] == "nvml"
H200 = """gpu NVIDIA H200|GPU-aaaa
rates 10/5 20/7 60/9
memory 1024/8192 4096/8192 2048/8192
power 100000 200000 600000
sm 1000 1500 2000
mem 3000
temperature 40 42 50
reasons 0 4 1
"""


def fake(folder, kind=""):
    """A folder with the fake as libnvidia-ml.so.1."""
    if not HAS_NVML:
        raise Skip("built without the headers of NVML")
    library = USAGE_MAIN.parent / f"libfake_nvml{kind}.so"
    into = pathlib.Path(folder) / "libraries"
    into.mkdir(exist_ok=True)
    shutil.copy(library, into / "libnvidia-ml.so.1")
    return into


def run(folder, *arguments, script=None, kind="", **variables):
    """Runs usage_main; returns how it went."""
    environment = clean_environment() | {"PROFCORE_DIR": str(folder), "PROFCORE_NAME": "run", "PROFCORE_FORMATS": "txt,json,pftrace"}
    for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_HOME"):
        environment.pop(name, None)
    if script is not None:
        path = pathlib.Path(folder) / "script"
        path.write_text(script)
        environment |= {"FAKE_NVML": str(path), "FAKE_NVML_LOG": str(pathlib.Path(folder) / "calls"),
                        "LD_LIBRARY_PATH": f"{fake(folder, kind)}:{os.environ.get('LD_LIBRARY_PATH', '')}"}  # fmt: skip
    done = subprocess.run([USAGE_MAIN, *map(str, arguments)], env=environment | variables, cwd=folder, capture_output=True,
                          text=True, timeout=200)  # fmt: skip
    check(done.returncode == 0, f"usage_main ended with {done.returncode}: {done.stderr}")
    return done


def summary(folder, name="run*.json"):
    file, = pathlib.Path(folder).glob(name)
    with open(file) as text:
        return json.load(text)


def rows(folder, name="run*.json"):
    return {row["name"]: row for row in summary(folder, name)["utilization"]["rows"]}


def table(folder):
    file, = pathlib.Path(folder).glob("run*.txt")
    return file.read_text()


def figures(row):
    return row["samples"], row["failed"], row["mean"], row["max"]


def of_three(values, last):
    """The mean over all samples of a script whose last value stays."""
    def mean(count):
        return (sum(values) + last * (count - len(values))) / count
    return mean


@case("values_of_a_gpu_have_their_exact_mean_and_maximum")
def _(folder):
    run(folder, "samples", 5, script=H200)
    found = rows(folder)
    count = found["GPU 0 power"]["samples"]
    check(count >= 5, f"{count} samples")
    for name, values, unit, limit in (
            ("utilization", [10, 20, 60], "%", None), ("memory utilization", [5, 7, 9], "%", None),
            ("device memory used", [1024, 4096, 2048], "bytes", 8192), ("power", [100, 200, 600], "W", None),
            ("SM clock", [1000, 1500, 2000], "MHz", None), ("memory clock", [3000], "MHz", None),
            ("temperature", [40, 42, 50], "C", None)):  # fmt: skip
        row = found[f"GPU 0 {name}"]
        mean = (sum(values) + values[-1] * (count - len(values))) / count
        check(abs(row["mean"] - mean) < 1e-9 * mean, f"{name}: {row} not {mean}")
        equal((row["samples"], row["failed"], row["max"], row["unit"], row["limit"], row["of"]),
              (count, 0, max(values), unit, limit, "NVIDIA H200, GPU-aaaa, NVML's 0"), name)  # fmt: skip
    text = table(folder)
    for part in ("every 10 ms", "NVIDIA H200, GPU-aaaa, NVML's 0:", "GPU 0 device memory used of 8.0 KiB", "600.0 W GPU 0 power\n"):
        check(part in text, f"no {part!r} in\n{text}")


@case("what_slows_a_gpu_down_is_named_with_its_share_of_the_samples")
def _(folder):
    run(folder, "samples", 4, script="gpu NVIDIA H200|GPU-aaaa\nreasons 0 0x44 0x4 1\n")
    found = rows(folder)
    count = found["GPU 0 throttled"]["samples"]
    for name, times, top in (("", 2, 100), (": SW power cap", 2, 100), (": HW thermal slowdown", 1, 100), (": idle", count - 3, 100)):
        row = found[f"GPU 0 throttled{name}"]
        equal((row["samples"], row["max"]), (count, top), name)
        check(abs(row["mean"] - 100 * times / count) < 1e-9, f"{row}: {times} times in {count}")
    equal(found["GPU 0 throttled"]["bits"], 0x45, "the set of reasons")
    equal(sum(name.startswith("GPU 0 throttled:") for name in found), 3, "reasons")


@case("processors_are_sampled_too")
def _(folder):
    run(folder, "busy", 20)
    found = rows(folder)
    process, machine = found["CPU process"], found["CPU machine"]
    equal((process["unit"], process["of"], machine["of"], machine["limit"]), ("%", "process", "machine", 100), "units")
    equal(process["limit"], 100 * len(os.sched_getaffinity(0)), "usable processors")
    check(0 < process["mean"] <= process["max"] and process["mean"] <= process["limit"] * 1.5, process)
    check(0 < machine["mean"] <= 100 and machine["samples"] >= 1, machine)


finish()
