#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hostile surroundings: full disks, planted files, names that want to be paths, programs with more rights than their
callers, no /proc, system calls that are forbidden, clocks that cannot be trusted.

usage: hostile_check.py DRIVER CONFIG_SOURCE [plain]

With `plain` also what no sanitizer bears: foreign mounts, strace, forbidden system calls.
"""
import glob
import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "support"))
from tap_cases import Skip, after_each, case, check, clean_environment, finish

driver, config_source, *is_plain = sys.argv[1:]
driver = os.path.abspath(driver)
RUN_FORMATS, TABLES = ("txt", "prof", "json", "pftrace"), ("txt", "prof", "json")
FILES = len(RUN_FORMATS) + len(TABLES)  # of a run, and of one function
started = []


def stop_what_was_started():
    for program in started:
        program.kill()
    started.clear()


after_each.append(stop_what_was_started)


def environment(**variables):
    return {**clean_environment(), "PROFCORE_NAME": "run", **variables}


class Program:
    """The driver, in a folder, perhaps below another command; each call is a command and returns its answer."""

    def __init__(self, folder, *around, user=None, **variables):
        self.process = subprocess.Popen([*around, driver], cwd=folder, env=environment(**variables), text=True, user=user,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        started.append(self.process)

    def ask(self, *commands):
        for command in commands:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline().strip()
        return answer

    def do(self, *commands):
        for command in commands:
            answer = self.ask(command)
            check(answer == "PROF_OK", f"{command}: {answer or self.process.communicate()[1]}")

    def end(self):
        """Ends its input; what it said on stderr."""
        _, said = self.process.communicate(timeout=60)
        check(self.process.returncode == 0, f"status {self.process.returncode}: {said}")
        return said


def run(folder, *commands, around=(), user=None, **variables):
    program = Program(folder, *around, user=user, **variables)
    program.do(*commands)
    return program.end()


def files(folder, pattern="profiling_results/*"):
    return sorted(glob.glob(os.path.join(folder, pattern)) + glob.glob(os.path.join(folder, "profiling_results/.*")))


def names(folder):
    return [os.path.basename(path) for path in files(folder)]


def summary(folder, name="run"):
    return json.loads(pathlib.Path(files(folder, f"profiling_results/{name}_*.json")[0]).read_text(encoding="utf-8"))


def need_root():
    if os.geteuid() != 0:
        raise Skip("needs root")


def need_plain(tool=None):
    if not is_plain:
        raise Skip("a sanitizer does not bear it; the plain build runs this case")
    if tool is not None and shutil.which(tool) is None:
        raise Skip(f"{tool} is not installed")


def mounted(*mounts):
    """A command that runs another one with these mounts, which nobody else sees."""
    need_plain("unshare")
    around = ("unshare", "-m", "sh", "-ec", " && ".join(mounts) + ' && exec "$0" "$@"')
    if subprocess.run([*around, "true"], capture_output=True).returncode != 0:
        raise Skip("needs the right to mount")
    return around


# ---- a full disk ----

@case("a_full_disk_is_an_error_that_leaves_nothing_half_and_saving_works_again_when_there_is_room")
def _(folder):
    disk = os.path.join(folder, "disk")
    os.mkdir(disk)
    program = Program(folder, *mounted(f"mount -t tmpfs -o size=1m none {disk}", f"cd {disk}"))
    seen = f"/proc/{program.process.pid}/root{disk}"
    program.do("start", "work", "save")
    check(len(names(seen)) == FILES, names(seen))
    before = {path: pathlib.Path(path).read_bytes() for path in files(seen)}
    program.do("work", "fill full")
    for _ in range(2):
        answer = program.ask("save")
        check(answer.startswith("PROF_E_IO") and "No space left on device" in answer, answer)
        check({path: pathlib.Path(path).read_bytes() for path in files(seen)} == before, "the files of the first save")
    answer = program.ask("write json written.json")
    check(answer.startswith("PROF_E_IO") and "written.json" in answer, answer)
    check(sorted(os.listdir(seen)) == ["full", "profiling_results"], os.listdir(seen))
    program.do("remove full", "save")
    check(len(names(seen)) == FILES and sum(f["calls"] for f in summary(seen)["functions"] if f["name"] == "work") == 2, names(seen))
    # More than the disk holds, at the exit as well: the files go elsewhere.
    program.do("sites 5000", "work")
    check(program.ask("save").startswith("PROF_E_IO"), "2 MiB on a disk of 1 MiB")
    check(len(names(seen)) == FILES, names(seen))
    program.ask("stop")
    said = program.end()
    check("No space left on device" in said, said)
    shutil.rmtree(re.search(r"wrote (\S+)/run_", said).group(1))


@case("a_limit_on_the_size_of_files_is_an_error_and_saving_works_again_when_it_is_raised")
def _(folder):
    program = Program(folder)
    program.do("start", "work", "limit 300")
    answer = program.ask("save")
    check(answer.startswith("PROF_E_IO") and "File too large" in answer and names(folder) == [], (answer, names(folder)))
    program.do("limit -1", "save", "stop")
    check(len(names(folder)) == FILES, names(folder))
    program.end()


# ---- planted files ----

def plant(folder, make):
    """Puts something at every name that a save of the next seconds would take."""
    os.makedirs(os.path.join(folder, "profiling_results"), exist_ok=True)
    now = int(time.time())
    planted = [os.path.join(folder, f"profiling_results/{name}_{second}.{format_}") for name in ("run", "work")
               for second in range(now, now + 20) for format_ in RUN_FORMATS]
    for path in planted:
        make(path)
    return set(planted)


def check_planted(folder, make, what):
    planted = plant(folder, make)
    program = Program(folder)
    drafts = [os.path.join(folder, f"profiling_results/.profcore-{program.process.pid}-{i}.tmp") for i in range(8)]
    for path in drafts:
        make(path)
    program.do("start", "work", "save", "save", "stop")
    program.end()
    made = set(files(folder)) - planted - set(drafts)
    check(len(made) == FILES and all("-2." in path for path in made), f"{what}: {sorted(made)}")
    for path in made:
        found = os.lstat(path)
        check(stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and found.st_mode & 0o777 == 0o600, f"{what}: {path}")


@case("planted_links_pipes_and_hard_links_are_neither_followed_nor_replaced")
def _(folder):
    target, gone = os.path.join(folder, "target"), os.path.join(folder, "gone")
    pathlib.Path(target).write_text("mine", encoding="ascii")
    for what, make in (("links", lambda path: os.symlink(target, path)), ("dangling links", lambda path: os.symlink(gone, path)),
                       ("hard links", lambda path: os.link(target, path)), ("pipes", os.mkfifo), ("folders", os.mkdir)):
        inner = os.path.join(folder, what.replace(" ", "_"))
        os.mkdir(inner)
        check_planted(inner, make, what)
        check(pathlib.Path(target).read_text(encoding="ascii") == "mine" and not os.path.exists(gone), what)


@case("a_snapshot_written_to_a_planted_link_replaces_the_link_and_a_pipe_is_refused")
def _(folder):
    target = os.path.join(folder, "target")
    pathlib.Path(target).write_text("mine", encoding="ascii")
    os.symlink(target, os.path.join(folder, "link"))
    os.mkfifo(os.path.join(folder, "pipe"))
    program = Program(folder)
    program.do("start", "work", "write json link")
    check(pathlib.Path(target).read_text(encoding="ascii") == "mine", "the link's target")
    check(not os.path.islink(os.path.join(folder, "link")), "the link is still there")
    answer = program.ask("write json pipe")
    check(answer.startswith("PROF_E_IO") and "not a regular file" in answer, answer)
    program.end()


@case("in_a_strangers_folder_and_in_a_shared_one_files_are_the_users_own_and_private")
def _(folder):
    need_root()
    for mode, owner in ((0o1777, 0), (0o777, 1234)):
        shared = os.path.join(folder, f"shared{owner}")
        os.mkdir(shared)
        os.chmod(shared, mode)
        os.chown(shared, owner, owner)
        try:
            run(folder, "start", "work", "save", "stop", user=65534, PROFCORE_DIR=shared)
        except PermissionError:
            raise Skip("another user cannot reach the program's folder") from None
        for name in os.listdir(shared):
            found = os.lstat(os.path.join(shared, name))
            check((found.st_uid, found.st_mode & 0o777) == (65534, 0o600), name)
        check(len(os.listdir(shared)) == FILES, os.listdir(shared))


@case("whatever_the_umask_nobody_else_can_read_a_file_or_write_into_a_folder")
def _(folder):
    run(folder, "start", "work", "stop", around=("sh", "-c", 'umask 0; exec "$0"'), PROFCORE_DIR="deep/profiling_results")
    for path in ("deep", "deep/profiling_results"):
        check(os.stat(os.path.join(folder, path)).st_mode & 0o022 == 0, path)
    found = glob.glob(os.path.join(folder, "deep/profiling_results/*"))
    check(len(found) == FILES and all(os.stat(path).st_mode & 0o777 == 0o600 for path in found), found)


@case("every_file_is_opened_exclusively_without_following_links_and_closed_on_exec")
def _(folder):
    need_plain("strace")
    log = os.path.join(folder, "strace")
    run(folder, "start", "work", "save", "write txt written.txt", "stop",
        around=("strace", "-f", "-o", log, "-e", "trace=open,openat,openat2,creat,memfd_create,dup,socket"))
    text = pathlib.Path(log).read_text(encoding="utf-8", errors="replace")
    if "openat(" not in text:
        raise Skip("strace sees nothing here")
    ours = [line for line in text.splitlines()
            if re.search(r"profcore|profiling_results|written|/proc/self|clocksource|\.tmp", line)]
    check(len(ours) > 10, ours)
    for line in ours:
        check("O_CLOEXEC" in line, line)
        if re.search(r"O_WRONLY|O_RDWR|O_CREAT", line):
            check("O_EXCL" in line and "O_NOFOLLOW" in line and ", 0600)" in line, line)


# ---- names ----

HOSTILE = ["../../etc/passwd", "/etc/shadow", "..", ".", ".hidden", "a\nb", "a\rb", "%n%s%n", "x" * 65536, "y" * 65536 + "1",
           "con", "-rf", "a;rm -rf .", "$(reboot)", "`reboot`", "~root", "a/../../b", "name\t", "\u202egnp.exe", "a\u200bb",
           "ab", "\ufeffab", "</script><!--", "\u2028"]


@case("names_never_become_paths")
def _(folder):
    raw = [text.encode("utf-8") for text in HOSTILE] + [b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x1b[2J"]
    program = Program(folder)
    program.do("start")
    for name in raw:
        program.do("name " + name.hex())
    answer = program.ask("name 610062")
    check(answer.startswith("PROF_E_INVALID") and "NUL at byte 1" in answer, answer)
    program.do("stop")
    program.end()
    check(os.listdir(folder) == ["profiling_results"], os.listdir(folder))
    found = names(folder)
    check(len(found) == len(TABLES) * len(raw) + len(RUN_FORMATS), f"{len(found)} files for {len(raw)} names")
    for name in found:
        check(re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*_\d+\.(txt|prof|json|pftrace)", name) and len(name) < 140, name)
    shown = [function["name"] for function in summary(folder)["functions"]]
    check(len(set(shown)) == len(raw), "names that differ must not become one")
    for name in shown:
        check(not re.search("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|</|<!", name), repr(name))


@case("a_runs_name_never_becomes_a_path")
def _(folder):
    for i, name in enumerate(HOSTILE):
        inner = os.path.join(folder, str(i))
        os.mkdir(inner)
        said = run(inner, "start", "work", "stop", PROFCORE_NAME=name)
        check(os.listdir(inner) == ["profiling_results"] and len(names(inner)) == FILES, (name[:40], os.listdir(inner), names(inner)))
        check(len(name) < 300 or "PROFCORE_NAME=" in said and len(said) < 2000, said)


# ---- rights ----

def hostile_variables(folder):
    """Every variable that the library knows, each with a value that would show."""
    known = set(re.findall(r'"(PROFCORE(?:_[A-Z_]+)?)"', pathlib.Path(config_source).read_text(encoding="utf-8")))
    check({"PROFCORE", "PROFCORE_DIR", "PROFCORE_SIGNALS"} <= known, known)
    values = {name: "%n nonsense" for name in known | {"PROFCORE_UNKNOWN"}}
    return {**values, "PROFCORE": "1", "PROFCORE_DIR": folder, "PROFCORE_NAME": "stolen", "TMPDIR": folder}


def check_secure(folder, copy, **how):
    """A program with more rights than its caller takes its own options, and nothing from the environment."""
    where = os.path.join(folder, "where")
    os.mkdir(where)
    os.chmod(where, 0o777)
    commands = "start\nwork\nwrite txt /nowhere/x\nsave\nstop\n"
    done = subprocess.run([copy], cwd=where, env={**environment(), **hostile_variables(os.path.join(folder, "taken"))}, text=True,
                          input=commands, capture_output=True, timeout=60, **how)
    if "LeakSanitizer has encountered a fatal error" in done.stderr:
        raise Skip("LeakSanitizer cannot run in such a program; the plain build runs this case")
    found = names(where)
    check(done.returncode == 0 and len(found) == FILES and all(re.match("driver_|work_", name) for name in found), (done, found))
    check("PROFCORE" not in done.stderr and "stolen" not in done.stdout + done.stderr, done)
    check(not os.path.exists(os.path.join(folder, "taken")), "PROFCORE_DIR was obeyed")


@case("a_set_user_id_program_ignores_every_variable")
def _(folder):
    need_root()
    copy = os.path.join(folder, "driver")
    shutil.copy(driver, copy)
    os.chown(copy, 65534, 65534)
    os.chmod(copy, 0o4755)
    check_secure(folder, copy)


@case("a_program_with_file_capabilities_ignores_every_variable")
def _(folder):
    need_root()
    copy = os.path.join(folder, "driver")
    shutil.copy(driver, copy)
    os.chmod(copy, 0o755)
    if shutil.which("setcap") is None:
        raise Skip("setcap is not installed")
    if subprocess.run(["setcap", "cap_net_raw+ep", copy], capture_output=True).returncode != 0:
        raise Skip("the file system keeps no capabilities")
    try:
        check_secure(folder, copy, user=65534)
    except PermissionError:
        raise Skip("another user cannot reach the program's folder") from None


# ---- what is missing ----

def check_unavailable(folder):
    found = summary(folder)
    work = next(f for f in found["functions"] if f["name"] == "work")
    check(found["memory"] is None or found["memory"]["rss_bytes"] > 0 and found["memory"]["rss_peak_bytes"] != 0, found["memory"])
    check(found["memory"] is not None or found["unavailable"]["memory"], "the reason")
    check(work["memory"] is None or work["memory"]["rss_peak_bytes"] > 0, work["memory"])
    check(found["recorded_ns"] > 0 and work["calls"] == 1, work)
    return found, work


@case("without_proc_memory_is_unavailable_and_all_else_is_there")
def _(folder):
    run(folder, "start", "work", "save", "stop", around=mounted("mount -t tmpfs none /proc"))
    found, work = check_unavailable(folder)
    check(found["memory"] is None and work["memory"] is None, (found["memory"], work["memory"]))
    text = pathlib.Path(files(folder, "profiling_results/run_*.txt")[0]).read_text(encoding="utf-8")
    check("Resident memory of the process: unavailable" in text, text)
    check(re.search(r"unavailable +unavailable +work", text) or re.search(r"unavailable.*work", text), text)


@case("a_clock_that_the_kernel_does_not_trust_is_not_used")
def _(folder):
    source = "/sys/devices/system/clocksource/clocksource0"
    if not os.path.exists(source):
        raise Skip("no clocksource is told here")
    for current, available in (("hpet", "hpet acpi_pm"), ("kvm-clock", "kvm-clock"), ("", ""), ("x" * 4096, "tsc")):
        inner = tempfile.mkdtemp(dir=folder)
        for name, text in (("current", current), ("available", available)):
            pathlib.Path(inner, name).write_text(text + "\n", encoding="ascii")
        run(inner, "start", "work", "stop", around=mounted(f"mount --bind {inner}/current {source}/current_clocksource",
                                                           f"mount --bind {inner}/available {source}/available_clocksource"))
        clock = summary(inner)["clock"]
        check((clock["source"], clock["hz"], clock["steady"]) == ("vdso", 1000000000, True), (current[:10], clock))
    inner = tempfile.mkdtemp(dir=folder)
    run(inner, "start", "work", "stop", around=mounted("mount -t tmpfs none /sys"))
    check(summary(inner)["clock"]["source"] == "vdso", "without /sys")
    inner = tempfile.mkdtemp(dir=folder)
    run(inner, "start", "work", "stop", around=mounted("mount -t tmpfs none /sys"), PROFCORE_CLOCK="tsc")
    check(summary(inner)["clock"]["source"] != "tsc" or not summary(inner)["clock"]["steady"], "forced, but not called steady")


def system_calls():
    """Numbers of what the library calls, by name, as the C compiler's headers give them; not futex and brk, without which libc
    itself ends the process."""
    wanted = ("open openat read pread64 write fsync close stat fstat newfstatat statx lseek mkdir mkdirat rename renameat renameat2 "
              "link linkat unlink unlinkat rmdir getrusage uname clock_nanosleep nanosleep gettid getpid rt_sigprocmask rt_sigaction "
              "rt_sigpending rt_sigtimedwait mmap munmap mprotect madvise clone clone3 prctl getrandom sysinfo ioctl fcntl").split()
    text = "#include <sys/syscall.h>\n" + "".join(f"#ifdef SYS_{name}\n@{name} SYS_{name}\n#endif\n" for name in wanted)
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise Skip("no C compiler tells the numbers of system calls")
    done = subprocess.run([compiler, "-E", "-P", "-"], input=text, capture_output=True, text=True, check=True)
    return {name: int(value) for name, value in re.findall(r"^@(\w+) (\d+)$", done.stdout, re.M)}


@case("any_system_call_may_be_forbidden")
def _(folder):
    need_plain()
    numbers = system_calls()
    check(len(numbers) > 30, numbers)
    unheard = ("write", "read")  # the driver itself needs them
    for name, value in numbers.items():
        inner = os.path.join(folder, name)
        os.mkdir(inner)
        program = Program(inner, PROFCORE_SAVE_EVERY="3600")
        program.do("work")
        if name in unheard:
            program.process.communicate(f"deny {value}\nstart\nwork\nsave\nstop\n", timeout=60)
            check(program.process.returncode == 0, f"{name}: status {program.process.returncode}")
            continue
        if program.ask(f"deny {value}").startswith("PROF_E_UNSUPPORTED"):
            raise Skip("no filter for system calls here")
        answers = [program.ask(command) for command in ("start", "work", "save", "stop")]
        for answer in answers:
            check(answer == "PROF_OK" or re.match(r"PROF_E_(IO|NO_MEMORY|INVALID|LIMIT|UNAVAILABLE) \S", answer), f"{name}: {answers}")
        program.end()
        if files(inner, "profiling_results/run_*.json"):
            check_unavailable(inner)


finish()
