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


def gpu_rows(folder, name="run*.json"):
    return {name: row for name, row in rows(folder, name).items() if name.startswith(("GPU", "NVML"))}


@case("what_one_device_does_not_have_is_unavailable_and_the_rest_goes_on")
def _(folder):
    run(folder, "samples", 3, script="gpu Tesla T4|GPU-t4\nrates 10/1\ntemperature 33\n")
    found = gpu_rows(folder)
    equal(found["GPU 0 power"].get("unavailable"), {"values": "Not Supported"}, "power")
    equal(figures(found["GPU 0 power"]), (0, 0, None, None), "power")
    equal((found["GPU 0 temperature"]["mean"], found["GPU 0 utilization"]["mean"]), (33, 10), "the rest")
    check("unavailable    unavailable GPU 0 power (Not Supported)" in table(folder), table(folder))
    calls = pathlib.Path(folder, "calls").read_text().split()
    equal((calls.count("power"), calls.count("init")), (1, 1), "calls of what is not supported, and of nvmlInit")


@case("a_call_that_fails_now_and_then_is_counted_and_tried_again")
def _(folder):
    run(folder, "samples", 5, script="gpu NVIDIA H200|GPU-a\npower 1000 !999 3000 !999 5000\n")
    row = gpu_rows(folder)["GPU 0 power"]
    equal((row["failed"], row["max"], row["unavailable"]), (2, 5, {"values": "nvmlDeviceGetPowerUsage: Unknown Error"}), "power")
    check(row["samples"] >= 3, row)


@case("without_nvml_processors_are_sampled_and_the_reason_is_told")
def _(folder):
    run(folder, "samples", 3)
    found = rows(folder)
    reason = found["GPUs"]["unavailable"]["values"]
    check(reason.startswith("no NVML: libnvidia-ml.so.1") if HAS_NVML else reason == "built without the headers of NVML", reason)
    equal(set(found), {"CPU process", "CPU machine", "GPUs"}, "rows")
    check(f"unavailable GPUs ({reason})" in table(folder), table(folder))


@case("an_old_nvml_lacks_what_it_lacks_and_no_more")
def _(folder):
    run(folder, "samples", 3, script=H200 + "mig\n", kind="_old")
    found = gpu_rows(folder)
    equal(found["GPU 0 power"]["unavailable"]["values"], "this NVML has no nvmlDeviceGetPowerUsage", "power")
    equal(found["GPU 0 throttled"]["max"], 100, "the older name of the reasons")
    check(found["GPU 0 utilization"]["samples"] >= 3, found)


@case("an_nvml_without_what_all_needs_is_not_used")
def _(folder):
    run(folder, "samples", 3, script=H200, kind="_broken")
    equal(rows(folder)["GPUs"]["unavailable"]["values"], "this NVML has no nvmlDeviceGetCount_v2", "why")


@case("an_nvml_that_does_not_fit_the_driver_says_so")
def _(folder):
    run(folder, "samples", 3, script="init 18\n" + H200)
    found = rows(folder)
    equal(found["GPUs"]["unavailable"]["values"], "NVML: Driver/library version mismatch (error 18)", "why")
    equal(len(found), 3, "rows")
    equal(pathlib.Path(folder, "calls").read_text().split(), ["init"], "calls")


@case("a_device_that_is_lost_is_told_once_and_not_asked_again")
def _(folder):
    done = run(folder, "samples", 6, script=H200 + "gpu NVIDIA H200|GPU-b\nrates 1/1 2/2 !15\npower 5000\n")
    found = gpu_rows(folder)
    lost = found["GPU 1 utilization"]
    equal((lost["samples"], lost["max"], lost["unavailable"]), (2, 2, {"values": "GPU is lost"}), "the lost one")
    check(lost["failed"] >= 4 and found["GPU 1 power"]["samples"] == 2, found)
    equal(found["GPU 0 power"]["failed"], 0, "the other")
    equal(done.stderr.count("GPU 1 is lost"), 1, f"notices in {done.stderr}")
    check(f"2.0 % GPU 1 utilization; {lost['failed']} more failed (GPU is lost)" in table(folder), table(folder))


