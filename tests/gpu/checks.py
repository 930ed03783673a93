# SPDX-License-Identifier: Apache-2.0
"""What is held against a GPU, one function each.  A check returns its figures; it raises Fail or Skip with why."""

import json
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile

import gpu_profile

ELEMENTS, LAUNCHES = 1 << 27, 50  # kernels of a third of a millisecond on a H200: what lies between them is less than 1 %
EVENTS_APART, NSYS_APART = 0.01, 0.05
LEAST_SPEED = 0.98  # of tokens a second with GPU time on, of those without
ROUNDS = 5          # of each, in turn
STEPS = 2000
BATCHES = (1, 8, 32)


class Fail(Exception):
    """It is not as it should be."""


class Skip(Exception):
    """It cannot be looked at here."""


class Place:
    """Where the programs are, and where their files go."""

    def __init__(self, build, keep, python):
        self.build, self.keep, self.python = build, keep, python
        self.work = build.parent / "tests" / "gpu" / "torch_work.py"
        self.folder = None  # of the check at hand
        self.saxpy = None   # its account and its profile, for the checks that share them

    def environment(self, **variables):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PROFCORE")}
        mine = {"PROFCORE_DIR": str(self.folder), "PROFCORE_FORMATS": "txt,json,pftrace", "PROFCORE_QUIET": "1",
                "PROFCORE_GPU_BUDGET": "100%", "PYTHONDONTWRITEBYTECODE": "1"}  # fmt: skip
        return {name: value for name, value in (clean | mine | variables).items() if value is not None}

    def run(self, command, seconds=120, **variables):
        """What a program prints."""
        try:
            done = subprocess.run([str(part) for part in command], env=self.environment(**variables), cwd=self.folder,
                                  capture_output=True, text=True, timeout=seconds)  # fmt: skip
        except subprocess.TimeoutExpired:
            raise Fail(f"{command[0]} took more than {seconds} s") from None
        if done.returncode == 77:
            raise Skip(done.stderr.strip() or "it says that it cannot run here")
        if done.returncode != 0:
            raise Fail(f"{command[0]} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def program(self, *parts):
        path = self.build.joinpath(*parts)
        if not path.exists():
            raise Skip(f"{'/'.join(parts)} is not built here")
        return path

    def torch(self, *arguments, seconds=180, front=(), **variables):
        """The line of JSON of torch_work.py, with libprofcore unless PROFCORE is not to be."""
        if self.python is None:
            raise Skip("there is no Python with a torch that sees a GPU")
        library = str(self.program("lib", "libprofcore.so.0")) if variables.pop("library", True) else None
        said = self.run([*front, self.python, self.work, *arguments], seconds, LIBPROFCORE=library, **variables)
        return json.loads(said.splitlines()[-1])


def need(condition, what):
    if not condition:
        raise Fail(what)


def within(ours, theirs, most, what):
    """The figures of a comparison; Fail where they are further apart than `most`."""
    far = gpu_profile.apart(ours, theirs)
    text = f"{what}: {ours:,.0f} against {theirs:,.0f}, {far:.2%} apart"
    need(far <= most, text)
    return text


# ---- plain CUDA ----


def saxpy_is_counted_to_the_byte(place):
    said = place.run([place.program("examples", "cuda_saxpy"), ELEMENTS, LAUNCHES], PROFCORE="1", PROFCORE_NAME="saxpy",
                     PROFCORE_UTILIZATION_EVERY="20")  # fmt: skip
    asked, found = json.loads(said.splitlines()[-1]), gpu_profile.newest(place.folder, "saxpy")
    place.saxpy = asked, found
    figures = []
    for scope, account in asked["scopes"].items():
        work = found.work(scope)
        for what, ours in (("kernels", work.kernels), ("copied_bytes", work.copied_bytes), ("peak_bytes", found.peak_bytes(scope))):
            need(ours == account[what], f"{scope}: {what} {ours}, not {account[what]}")
        figures.append(f"{scope}: {work.kernels} kernels, {work.copied_bytes} bytes copied, peak {account['peak_bytes']} bytes")
    return figures


def of_saxpy(place):
    if place.saxpy is None:
        raise Skip("saxpy left no profile: see above")
    return place.saxpy


def gpu_time_of_scopes_equals_cuda_events(place):
    asked, found = of_saxpy(place)
    return [within(found.work(scope).busy_ns, account["event_ns"], EVENTS_APART, f"{scope}, ns") for scope, account in asked["scopes"].items()]


def gpu_time_equals_what_nsys_reports_for_a_second_run(place):
    _, found = of_saxpy(place)
    nsys = shutil.which("nsys")
    if nsys is None:
        raise Skip("nsys is not installed")
    report = place.folder / "saxpy"
    place.run([nsys, "profile", "-t", "cuda", "-o", report, place.program("examples", "cuda_saxpy"), ELEMENTS, LAUNCHES])
    said = place.run([nsys, "stats", "--report", "cuda_gpu_kern_sum", "--format", "csv", f"{report}.nsys-rep"])
    return [within(found.work("saxpy").busy_ns, gpu_profile.nsys_kernel_ns(said, "saxpy"), NSYS_APART, "saxpy, ns")]


def every_kernel_is_attributed_or_counted(place):
    asked, found = of_saxpy(place)
    launched = sum(account["kernels"] for account in asked["scopes"].values())
    work = found.total("kernels") + found.total("copies") + found.total("sets")
    need(found.total("kernels") == launched, f"{found.total('kernels')} kernels, not {launched}")
    need(found.attributed + found.unattributed == work, f"{found.attributed} + {found.unattributed} attributed and not, of {work}")
    need(found.lost == 0, f"{found.lost} lost")
    return [f"{work} pieces of work: {found.attributed} attributed, {found.unattributed} not, {found.lost} lost"]


def nvml_tells_what_nvidia_smi_tells(place):
    _, found = of_saxpy(place)
    query = place.run(["nvidia-smi", "--query-gpu=name,memory.total,uuid", "--format=csv,noheader,nounits"])
    name, mebibytes, uuid = (part.strip() for part in query.splitlines()[0].split(","))
    memory = found.sampled("GPU 0 device memory used")
    need(name in memory.of and uuid in memory.of, f"{memory.of} is not {name}, {uuid}")
    need(abs(memory.limit / 2**20 - int(mebibytes)) < 1, f"{memory.limit} bytes are not {mebibytes} MiB")
    need(memory.max >= 2 * 4 * ELEMENTS, f"{memory.max} bytes used are less than the program's own")
    rows = [("power", "W"), ("SM clock", "MHz"), ("temperature", "C"), ("utilization", "%")]
    sampled = [(what, unit, found.sampled(f"GPU 0 {what}")) for what, unit in rows]
    took = found.whole["utilization"]["took_ns"] / found.whole["utilization"]["samples"] / 1e3
    return [f"{what} mean {row.mean:.0f}, max {row.max:.0f} {unit}" for what, unit, row in sampled] + [f"a sample took {took:.0f} us"]


# ---- torch ----


def torch_peak_equals_ours_and_is_not_disturbed(place):
    front = [place.program("tools", "profcore"), "run", "--torch", "--"]
    alone = place.torch("memory", library=False)
    ours = place.torch("memory", front=front, PROFCORE_NAME="memory", PROFCORE_TORCH="memory")
    need(alone == ours, f"torch's own figures are {ours} with the library, {alone} without")
    peak = gpu_profile.newest(place.folder, "memory").peak_bytes("one scope")
    need(peak == ours["max_memory_allocated"], f"peak {peak}, not {ours['max_memory_allocated']}")
    return [f"peak {peak} bytes, as max_memory_allocated() with and without the library"]


def decode_under_cuda_graphs_keeps_its_speed(place):
    speeds = {"1": [], "0": []}
    for turn in range(2 * ROUNDS):
        on = "10"[turn % 2]
        said = place.torch("decode", STEPS, PROFCORE="1", PROFCORE_NAME=f"decode{on}", PROFCORE_GPU=on, PROFCORE_GPU_BUDGET=None)
        speeds[on].append(said["tokens_per_s"])
    found = gpu_profile.newest(place.folder, "decode1")
    work = found.work("decode step", is_exact=False)
    need(work.kernels >= work.launches > 0, f"{work.kernels} kernels of {work.launches} launches in replayed graphs")
    with_gpu, without = statistics.median(speeds["1"]), statistics.median(speeds["0"])
    share = with_gpu / without
    spread = ", ".join(f"{min(values):.0f} to {max(values):.0f}" for values in speeds.values())
    text = f"{with_gpu:.0f} tokens/s with GPU time, {without:.0f} without: {share:.1%} (of {ROUNDS} runs each: {spread})"
    need(share >= LEAST_SPEED, text)
    return [text, f"{work.kernels / work.launches:.0f} kernels a launch, {found.unattributed} unattributed"]


def a_late_start_stalls_for(place):
    said = place.torch("late", STEPS, PROFCORE_NAME="late", PROFCORE_GPU="1", PROFCORE_GPU_BUDGET=None)
    work = gpu_profile.newest(place.folder, "late").work("decode step", is_exact=False)
    need(work.kernels > 0, "no kernels after the late start")
    return [f"prof_start() {said['start_ns'] / 1e6:.2f} ms; longest step {said['before_max_ns'] / 1e6:.2f} ms before, "
            f"{said['after_max_ns'] / 1e6:.2f} ms after, median {said['median_ns'] / 1e6:.2f} ms"]  # fmt: skip


def minilm_and_clip_at_several_batch_sizes(place):
    said = place.torch("models", *BATCHES, PROFCORE="1", PROFCORE_NAME="models", PROFCORE_GPU="1", PROFCORE_UTILIZATION_EVERY="100")
    found, figures = gpu_profile.newest(place.folder, "models"), [f"MiniLM with {said['weights']}"]
    for name, took in said["scopes"].items():
        work = found.work(name)
        need(0 < work.busy_ns <= took["event_ns"] * (1 + EVENTS_APART), f"{name}: busy {work.busy_ns} ns of {took['event_ns']:.0f}")
        figures.append(f"{name}: {took['wall_ns'] / took['repeats'] / 1e6:.2f} ms, GPU busy {work.busy_ns / took['wall_ns']:.0%}, "
                       f"{work.kernels // took['repeats']} kernels")  # fmt: skip
    place.keep.mkdir(parents=True, exist_ok=True)
    kept = shutil.copy(max(place.folder.glob("models_*.pftrace"), key=os.path.getmtime), place.keep / "models.pftrace")
    return [*figures, f"timeline kept: {os.path.basename(kept)}, {os.path.getsize(kept)} bytes"]


def the_retrieval_service_answers_on_the_gpu(place):
    service, models = place.program("examples", "rag_service"), place.build / "models"
    if not (models / "minilm" / "model.pt").exists():
        raise Skip(f"no exported models in {models}")
    found = {}
    for device in ("cpu", "cuda"):
        said = place.run([service, "--device", device, "--models", models, "--index", place.folder / device, "--documents",
                          place.build.parent / "README.md", "--search-only", "--query", "how much does a scope cost?"],
                         PROFCORE="1", PROFCORE_NAME=f"service_{device}")  # fmt: skip
        found[device] = json.loads(said)["documents"]
    need(found["cpu"] == found["cuda"], f"{found['cuda']} are not {found['cpu']}")
    work = gpu_profile.newest(place.folder, "service_cuda").work("embed_query")
    need(work.kernels > 0, "no kernels in embed_query")
    return [f"the same {len(found['cpu'])} documents; {work.kernels} kernels in embed_query"]


CHECKS = (saxpy_is_counted_to_the_byte, gpu_time_of_scopes_equals_cuda_events, gpu_time_equals_what_nsys_reports_for_a_second_run,
          every_kernel_is_attributed_or_counted, nvml_tells_what_nvidia_smi_tells, torch_peak_equals_ours_and_is_not_disturbed,
          decode_under_cuda_graphs_keeps_its_speed, a_late_start_stalls_for, minilm_and_clip_at_several_batch_sizes,
          the_retrieval_service_answers_on_the_gpu)  # fmt: skip


def perform(check, place):
    """How a check ends, as a status and its figures."""
    with tempfile.TemporaryDirectory(prefix="profcore-gpu-") as folder:
        place.folder = pathlib.Path(folder)
        try:
            return "PASS", check(place)
        except Skip as why:
            return "SKIP", [str(why)]
        except (Fail, gpu_profile.Missing) as why:
            return "FAIL", [str(why)]
        except Exception as error:  # what a check did not expect is no reason to lose the others
            return "FAIL", [f"{type(error).__name__}: {error}"]
