# SPDX-License-Identifier: Apache-2.0
"""What the checks of this folder share: running a program, and what it left in its folder."""
import glob
import json
import marshal
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "support"))
from tap_cases import check, clean_environment

RESULTS = "profiling_results"


def run(folder, *command, limit_s=120, **variables):
    clean = {name: value for name, value in clean_environment().items() if not name.startswith("EXITS")}
    clean["PROFCORE_FORMATS"] = "txt,prof,json"
    return subprocess.run([str(part) for part in command], cwd=folder, stdin=subprocess.DEVNULL, env={**clean, **variables},
                          capture_output=True, text=True, timeout=limit_s)


def folder_in_memory():
    """For cases that write thousands of files, each synced, and lose nothing where no disk is below."""
    return tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)


def results(folder, pattern="*"):
    return sorted(glob.glob(os.path.join(folder, RESULTS, pattern)))


def drafts(folder):
    return [name for name in os.listdir(os.path.join(folder, RESULTS)) if name.startswith(".profcore-")] \
        if os.path.isdir(os.path.join(folder, RESULTS)) else []


def calls_in(path):
    """The calls of each function in a file, which must be whole."""
    if path.endswith(".json"):
        with open(path, encoding="utf-8") as text:
            return {f["name"]: f["calls"] for f in json.load(text)["functions"]}
    if path.endswith(".prof"):
        with open(path, "rb") as data:
            stats = marshal.load(data)
            check(data.read() == b"", f"{path}: more than one object")
        return {name: row[1] for (_, _, name), row in stats.items()}
    check(path.endswith(".txt"), f"what is {path}?")
    with open(path, encoding="utf-8") as text:
        whole = text.read()
    check(re.search(r"\n +Overhead: [^\n]*\n( +[^\n]*\n)*$", whole), f"{path} has no end: {whole[-200:]!r}")
    rows = re.findall(r"^ +(\d+)(?:/\d+)?(?: +[\d.]+){4} +\S*\((\w+)\)$", whole, re.M)
    check(rows, f"{path}: no rows")
    return {name: int(calls) for calls, name in rows}


def summary(folder, pattern="*.json"):
    found = [path for path in results(folder, pattern)]
    check(len(found) == 1, f"{pattern}: {found}")
    return calls_in(found[0])
