# SPDX-License-Identifier: Apache-2.0
"""tests/gpu/run as far as it goes without a GPU: what it reads in profiles, what it makes of checks, and what it writes.

    results_check.py
"""
import copy
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]
import checks
import gpu_profile
import results
from tap_cases import case, check, equal, finish

WHOLE = {
    "schema": "profcore.summary/1",
    "functions": [
        {"name": "copy in", "calls": 1, "gpu": {"launches": 2, "kernels": 0, "busy_ns": 20000, "copied_bytes": 16},
         "probes": {"cuda:0.allocated": {"peak": 16, "peak_is_bound": False}}},
        {"name": "saxpy", "calls": 1, "gpu": {"launches": 3, "kernels": 3, "busy_ns": "9007199254740993", "copied_bytes": 0},
         "probes": {"torch.cuda:0.allocated": {"peak": 40, "peak_is_bound": False}, "cuda:0.allocated": {"peak": 99}}},
        {"name": "copy out", "calls": 1, "gpu": {"launches": 1, "kernels": 0, "busy_ns": 1000, "copied_bytes": 8},
         "probes": {"cuda:0.allocated": {"peak": 16, "peak_is_bound": True}}},
        {"name": "host", "calls": 2, "gpu": None, "unavailable": {"gpu": "CUPTI is in use by another tool"}},
        {"name": "twice", "calls": 1}, {"name": "twice", "calls": 1},
    ],
    "gpu": {"status": "on", "reason": None, "attributed": 5, "unattributed": 1, "lost": 0, "kernels": 3, "copies": 3, "sets": 0},
    "utilization": {"every_ms": 20, "samples": 4, "missed": 0, "took_ns": 4000, "rows": [
        {"name": "GPU 0 power", "samples": 4, "failed": 0, "mean": 100.5, "max": 700.0, "limit": None, "of": "NVIDIA H200"},
        {"name": "GPU 0 temperature", "samples": 0, "mean": None, "max": None, "limit": None, "of": "NVIDIA H200",
         "unavailable": {"values": "Not Supported"}}]},
}  # fmt: skip


def changed(*path, to):
    """The same with one thing changed."""
    whole = copy.deepcopy(WHOLE)
    at = whole
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = to
    return gpu_profile.Profile(whole)


def missing(read, *words):
    try:
        found = read()
    except gpu_profile.Missing as why:
        for word in words:
            check(word in str(why), f"{word!r} is not in {why}")
        return
    raise AssertionError(f"{found!r} where nothing can be had")


@case("figures_of_functions_are_read_also_above_2_to_the_53")
def _(_folder):
    profile = gpu_profile.Profile(WHOLE)
    equal(profile.work("saxpy"), gpu_profile.Work(3, 3, 9007199254740993, 0), "saxpy")
    equal((profile.work("copy in").copied_bytes, profile.peak_bytes("copy in"), profile.calls("host")), (16, 16, 2), "copy in")
    equal(profile.peak_bytes("saxpy"), 40, "torch's allocator goes first")
    equal((profile.attributed, profile.unattributed, profile.lost, profile.status), (5, 1, 0, "on"), "the run")


@case("what_a_profile_does_not_have_is_an_error_with_its_reason")
def _(_folder):
    profile = gpu_profile.Profile(WHOLE)
    missing(lambda: profile.work("host"), "CUPTI is in use by another tool")
    missing(lambda: profile.work("gone"), "0 functions called gone")
    missing(lambda: profile.work("twice"), "2 functions called twice")
    missing(lambda: profile.peak_bytes("copy out"), "a bound only")
    missing(lambda: profile.peak_bytes("host"), "CUDA memory of host")
    missing(lambda: profile.peak_bytes("saxpy", 1), "it does not say why")
    missing(lambda: changed("functions", 0, "gpu", "kernels", to=None).work("copy in"), "copy in.gpu.kernels is None")
    missing(lambda: changed("functions", 0, "gpu", "kernels", to=True).work("copy in"), "no number")
    missing(lambda: changed("gpu", to=None).attributed, "GPU time")
    equal(changed("gpu", to={"status": "unavailable", "reason": "no driver"}).status, "unavailable: no driver", "the status")
    missing(lambda: changed("functions", 0, "gpu", "is_estimate", to=True).work("copy in"), "an estimate")
    missing(lambda: changed("functions", 0, "gpu", "is_lower_bound", to=True).work("copy in"), "a lower bound")
    equal(changed("functions", 0, "gpu", "is_estimate", to=True).work("copy in", is_exact=False).copied_bytes, 16, "an estimate")
    missing(lambda: gpu_profile.Profile({"schema": "other"}), "profcore.summary/1")
    missing(lambda: gpu_profile.Profile([]), "profcore.summary/1")


@case("sampled_rows_are_read")
def _(_folder):
    profile = gpu_profile.Profile(WHOLE)
    equal(profile.sampled("GPU 0 power"), gpu_profile.Sampled(4, 100.5, 700.0, None, "NVIDIA H200"), "power")
    missing(lambda: profile.sampled("GPU 0 temperature"), "Not Supported")
    missing(lambda: profile.sampled("GPU 1 power"), "no such row")
    missing(lambda: changed("utilization", to=None).sampled("GPU 0 power"), "utilization")


