#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`profcore run --torch`: operators of programs that know nothing of libprofcore.

usage: torch_preload_check.py PROFCORE PLAIN_MAIN MODELS TORCH_LIBRARY HAS_RUNNERS [PYTHON-WITH-TORCH]
"""
import functools
import glob
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "support"))
from tap_cases import Skip, case, check, clean_environment, equal, finish

tool, plain, models = (os.path.abspath(path) for path in sys.argv[1:4])
torch_library = sys.argv[4]
has_runners = sys.argv[5] == "yes"  # libtorch lets others make what runs a package
python = sys.argv[6] if len(sys.argv) > 6 else None
GUARD_S = 100


def run(folder, *arguments, **variables):
    done = subprocess.run([tool, "run", "--torch", "-f", "json", *arguments], cwd=folder, capture_output=True, text=True,
                          timeout=GUARD_S, env={**clean_environment(), **variables})
    profile = profile_in(folder)
    if profile is None:
        return done, None
    return done, {f["name"]: f["primitive_calls"] for f in profile["functions"] if f["file"] == "torch"}


def profile_in(folder):
    for file in glob.glob(os.path.join(folder, "profiling_results", "*.json")):
        with open(file, encoding="utf-8") as text:
            return json.load(text)
    return None


@functools.lru_cache(None)
def has_python_this_libtorch():
    """Test models may be made by another torch than the one that the library was built with."""
    code = f"import ctypes, os, torch\nctypes.CDLL({torch_library!r}, mode=os.RTLD_NOLOAD)\n"
    return subprocess.run([python, "-W", "ignore", "-c", code], capture_output=True, timeout=GUARD_S, env=clean_environment(),
                          check=False).returncode == 0


def run_python(folder, code, *arguments, name="script.py", options=("-W", "ignore"), **variables):
    """A script's run: how it ended, and the calls of operators and modules."""
    if python is None:
        raise Skip("no Python has torch")
    if not has_python_this_libtorch():
        raise Skip(f"the torch of {python} has another libtorch than {torch_library}")
    script = write(folder, name, code)
    return run(folder, "--", python, *options, script, *arguments, **variables)


def write(folder, name, text):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def paths_of(profile):
    """Calls by call path, names from the outermost on."""
    names, found = [], {}
    for parent, function, calls, *_ in profile["paths"]:
        names.append((names[parent] if parent is not None else ()) + (profile["functions"][function]["name"],))
        found[names[-1]] = found.get(names[-1], 0) + calls
    return found


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
    equal((calls["aten::clone"], calls["forward"], calls["nn.Module: Inputs"]), (7, 7, 7), calls)
    paths = paths_of(profile_in(folder))
    check(paths.get(("nn.Module: Inputs", "forward", "aten::clone")) == 7, paths)


@case("processes_that_never_have_libtorch_say_nothing_and_the_run_says_it_once")
def _(folder):
    done, _ = run(folder, "--", "sh", "-c", "sh -c true; sh -c true")
    equal((done.returncode, done.stderr.count("nothing was recorded"), done.stderr.count("has written nothing")), (0, 0, 1), done.stderr)


@case("shapes_are_told_apart_where_they_are_asked_for")
def _(folder):
    done, calls = run(folder, "--set", "TORCH=shapes", "--", plain, os.path.join(models, "inputs.pt"), "3")
    equal((done.returncode, calls.get("aten::clone([2, 3])")), (0, 3), calls)


def need_package():
    package = os.path.join(models, "compiled.pt2")
    if not os.path.exists(package):
        raise Skip("torch could compile no package")
    if not has_runners:
        raise Skip("this libtorch has no table of what runs packages")
    return package


@case("each_run_of_a_package_that_a_service_loads_by_libtorch_is_a_scope")
def _(folder):
    done, calls = run(folder, "--", plain, need_package(), "7")
    equal((done.returncode, calls and calls.get("AOTInductor: model")), (0, 7), f"{calls} {done.stderr}")


@case("each_run_of_a_package_that_python_loads_is_a_scope")
def _(folder):
    code = ("import sys, torch\nmodel = torch._inductor.aoti_load_package(sys.argv[1])\n"
            "for _ in range(5):\n    model(torch.ones(2, 4), torch.ones(3))\n")
    done, calls = run_python(folder, code, need_package())
    equal((done.returncode, calls and calls.get("AOTInductor: model")), (0, 5), f"{calls} {done.stderr}")


@case("a_python_script_has_the_operators_of_the_torch_that_it_imports")
def _(folder):
    done, calls = run_python(folder, "import torch\nfor _ in range(5):\n    torch.nn.functional.gelu(torch.ones(2, 3))\n")
    equal((done.returncode, calls and calls.get("aten::gelu")), (0, 5), f"{calls} {done.stderr}")


