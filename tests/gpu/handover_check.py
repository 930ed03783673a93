#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""torch's profiler gets CUPTI from us, in a Python under `profcore run --torch`: its part that is in Python, on a torch
that is none and asks for CUPTI where torch's profiler does.

    handover_check.py LIBPROFCORE SITECUSTOMIZE-FOLDER FAKES
"""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from tap_cases import case, clean_environment, equal, finish  # noqa: E402

library, hooks, fakes = (os.path.abspath(path) for path in sys.argv[1:4])

TORCH = {
    "__init__.py": "from . import autograd, profiler\n",
    "profiler.py": "class ProfilerActivity:\n    CPU, CUDA = 'cpu', 'cuda'\n",
    "autograd/__init__.py": "from . import profiler\n",
    "autograd/profiler.py": """
import ctypes
cupti, handle = ctypes.CDLL("libcupti.so.13"), ctypes.c_void_p()

def _prepare_profiler(config, activities):
    print("asks and gets", cupti.cuptiSubscribe(ctypes.byref(handle), None, None))

def _enable_profiler(config, activities):
    print("traces")

def _disable_profiler():
    if gives_back and handle:  # what it has got
        cupti.cuptiUnsubscribe(handle)
        handle.value = None
    return "results"

def profile(activities):
    _prepare_profiler(None, activities)
    _enable_profiler(None, activities)
    print(_disable_profiler())
""",
}

SCRIPT = """
import ctypes, sys
library = ctypes.CDLL(None)
driver = ctypes.CDLL("libcuda.so.1")
print("started", library.prof_gpu_start(None))
import torch

def state():
    info = (ctypes.c_uint32 * 68)(272)
    library.prof_gpu_status(info, None)
    return ["off", "waiting", "on", "unavailable"][info[1]]

if sys.argv[1] == "let go":
    library.prof_gpu_stop(None)
torch.autograd.profiler.gives_back = sys.argv[1] != "keeps"
for activities in ["cpu"], ["cpu", "cuda"]:
    torch.autograd.profiler.profile(activities)
    print(state())
"""
# The code that is profiled is the first to use CUDA.
SCRIPT_BEFORE_CUDA = SCRIPT.split("if sys.argv")[0].replace("import ctypes, sys", "import ctypes, sys, time") + """
def wait_for(wanted):
    until = time.monotonic() + 30
    while state() != wanted and time.monotonic() < until:
        time.sleep(0.01)
    print(state())

profiler = torch.autograd.profiler
profiler.gives_back = True
wait_for("waiting")
profiler._prepare_profiler(None, ["cpu", "cuda"])
profiler._enable_profiler(None, ["cpu", "cuda"])
driver.cuInit(0)
time.sleep(0.5)
print(state())
print(profiler._disable_profiler())
wait_for("on")
"""
GETS, TAKEN = "asks and gets 0", "asks and gets 39"


def run(folder, how, script=SCRIPT, **more):
    for name, text in TORCH.items():
        path = os.path.join(folder, "torch", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    with open(os.path.join(folder, "script.py"), "w", encoding="utf-8") as file:
        file.write(script)
    environment = {**clean_environment(), "LD_PRELOAD": library, "LD_LIBRARY_PATH": fakes, "PYTHONPATH": hooks, "PROFCORE": "1",
                   "PROFCORE_TORCH": "1", "PROFCORE_GPU": "1", "PROFCORE_GPU_BUDGET": "100%", **more}  # fmt: skip
    done = subprocess.run([sys.executable, "script.py", how], cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    equal(done.returncode, 0, done.stderr)
    return done.stdout.splitlines(), done.stderr


@case("torchs_profiler_gets_cupti_for_gpus_and_it_is_ours_again_afterwards")
def _(folder):
    of_cpu, of_gpu = [TAKEN, "traces", "results", "on"], [GETS, "traces", "results", "on"]
    lines, said = run(folder, "gives back")
    equal(lines, ["started 0", *of_cpu, *of_gpu], said)


@case("so_it_does_where_only_memory_is_asked_for")
def _(folder):
    lines, said = run(folder, "gives back", PROFCORE_TORCH="memory")
    equal(lines[-4:], [GETS, "traces", "results", "on"], said)


@case("where_it_keeps_cupti_it_stays_torchs")
def _(folder):
    of_cpu, of_gpu = [TAKEN, "traces", "results", "on"], [GETS, "traces", "results", "unavailable"]
    lines, said = run(folder, "keeps")
    equal(lines, ["started 0", *of_cpu, *of_gpu], said)


@case("what_the_program_has_let_go_is_not_taken_back")
def _(folder):
    free = [GETS, "traces", "results", "off"]
    lines, said = run(folder, "let go")
    equal(lines, ["started 0", *free, *free], said)


@case("where_cuda_is_first_used_while_torch_profiles_it_is_ours_afterwards")
def _(folder):
    lines, said = run(folder, "gives back", SCRIPT_BEFORE_CUDA, FAKE_CUDA_UNUSED="1")
    equal(lines[1:], ["waiting", GETS, "traces", "off", "results", "on"], said)


finish()
