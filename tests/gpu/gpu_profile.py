# SPDX-License-Identifier: Apache-2.0
"""What the checks of tests/gpu/run read in a profile: the one place that knows the keys of a .json.

    profile = Profile.read("saxpy_1795270424.json")
    profile.work("saxpy").kernels, profile.peak_bytes("saxpy"), profile.attributed

A figure that a profile does not have is an error with the profile's own reason, never a 0.
"""

import dataclasses
import json
import pathlib
import re

SCHEMA = "profcore.summary/1"


class Missing(Exception):
    """The profile does not have it; the message says why, as far as the profile does."""


def number(value, what):
    """A count: a whole number, or its digits as text where it is above 2^53."""
    if isinstance(value, str) and value.isdigit():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Missing(f"{what} is {value!r}, no number")
    return value


@dataclasses.dataclass(frozen=True)
class Work:
    """GPU work that a function launched, in all that it called too."""

    launches: int
    kernels: int
    busy_ns: int
    copied_bytes: int


@dataclasses.dataclass(frozen=True)
class Sampled:
    """One row of what was sampled of processors and GPUs."""

    samples: int
    mean: float
    max: float
    limit: float | None
    of: str


class Profile:
    def __init__(self, whole, what="the profile"):
        if not isinstance(whole, dict) or whole.get("schema") != SCHEMA:
            raise Missing(f"{what} is no {SCHEMA}")
        self.whole, self.what = whole, what

    @classmethod
    def read(cls, path):
        try:
            return cls(json.loads(pathlib.Path(path).read_text(encoding="utf-8")), str(path))
        except (OSError, ValueError) as error:
            raise Missing(f"{path}: {error}") from None

    def reason(self, holder, key):
        return (holder.get("unavailable") or {}).get(key, "it does not say why")

    # ---- functions ----

    def function(self, name):
        found = [function for function in self.whole["functions"] if function["name"] == name]
        if len(found) != 1:
            raise Missing(f"{self.what} has {len(found)} functions called {name}")
        return found[0]

    def calls(self, name):
        return number(self.function(name)["calls"], "calls")

    def work(self, name, is_exact=True):
        """What a function's calls launched; what is estimated or a bound only where that will do."""
        function = self.function(name)
        gpu = function.get("gpu")
        if not isinstance(gpu, dict):
            raise Missing(f"GPU work of {name}: {self.reason(function, 'gpu')}; {self.status}")
        if is_exact and (gpu.get("is_estimate") or gpu.get("is_lower_bound")):
            raise Missing(f"GPU work of {name} is {'an estimate' if gpu.get('is_estimate') else 'a lower bound'}")
        return Work(**{field.name: number(gpu.get(field.name), f"{name}.gpu.{field.name}") for field in dataclasses.fields(Work)})

    def peak_bytes(self, name, device=0):
        """The most that was allocated on a device while the function ran: by torch's allocator where there is torch."""
        probes = self.function(name).get("probes") or {}
        for level in (f"torch.cuda:{device}.allocated", f"cuda:{device}.allocated"):
            if isinstance(probes.get(level), dict):
                if probes[level].get("peak_is_bound"):
                    raise Missing(f"the peak of {name} on GPU {device} is a bound only")
                return number(probes[level].get("peak"), f"{name}.probes.{level}.peak")
        raise Missing(f"CUDA memory of {name}: {self.reason(self.function(name), f'probes.cuda:{device}.allocated')}")

    # ---- the run ----

    @property
    def gpu(self):
        gpu = self.whole.get("gpu")
        if not isinstance(gpu, dict):
            raise Missing(f"GPU time: {self.reason(self.whole, 'gpu')}")
        return gpu

    @property
    def status(self):
        """ "on", or why there is no GPU time."""
        gpu = self.whole.get("gpu") or {}
        return gpu.get("status", "no GPU time") + (f": {gpu['reason']}" if gpu.get("reason") else "")

    def total(self, key):
        return number(self.gpu.get(key), f"gpu.{key}")

    @property
    def attributed(self):
        return self.total("attributed")

    @property
    def unattributed(self):
        return self.total("unattributed")

    @property
    def lost(self):
        return self.total("lost")

    # ---- utilization ----

    def sampled(self, name):
        rows = (self.whole.get("utilization") or {}).get("rows")
        if rows is None:
            raise Missing(f"utilization: {self.reason(self.whole, 'utilization')}")
        for row in rows:
            if row["name"] == name and row["samples"]:
                return Sampled(row["samples"], row["mean"], row["max"], row["limit"], row["of"])
        why = next((self.reason(row, "values") for row in rows if row["name"] in (name, "GPUs")), "there is no such row")
        raise Missing(f"{name}: {why}")


def newest(folder, name):
    """The profile that a run has left in a folder."""
    found = sorted(pathlib.Path(folder).glob(f"{name}_*.json"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise Missing(f"no {name}_*.json in {folder}: nothing was recorded")
    return Profile.read(found[-1])


# ---- what others report ----


def nsys_kernel_ns(text, kernel):
    """The time of a kernel by `nsys stats --report cuda_gpu_kern_sum --format csv`."""
    lines = [line for line in text.splitlines() if line.count(",") >= 5]
    head = next((line.split(",") for line in lines if "Total Time (ns)" in line), None)
    if head is None:
        raise Missing("nsys stats printed no table of kernels")
    column, total = head.index("Total Time (ns)"), 0
    for line in lines[lines.index(",".join(head)) + 1 :]:
        fields = line.split(",", len(head) - 1)
        if len(fields) == len(head) and re.search(rf"\b{re.escape(kernel)}\b", fields[-1]):
            total += int(fields[column])
    if total == 0:
        raise Missing(f"nsys stats has no kernel {kernel}")
    return total


def apart(one, other):
    """How far two figures are apart, as a share of the second."""
    if other == 0:
        return 0.0 if one == 0 else float("inf")
    return abs(one - other) / abs(other)