@case("a_worker_that_its_server_forked_has_the_operators_of_the_torch_that_it_imports")
def _(folder):
    done, calls = run_python(folder, "import os, sys, time\ntime.sleep(0.1)\nif worker := os.fork():\n"
                             "    sys.exit(os.waitpid(worker, 0)[1])\n"
                             "import torch\nfor _ in range(5):\n    torch.nn.functional.gelu(torch.ones(2, 3))\n")
    equal((done.returncode, calls and calls.get("aten::gelu")), (0, 5), f"{calls} {done.stderr}")


MODULES = """
import collections, json, re, sys, threading
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.widen, self.narrow = nn.Linear(8, 32), nn.Linear(32, 8)

    def forward(self, x):
        if x.sum() > 1e6:
            raise ValueError("too much")
        return self.narrow(torch.relu(self.widen(x)))

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(Block() for _ in range(3))

    def forward(self, x):
        for block in self.blocks:
            x = block(x) if x.numel() else x
        return x

net = Net().eval()
scripted = torch.jit.script(net)
with profile(activities=[ProfilerActivity.CPU], with_stack=True) as profiler, torch.no_grad():
    for _ in range(4):
        net(torch.ones(2, 8))
    worker = threading.Thread(target=lambda: net(torch.ones(2, 8)))
    worker.start()
    worker.join()
names = (re.sub("_[0-9]+$", "", event.name) for event in profiler.events() if event.name.startswith("nn.Module: "))
with torch.no_grad():
    net.forward(torch.ones(0, 8))                # no call of the module: no scope
    for _ in range(2):
        try:
            net(torch.full((2, 8), 1e9))
        except ValueError:
            pass
    net(torch.ones(0, 8))
    for _ in range(5):
        scripted(torch.ones(2, 8))
with open(sys.argv[1], "w") as file:
    json.dump(collections.Counter(names), file)
"""


@case("each_forward_of_a_module_is_a_scope_with_its_operators_in_it")
def _(folder):
    counted = os.path.join(folder, "counted")
    done, calls = run_python(folder, MODULES, counted)
    equal((done.returncode, done.stderr.count("profcore: ")), (0, 1), done.stderr)
    with open(counted, encoding="utf-8") as file:
        theirs = json.load(file)
    paths = paths_of(profile_in(folder))
    net, block, linear = "nn.Module: Net", "nn.Module: Block", "nn.Module: Linear"
    equal({name: count for name, count in theirs.items()}, {net: theirs[net], block: 3 * theirs[net], linear: 6 * theirs[net]}, theirs)
    check(theirs[net] in (4, 5), theirs)  # with another thread's, or without
    eager = 4 + 1 + 2 + 1                 # profiled, of the thread, raised, empty
    equal((paths[(net,)], paths[(net, block)], paths[(net, block, linear)]), (eager + 5, 5 * 3 + 2, 5 * 6), paths)
    equal((paths[(net, block, linear, "aten::linear")], paths[(net, block, "aten::relu")]), (5 * 6, 5 * 3), paths)
    equal((paths[(net, "forward")], paths[(net, "forward", "aten::linear")]), (5, 5 * 6), paths)
    equal({path[:-1] for path in paths if path[-1] == net}, {()}, paths)  # what raised is over


LEFT = """
import weakref
import torch
from torch import nn

class Left(nn.Module):
    def forward(self, x):
        raise KeyboardInterrupt

class Catches(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Sequential(Left()), nn.ReLU()

    def forward(self, x):
        try:
            self.first(x)
        except KeyboardInterrupt:
            return self.second(x)

class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Tanh()

    def down(self, x, depth):
        return self.down(x, depth - 1) if depth > 0 else self.inner(x)

    def forward(self, x):
        return self.down(x, 30)

def leave():
    left = nn.Sequential(Left())
    try:
        left(torch.ones(2))
    except KeyboardInterrupt:
        return weakref.ref(left)

def leave_deeply(depth):
    return leave_deeply(depth - 1) if depth > 0 else leave()

for _ in range(3):
    left, deep = leave(), leave_deeply(5)
    print(left(), deep())
    Deep()(torch.ones(2))
    leave()
    Catches()(torch.ones(2))
"""


@case("a_forward_that_is_left_by_keyboard_interrupt_ends_before_the_threads_next_and_its_module_is_let_go")
def _(folder):
    done, calls = run_python(folder, LEFT)
    equal((done.returncode, done.stdout), (0, "None None\n" * 3), done.stderr)
    names = ("nn.Module: Sequential", "nn.Module: Left", "nn.Module: Deep", "nn.Module: Tanh", "nn.Module: Catches", "nn.Module: ReLU")
    sequential, left, deep, tanh, catches, relu = names
    modules = {path: count for path, count in paths_of(profile_in(folder)).items() if path[-1] in names}
    equal(modules, {(sequential,): 9, (sequential, left): 9, (deep,): 3, (deep, tanh): 3, (catches,): 3, (catches, sequential): 3,
                    (catches, sequential, left): 3, (catches, relu): 3}, modules)