@case("the_newest_profile_of_a_name_is_read")
def _(folder):
    missing(lambda: gpu_profile.newest(folder, "saxpy"), "nothing was recorded")
    for number, name in enumerate(("saxpy_1.json", "saxpy_2.json", "other_3.json")):
        path = pathlib.Path(folder, name)
        path.write_text(json.dumps(changed("functions", 3, "calls", to=number).whole))
        os.utime(path, (number, number))
    equal(gpu_profile.newest(folder, "saxpy").calls("host"), 1, "the newest")
    pathlib.Path(folder, "saxpy_4.json").write_text("{")
    missing(lambda: gpu_profile.newest(folder, "saxpy"), "saxpy_4.json")


@case("the_tables_of_nsys_are_read")
def _(_folder):
    head = "Time (%),Total Time (ns),Instances,Avg (ns),Med (ns),Min (ns),Max (ns),StdDev (ns),Name\n"
    text = f'Processing...\n\n{head}90.0,5000,50,100.0,100.0,90,110,1.0,"saxpy(unsigned long, float, const float *, float *)"\n10.0,700,1,700,700,700,700,0,other(int)\n'
    equal(gpu_profile.nsys_kernel_ns(text, "saxpy"), 5000, "saxpy")
    missing(lambda: gpu_profile.nsys_kernel_ns(text, "axpy"), "no kernel axpy")
    missing(lambda: gpu_profile.nsys_kernel_ns("nothing", "saxpy"), "no table")


class Saxpy(checks.Place):
    """A place whose program says what it was asked to."""

    def __init__(self, folder, whole):
        super().__init__(pathlib.Path(folder), pathlib.Path(folder), None)
        self.whole = whole

    def program(self, *parts):
        return pathlib.Path(*parts)

    def run(self, _command, *_seconds, **_variables):
        (self.folder / "saxpy_1.json").write_text(json.dumps(self.whole))
        scopes = {"copy in": (0, 16, 16, 20000), "saxpy": (3, 0, 40, 9007199254740993), "copy out": (0, 8, 16, 1005)}
        return json.dumps({"scopes": {name: dict(zip(("kernels", "copied_bytes", "peak_bytes", "event_ns"), of)) for name, of in scopes.items()}})


@case("checks_pass_and_fail_by_the_figures")
def _(folder):
    sound = changed("functions", 2, "probes", "cuda:0.allocated", "peak_is_bound", to=False).whole
    counted, timed, all_counted = checks.CHECKS[0], checks.CHECKS[1], checks.CHECKS[3]
    place = Saxpy(folder, sound)
    status, figures = checks.perform(counted, place)
    equal((status, len(figures)), ("PASS", 3), figures)
    equal([checks.perform(each, place)[0] for each in (timed, all_counted)], ["PASS", "PASS"], "the others")
    for path, wrong, which in (
            (("functions", 1, "gpu", "kernels"), 2, counted), (("functions", 0, "gpu", "copied_bytes"), 15, counted),
            (("functions", 0, "probes", "cuda:0.allocated", "peak"), 17, counted), (("functions", 2, "gpu", "busy_ns"), 990, timed),
            (("gpu", "unattributed"), 0, all_counted), (("gpu", "lost"), 1, all_counted), (("gpu",), {**sound["gpu"], "kernels": 4, "attributed": 6}, all_counted)):  # fmt: skip
        whole = copy.deepcopy(sound)
        at = whole
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = wrong
        place = Saxpy(folder, whole)
        ended = checks.perform(counted, place)
        ended = ended if which is counted else checks.perform(which, place)
        equal(ended[0], "FAIL", f"{path} = {wrong}: {ended}")
    equal(checks.perform(timed, Saxpy(folder, sound)), ("SKIP", ["saxpy left no profile: see above"]), "without saxpy")
    equal(checks.perform(lambda _place: 1 // 0, place)[0], "FAIL", "a check with a mistake")


@case("figures_that_are_apart_by_more_than_is_allowed_fail")
def _(_folder):
    check("1.00% apart" in checks.within(101, 100, 0.0101, "x"), "1 %")
    for one, other in ((102, 100), (0, 100), (1, 0)):
        try:
            checks.within(one, other, 0.01, "x")
        except checks.Fail:
            continue
        raise AssertionError(f"{one} is near {other}")
    equal(gpu_profile.apart(0, 0), 0, "nothing and nothing")


@case("the_page_says_what_was_verified_and_never_forgets_it")
def _(folder):
    path = pathlib.Path(folder, "page.md")
    none = results.render([], [results.Result("a check", "SKIP", ["no GPU: no driver"])], "2026-01-01")
    some = results.render([("GPU", "a|b")], [results.Result("a check", "PASS", ["1", "2 | 3"]), results.Result("b", "FAIL", ["x"], 2.4)], "2026-01-02")
    check("not verified: no GPU" in none and "a check: no GPU: no driver" in none and results.VERIFIED not in none, none)
    check("| a check | PASS | 1; 2 \\| 3 | 0 |" in some and "1 passed, 1 failed, 0 skipped" in some and "not verified" not in some, some)
    check(results.write(path, none) and results.write(path, some), "the page was not written")
    check(not results.write(path, none) and path.read_text() == some, "what was verified is gone")


@case("without_a_gpu_the_run_says_so_and_skips")
def _(folder):
    page = pathlib.Path(folder, "page.md")
    done = subprocess.run([sys.executable, HERE / "run", "--out", page, "--built", "--build", folder], capture_output=True, text=True,
                          env=os.environ | {"CUDA_VISIBLE_DEVICES": ""})  # fmt: skip
    equal((done.returncode, done.stderr), (77, ""), done.stdout)
    check("not verified: no GPU" in page.read_text() and f"0 passed, 0 failed, {len(checks.CHECKS)} skipped" in done.stdout, done.stdout)


finish()