@case("only_devices_that_cuda_shows_are_sampled_by_its_numbers")
def _(folder):
    same = "".join(f"gpu NVIDIA H200|GPU-{name}\npower {power}000\n" for power, name in enumerate(("ab01", "ab12", "cd23", "de34"), 1))
    other = same + "gpu Tesla T4|GPU-ef45\npower 9000\n"
    for script, devices, order, wanted in (
        (same, None, None, [1, 2, 3, 4]), (same, "2", None, [3]), (same, "3,0", None, [4, 1]), (same, "1,7,2", None, [2]),
        (same, "0,0", None, [1]), (same, "GPU-cd", None, [3]), (same, "GPU-de34,GPU-ab0", None, [4, 1]), (same, "GPU-ab", None, []),
        (same, "", None, []), (same, "-1", None, []), (same, "NoDevFiles", None, []), (same, " 1 , 0", None, [2, 1]),
        (other, "4,0", "PCI_BUS_ID", [9, 1]), (other, "GPU-ef", None, [9]), (other, "4", None, None), (other, None, None, None),
        (other, "-1", None, []), (same, "MIG-1234", None, []), (same, "18446744073709551616", None, [])):  # fmt: skip
        for old in pathlib.Path(folder).glob("run*"):
            old.unlink()
        variables = {key: value for key, value in (("CUDA_VISIBLE_DEVICES", devices), ("CUDA_DEVICE_ORDER", order)) if value is not None}
        run(folder, "samples", 1, script=script, **variables)
        found = gpu_rows(folder)
        word = "GPU" if wanted is not None else "NVML GPU"
        power = [found[f"{word} {i}  power".replace("  ", " ")]["max"] for i in range(sum(name.endswith("power") for name in found))]
        equal(power, wanted if wanted is not None else [1, 2, 3, 4, 9], f"power with {devices!r} in order {order}")
        reason = found.get("GPUs", {}).get("unavailable", {}).get("values")
        start = {0: "CUDA_VISIBLE_DEVICES", 5: "CUDA numbers different GPUs" if wanted is None else None}.get(len(power))
        check(reason.startswith(start) if start else reason is None, f"{devices!r} in order {order}: {reason}")


@case("of_a_gpu_in_mig_mode_is_said_why_it_tells_nothing")
def _(folder):
    run(folder, "samples", 2, script="gpu NVIDIA H200|GPU-a\nmig\npower 1000\n")
    found = gpu_rows(folder)
    equal(found["GPU 0 utilization"]["unavailable"]["values"], "Not Supported: the GPU is in MIG mode", "utilization")
    equal(found["GPU 0 power"]["mean"], 1, "power")


@case("more_devices_than_are_shown_are_said_to_be")
def _(folder):
    run(folder, "samples", 1, script="".join(f"gpu NVIDIA H200|GPU-{i:02}\npower 1000\nreasons 0x1ff\n" for i in range(18)))
    found = gpu_rows(folder)
    equal(found["GPUs"]["unavailable"]["values"], "of 18 GPUs 16 are shown", "why")
    equal(sum(name.endswith("display clock setting") for name in found), 16, "rows of the last reason")


@case("a_driver_that_hangs_holds_up_nobody_and_is_told")
def _(folder):
    script = "gpu NVIDIA H200|GPU-a\npower 1000 ~600\n"
    run(folder, "wait", 7, script=script)
    whole = summary(folder)
    check("has not come back for" in whole["unavailable"]["utilization"], whole["unavailable"])
    equal(whole["utilization"]["samples"], 1, "samples")
    check("Note: the sample at hand has not come back for" in table(folder), table(folder))


