# SPDX-License-Identifier: Apache-2.0
"""Finds libtorch for shim/meson.build, in well under a second: nothing is imported or run but `python -c` once.

Usage: torch_find.py SOURCE_ROOT PREFIX

Looks in PREFIX alone when it is not empty, else at the torch package of the
project's .venv, of python3, then at the system's own libtorch.  PREFIX is what
holds include/ and lib/: an unpacked libtorch, a Python torch package, /usr.

Prints `key=value` lines: found (yes or no), prefix, includes and libraries
(separated by ':'), library_folder, version, cxx11_abi, and python (an
interpreter that can import torch, or empty); when not found: reason.
"""
import glob
import os
import re
import subprocess
import sys

VERSION_HEADERS = ("include/torch/headeronly/version.h", "include/torch/csrc/api/include/torch/version.h")
PYTHON_FOLDER = "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')"


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def python_torch(python):
    """The folder of an interpreter's torch package, or ''."""
    try:
        answer = subprocess.run([python, "-c", PYTHON_FOLDER], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""


def version_of(prefix):
    found = re.search(r"__version__ = '([^']+)'", read(prefix + "/version.py"))
    if found:
        return found.group(1)
    for header in VERSION_HEADERS:
        found = re.search(r'define TORCH_VERSION\s*\\?\s*"([^"]+)"', read(f"{prefix}/{header}"))
        if found:
            return found.group(1)
    text = read(prefix + "/include/torch/csrc/api/include/torch/version.h")
    numbers = [re.search(rf"define TORCH_VERSION_{part}\s+(\d+)", text) for part in ("MAJOR", "MINOR", "PATCH")]
    return ".".join(n.group(1) for n in numbers) if all(numbers) else "of unknown version"


def cxx11_abi(library):
    """1 or 0: the form in which libc10 exports a function that takes a std::string."""
    with open(library, "rb") as file:
        return "0" if b"torchCheckFailEPKcS2_jRKSs" in file.read() else "1"


def soname(library):
    """The name by which the loader knows it."""
    listed = subprocess.run(["readelf", "-d", library], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\(SONAME\).*\[(.*)\]", listed)
    return found.group(1) if found else os.path.basename(library)


def look(prefix):
    """What a prefix holds, as a dictionary; a text when it holds no libtorch."""
    if not os.path.isdir(prefix):
        return "there is no such folder"
    if not os.path.exists(prefix + "/include/torch/csrc/api/include/torch/version.h"):
        return "it has no include/torch (the development files are missing)"
    folders = [prefix + "/lib", prefix + "/lib64", *sorted(glob.glob(prefix + "/lib/*-linux-gnu*"))]
    folder = next((f for f in folders if os.path.exists(f + "/libtorch_cpu.so")), None)
    if folder is None or not os.path.exists(folder + "/libc10.so"):
        return "it has no lib/libtorch_cpu.so"
    includes = [prefix + "/include/torch/csrc/api/include"]
    if prefix != "/usr":  # gcc's own headers break when /usr/include is named
        includes.insert(0, prefix + "/include")
    return {
        "found": "yes",
        "prefix": prefix,
        "includes": ":".join(includes),
        "libraries": "torch:torch_cpu:c10",
        "library_folder": "" if prefix == "/usr" else folder,
        "version": version_of(prefix),
        "cxx11_abi": cxx11_abi(folder + "/libc10.so"),
        "loaded_as": soname(folder + "/libtorch_cpu.so"),
    }


def main():
    source_root, wanted = sys.argv[1:3]
    pythons = [source_root + "/.venv/bin/python", "python3"]
    folders = {python: python_torch(python) for python in pythons}
    interpreter = next((python for python in pythons if folders[python]), "")
    places = [wanted.rstrip("/") or "/"] if wanted else [f for f in folders.values() if f] + ["/usr"]
    reasons = [] if wanted or interpreter else ["neither .venv nor python3 has the package torch"]
    for place in places:
        answer = look(place)
        if isinstance(answer, dict):
            break
        reasons.append(f"{place}: {answer}")
    else:
        answer = {"found": "no", "reason": "; ".join(reasons)}
    answer["python"] = interpreter
    for key, value in answer.items():
        print(f"{key}={value}")


main()
