#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`profcore run --torch`: operators of programs that know nothing of libprofcore.

usage: torch_preload_check.py PROFCORE PLAIN_MAIN MODELS TORCH_LIBRARY [PYTHON-WITH-TORCH]
"""
import glob
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "support"))
from tap_cases import Skip, case, check, clean_environment, equal, finish

tool, plain, models = (os.path.abspath(path) for path in sys.argv[1:4])
torch_library = sys.argv[4]
python = sys.argv[5] if len(sys.argv) > 5 else None
GUARD_S = 100


def run(folder, *arguments, **variables):
    done = subprocess.run([tool, "run", "--torch", "-f", "json", *arguments], cwd=folder, capture_output=True, text=True,
                          timeout=GUARD_S, env={**clean_environment(), **variables})
    files = glob.glob(os.path.join(folder, "profiling_results", "*.json"))
    if not files:
        return done, None
    with open(files[0], encoding="utf-8") as text:
        return done, {f["name"]: f["primitive_calls"] for f in json.load(text)["functions"] if f["file"] == "torch"}


def compile_c(folder, name, code, *options):
    source = os.path.join(folder, name + ".c")
    with open(source, "w", encoding="utf-8") as file:
        file.write(code)
    made = os.path.join(folder, name)
    subprocess.run([os.environ.get("CC", "cc"), source, "-o", made, *options], check=True)
    return made


@case("a_service_on_libtorch_has_its_models_and_operators_counted")
def _(folder):
    done, calls = run(folder, "--", plain, os.path.join(models, "inputs.pt"), "7")
    equal(done.returncode, 0, done.stderr)
    equal((calls["aten::clone"], calls["forward"] >= 7), (7, True), calls)


@case("shapes_are_told_apart_where_they_are_asked_for")
def _(folder):
    done, calls = run(folder, "--set", "TORCH=shapes", "--", plain, os.path.join(models, "inputs.pt"), "3")
    equal((done.returncode, calls.get("aten::clone([2, 3])")), (0, 3), calls)


def run_python(folder, text, *arguments):
    if python is None:
        raise Skip("no Python has torch")
    script = os.path.join(folder, "script.py")
    with open(script, "w", encoding="utf-8") as file:
        file.write(text)
    return run(folder, "--", python, "-W", "ignore", script, *arguments)


FIVE_GELUS = "import torch, time\ntime.sleep(0.2)\nfor _ in range(5):\n    torch.nn.functional.gelu(torch.ones(2, 3))\n"


@case("a_python_script_has_the_operators_of_the_torch_that_it_imports")
def _(folder):
    done, calls = run_python(folder, FIVE_GELUS)
    equal((done.returncode, calls and calls.get("aten::gelu")), (0, 5), f"{calls} {done.stderr}")


@case("a_worker_that_its_server_forked_has_the_operators_of_the_torch_that_it_imports")
def _(folder):
    done, calls = run_python(folder, "import os, sys, time\ntime.sleep(0.1)\n"
                             "if worker := os.fork():\n    sys.exit(os.waitpid(worker, 0)[1])\n" + FIVE_GELUS)
    equal((done.returncode, calls and calls.get("aten::gelu")), (0, 5), f"{calls} {done.stderr}")


TRAINING = """
import collections, json, sys, time
import torch
from torch.profiler import ProfilerActivity, profile
time.sleep(0.3)
with profile(activities=[ProfilerActivity.CPU]) as profiler:
    model = torch.nn.Sequential(torch.nn.Linear(16, 16), torch.nn.GELU(), torch.nn.Linear(16, 4))
    for _ in range(3):
        model(torch.ones(3, 16)).sum().backward()
with open(sys.argv[1], "w") as file:
    json.dump(collections.Counter(event.name for event in profiler.events()), file)
"""


@case("beside_torchs_profiler_forward_and_backward_have_its_names_and_counts")
def _(folder):
    counted = os.path.join(folder, "counted")
    done, calls = run_python(folder, TRAINING, counted)
    equal(done.returncode, 0, done.stderr)
    with open(counted, encoding="utf-8") as file:
        theirs = json.load(file)
    check(any("Backward" in name for name in theirs), theirs)
    equal(calls, theirs, "calls that are not inside one of the same name, which torch's list leaves out")


@case("another_libtorch_is_named_and_left_alone")
def _(folder):
    other = compile_c(folder, torch_library + ".999", "int other;", "-shared", "-fPIC")
    program = compile_c(folder, "program", "#include <dlfcn.h>\n#include <unistd.h>\nint main(int n, char **a)\n"
                        "{ void *l = dlopen(a[1], RTLD_NOW); usleep(500000); return n == 2 && l ? 0 : 1; }\n", "-ldl")
    done, calls = run(folder, "--", program, other)
    equal((done.returncode, calls), (0, None), done.stderr)
    check(f"is for {torch_library}, and the program has loaded {other}" in done.stderr, done.stderr)


@case("a_program_without_libtorch_ends_as_it_would_and_why_nothing_was_written_is_said")
def _(folder):
    program = compile_c(folder, "program", "#include <pthread.h>\nint main(void) { pthread_exit(0); }\n", "-pthread")
    done, calls = run(folder, "--", program)
    equal((done.returncode, calls), (0, None), done.stderr)
    check("ran no operator of libtorch" in done.stderr, done.stderr)


@case("what_was_to_be_preloaded_already_stays")
def _(folder):
    other = compile_c(folder, "other.so", "#include <unistd.h>\n__attribute__((constructor)) static void f(void)"
                      " { if (write(1, \"here\\n\", 5)) {} }\n", "-shared", "-fPIC")
    done, _ = run(folder, "--", "true", LD_PRELOAD=other)
    check(done.returncode == 0 and "here" in done.stdout, done)


finish()