@case("samples_that_come_too_late_are_counted_as_missed")
def _(folder):
    run(folder, "samples", 4, script="gpu NVIDIA H200|GPU-a\npower 1000 ~1 2000\n")
    found = summary(folder)["utilization"]
    check(found["missed"] >= 99 and found["took_ns"] >= 10**9, found)
    check(f"{found['missed']} missed" in table(folder), table(folder))


@case("a_forked_child_starts_anew")
def _(folder):
    # The child of a process with threads: their memory is no leak of its own, and it starts a thread anew.
    sanitizers = {name: f"{os.environ.get(name, '')}:{option}" for name, option in (("ASAN_OPTIONS", "detect_leaks=0"), ("TSAN_OPTIONS", "die_after_fork=0"))}
    run(folder, "fork", 3, script=H200, **sanitizers)
    mine, = (path for path in pathlib.Path(folder).glob("run*.json") if "_pid" not in path.name)
    child, = pathlib.Path(folder).glob("run*_pid*.json")
    equal(pathlib.Path(folder, "calls").read_text().split().count("init"), 2, "calls of nvmlInit")
    for path in mine, child:
        row = rows(folder, path.name)["GPU 0 power"]
        mean = (100 + 200 + 600 * (row["samples"] - 2)) / row["samples"]
        check(row["samples"] >= 3 and abs(row["mean"] - mean) < 1e-9 * mean, f"{path.name}: {row}")
        equal(summary(folder, path.name)["utilization"]["samples"], row["samples"], f"{path.name}: samples")


@case("nothing_is_sampled_while_the_recorder_is_stopped")
def _(folder):
    run(folder, "pause", 5, script=H200)
    files = sorted(pathlib.Path(folder).glob("run*.json"))
    found = [json.loads(path.read_text())["utilization"] for path in files]
    check(found[-1]["samples"] < 50, f"{found[-1]['samples']} samples with a second without recording")
    check(found[-1]["missed"] < 90, f"{found[-1]['missed']} missed in a second without recording")
    check(found[-1]["rows"][0]["max"] < 3200, found[-1])


@case("nothing_is_sampled_unless_somebody_asks")
def _(folder):
    run(folder, "off", script=H200)
    whole = summary(folder)
    equal((whole["utilization"], whole["unavailable"]["utilization"]),
          (None, "it was not sampled: PROFCORE_UTILIZATION_EVERY says how often"), "utilization")  # fmt: skip
    check(not pathlib.Path(folder, "calls").exists() and "Utilization" not in table(folder), "NVML was asked")
    for old in pathlib.Path(folder).glob("run*"):
        old.unlink()
    run(folder, "until", 3, script=H200, PROFCORE_UTILIZATION_EVERY="20")
    equal(summary(folder)["utilization"]["every_ms"], 20, "the rate of the variable")


@case("what_is_read_back_is_what_was_written_and_merging_weighs_samples")
def _(folder):
    def tool(*arguments):
        done = subprocess.run([PROFCORE, *map(str, arguments)], env=clean_environment(), cwd=folder, capture_output=True, text=True)
        check(done.returncode == 0, f"profcore {arguments}: {done.stderr}")
        return done.stdout
    for part, script in (("a", H200), ("b", H200.replace("600000", "300000")), ("c", H200.replace("GPU-aaaa", "GPU-bbbb"))):
        inside = pathlib.Path(folder) / part
        inside.mkdir()
        run(inside, "samples", 3 if part == "a" else 9, script=script)
        made, = inside.glob("run*.json")
        made.rename(pathlib.Path(folder) / f"{part}.json")
    tool("convert", "a.json", "again.json")
    a, b, again = (summary(folder, f"{name}.json") for name in ("a", "b", "again"))
    equal(again["utilization"], a["utilization"], "what was read back")
    check("600.0 W GPU 0 power" in tool("report", "a.json"), "the report of what was read")
    tool("merge", "-o", "merged.json", "a.json", "b.json", "c.json")
    merged = summary(folder, "merged.json")["utilization"]
    one, two = (rows(folder, f"{name}.json")["GPU 0 power"] for name in ("a", "b"))
    both = [row for row in merged["rows"] if row["name"] == "GPU 0 power"]
    equal(len(both), 2, "devices")
    mean = (one["mean"] * one["samples"] + two["mean"] * two["samples"]) / (one["samples"] + two["samples"])
    check(abs(both[0]["mean"] - mean) < 1e-9 * mean and both[0]["max"] == 600, f"{both[0]} not {mean}")
    equal((both[0]["samples"], merged["samples"] - sum(summary(folder, f"{x}.json")["utilization"]["samples"] for x in "abc")),
          (one["samples"] + two["samples"], 0), "samples")  # fmt: skip


