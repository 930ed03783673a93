# SPDX-License-Identifier: Apache-2.0
"""Reads a .nvtxt as Nsight Systems does: imports it, and exports what it has understood; and runs programs under its `nsys profile`."""

import csv
import json
import os
import pathlib
import subprocess
import tempfile

from fetch import Missing

RUN_S = 300
TRIES = 3  # an agent of nsys gets lost now and then
RANGE, SPAN, MARK, FILE = 70, 71, 65, 74  # types of its events


class Unreadable(Exception):
    """Why it cannot be imported."""


def run(command, cwd=None, **variables):
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=os.environ | variables, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, errors="replace", timeout=RUN_S)  # fmt: skip
    if done.returncode == 127:  # what it is linked with, of a desktop
        raise Missing(f"{command[0]} does not start here: {done.stderr.strip()[-300:]}")
    if done.returncode != 0:
        raise Unreadable(f"{command[0]} ended with {done.returncode}: {(done.stdout + done.stderr).strip()[-1000:]}")
    return done.stdout


def host_of(nsys):
    """The folder of what reads reports, and the libraries that it needs."""
    host = nsys / "usr/lib/nsight-systems/host-linux-x64"
    return host, f"{host}:{nsys / 'usr/lib/x86_64-linux-gnu'}"


def profile(command, nsys, folder, **variables):
    """Runs a program as `nsys profile -t nvtx` does, then `nsys stats`: {range: (instances, nanoseconds in all)}."""
    host, libraries = host_of(nsys)
    raw, report = folder / "live.qdstrm", folder / "live.nsys-rep"
    for file in (raw, report):
        file.unlink(missing_ok=True)
    for _ in range(TRIES):
        said = run([nsys / "usr/bin/nsys", "profile", "-t", "nvtx", "--sample=none", "--cpuctxsw=none", "-f", "true",
                    "-o", folder / "live", *command], cwd=folder, **variables)  # fmt: skip
        if raw.exists() or report.exists():
            break
    else:
        raise Unreadable(f"nsys has left no report: {said[-1000:]}")
    if not report.exists():  # its own importer is not where it looks
        run([host / "QdstrmImporter", "-i", raw, "-o", report], LD_LIBRARY_PATH=libraries)
    table = run([nsys / "usr/bin/nsys", "stats", "--report", "nvtxppsum", "--format", "csv", report])
    lines = table.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("Time (%)")]
    rows = csv.DictReader(lines[starts[0]:]) if starts else []
    return {row["Range"]: (int(row["Instances"]), int(row["Total Time (ns)"])) for row in rows if row["Range"]}


def look(file, nsys):
    """What it shows: (kind, start, end, thread, text) of each event, in nanoseconds of the file's clock."""
    host, libraries = host_of(nsys)
    with tempfile.TemporaryDirectory(prefix="profcore-nsight-") as folder:
        report, exported = pathlib.Path(folder) / "r.nsys-rep", pathlib.Path(folder) / "r.json"
        run([host / "ImportNvtxt", "--cmd", "create", "-n", file, "-o", report], LD_LIBRARY_PATH=libraries)
        run([nsys / "usr/bin/nsys", "export", "--type", "json", "-o", exported, report])
        lines = [json.loads(line) for line in exported.read_text(errors="replace").splitlines() if line.startswith("{")]
    # Times are told from a moment that the entry of the file gives.
    (first,) = [-int(line["NvtxtMetaEvent"]["Timestamp"]) for line in lines if line.get("Type") == FILE]
    events = [line["NvtxtEvent"]["Nvtx"] for line in lines if "NvtxtEvent" in line]
    kinds = {RANGE: "range", SPAN: "span", MARK: "mark"}
    return [(kinds[event["Type"]], first + int(event["Timestamp"]), first + int(event.get("EndTimestamp", event["Timestamp"])),
             event["GlobalTid"], event.get("Text", "")) for event in events]  # fmt: skip