@case("a_sitecustomize_of_the_users_own_runs_as_it_would_and_so_does_what_it_raises")
def _(folder):
    code = "import sys, sitecustomize\nprint(sitecustomize.mine, sitecustomize.__file__, *sys.path, *map(type, sys.meta_path))\n"
    theirs = os.path.join(folder, "theirs")
    write(theirs, "sitecustomize.py", "mine = 'mine'\nimport sys\nif len(sys.argv) > 9:\n    raise RuntimeError('own')\n")
    script = write(folder, "script.py", code)
    with_us, _ = run_python(folder, code, PYTHONPATH=theirs)
    without = subprocess.run([python, script], cwd=folder, capture_output=True, text=True, timeout=GUARD_S,
                             env={**clean_environment(), "PYTHONPATH": theirs})
    equal(with_us.returncode, 0, with_us.stderr)
    equal(with_us.stdout.replace(" <class 'sitecustomize._Watch'>", ""), without.stdout, with_us.stderr)
    write(theirs, "sitecustomize.py", "raise RuntimeError('own')\n")
    with_us, _ = run_python(folder, "print('runs')\n", PYTHONPATH=theirs)
    check("RuntimeError: own" in with_us.stderr and with_us.stdout == "runs\n", with_us)


@case("a_python_that_reads_no_environment_has_its_operators_all_the_same")
def _(folder):
    done, calls = run_python(folder, "import torch, time\ntime.sleep(0.5)\ntorch.nn.Linear(2, 2)(torch.ones(1, 2))\n",
                             options=("-I", "-W", "ignore"))
    equal((done.returncode, calls.get("aten::linear"), calls.get("nn.Module: Linear")), (0, 1, None), calls)


@case("what_is_compiled_as_one_graph_still_is")
def _(folder):
    done, calls = run_python(folder, "import torch\nnet = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU())\n"
                             "fast = torch.compile(net, backend='eager', fullgraph=True)\n"
                             "for _ in range(3):\n    print(fast(torch.ones(2, 4)).shape)\n")
    equal((done.returncode, done.stdout.count("torch.Size([2, 4])")), (0, 3), done.stderr)


TRAINING = """
import collections, json, sys
import torch
from torch.profiler import ProfilerActivity, profile
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
    modules = {name: calls.pop(name) for name in list(calls) if name.startswith("nn.Module: ")}
    equal(modules, {"nn.Module: Sequential": 3, "nn.Module: Linear": 6, "nn.Module: GELU": 3}, modules)
    equal(calls, theirs, "calls that are not inside one of the same name, which torch's list leaves out")


MEMORY = """
import json, sys
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile
net = nn.Sequential(nn.Linear(64, 256), nn.GELU(), nn.Linear(256, 64)).eval()
x = torch.ones(8, 64)
with torch.no_grad(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
    for _ in range(20):
        net(x)
told = [event.nbytes() for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
left = {row.key: (row.count, row.cpu_memory_usage) for row in profiler.key_averages() if row.key.startswith("aten::")}
with open(sys.argv[1], "w") as file:
    json.dump({"allocated": sum(n for n in told if n > 0), "blocks": sum(n > 0 for n in told), "left": left}, file)
"""


@case("beside_torchs_profiler_with_memory_both_are_complete_and_have_the_same_bytes")
def _(folder):
    counted = os.path.join(folder, "counted")
    done, calls = run_python(folder, MEMORY, counted, PROFCORE_TORCH="1,memory")
    equal(done.returncode, 0, done.stderr)
    with open(counted, encoding="utf-8") as file:
        theirs = json.load(file)
    rows = {f["name"]: f for f in profile_in(folder)["functions"] if f["file"] == "torch"}

    def measured(name, what):
        return rows[name]["probes"]["memory.torch.cpu." + what]["sum"]

    net = "nn.Module: Sequential"
    equal((calls[net], theirs["blocks"]), (20, 60), theirs)
    equal((measured(net, "allocated"), measured(net, "blocks")), (theirs["allocated"], theirs["blocks"]), theirs)
    ours = {name: [rows[name]["calls"], measured(name, "allocated") - measured(name, "freed")] for name in theirs["left"]}
    equal(ours, theirs["left"], "calls and bytes that were left by each operator")


@case("a_python_script_of_which_only_memory_is_asked_for_has_no_modules")
def _(folder):
    done, calls = run_python(folder, "import torch\ntorch.nn.Linear(2, 2)(torch.ones(1, 2))\n", PROFCORE_TORCH="memory")
    equal((done.returncode, calls or {}), (0, {}), done.stderr)


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