@case("where_nvml_does_not_tell_the_driver_is_asked_for_memory_of_devices_that_are_in_use")
def _(folder):
    library = USAGE_MAIN.parent.parent / "gpu" / "libcuda.so.1"
    if not library.exists():
        raise Skip("built without the headers of CUDA")
    cuda = {"FAKE_CUDA_DEVICES": "2", "FAKE_CUDA_ACTIVE": "1", "FAKE_CUDA_MEMORY": "3000/8192", "LD_PRELOAD": str(library),
            "ASAN_OPTIONS": "verify_asan_link_order=0:" + os.environ.get("ASAN_OPTIONS", "")}  # fmt: skip
    name = "GPU 1 device memory used"
    without = H200.replace("memory 1024/8192 4096/8192 2048/8192\n", "")
    run(folder, "samples", 3, script=without, **cuda)
    found = [row for row in summary(folder)["utilization"]["rows"] if row["of"].startswith("device-wide")]
    equal([(row["name"], row["unit"], row["max"], row["limit"], row["of"]) for row in found],
          [(name, "bytes", 5192, 8192, "device-wide, by cuMemGetInfo()")], "rows of the driver")  # fmt: skip
    check("   device-wide, by cuMemGetInfo():" in table(folder), "it is not in the table")
    for more, wanted in (({"FAKE_CUDA_UNUSED": "1"}, False), ({"FAKE_CUDA_ACTIVE": "7"}, False), ({"FAKE_CUDA_MEMORY": ""}, True)):
        for old in pathlib.Path(folder).glob("run*"):
            old.unlink()
        run(folder, "samples", 3, script=without, **(cuda | more))
        found = [row for row in summary(folder)["utilization"]["rows"] if row["of"].startswith("device-wide")]
        equal([row["unavailable"]["values"] for row in found], ["cuMemGetInfo(): error 201 of the CUDA driver"] if wanted else [], more)
    for old in pathlib.Path(folder).glob("run*"):
        old.unlink()
    run(folder, "samples", 3, script=H200, **cuda)
    equal([row["of"] for row in summary(folder)["utilization"]["rows"] if row["name"].endswith("device memory used")],
          ["NVIDIA H200, GPU-aaaa, NVML's 0"], "rows where NVML tells")  # fmt: skip


@case("the_doctor_says_what_nvml_is")
def _(folder):
    def nvml(**variables):
        done = subprocess.run([PROFCORE, "doctor", "--json"], env=clean_environment() | variables, cwd=folder, capture_output=True, text=True)
        row, = (row for row in json.loads(done.stdout)["rows"] if row["name"] == "NVML")
        return row["status"], row["finding"]
    script = pathlib.Path(folder) / "script"
    for text, wanted in ((H200, ("ok", "libnvidia-ml.so.1: driver 999.00 (fake), 1 GPU")),
                         ("init 18\n", ("warn", "libnvidia-ml.so.1: it is there, but nvmlInit_v2() fails with 18 (Driver/library version mismatch)"))):
        script.write_text(text)
        equal(nvml(LD_LIBRARY_PATH=str(fake(folder)), FAKE_NVML=str(script)), wanted, "the doctor's row")


finish()
