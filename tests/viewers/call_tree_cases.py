# SPDX-License-Identifier: Apache-2.0
"""Call trees in pprof, callgrind_annotate and speedscope."""

import json
import re
import shutil

import fetch
import snakeviz_check
import speedscope_check
from perfetto_cases import Timelines
from profile_readers import callgrind_key, collapsed_name
from viewer_common import TREES, Failure, run


def nanoseconds(text):
    """A time as speedscope shows it, rounded to what it shows of it."""
    number, unit = re.fullmatch(r"([\d.]+)(ns|µs|ms|s)", text).groups()
    return rounded(float(number) * {"ns": 1, "µs": 1e3, "ms": 1e6, "s": 1e9}[unit])


def rounded(value):
    """The same of a number of nanoseconds."""
    unit = next((unit for unit in (1e9, 1e6, 1e3) if value >= unit), 1)
    return f"{value / unit:.2f}", unit


class CallTrees(Timelines):
    def need_pprof(self):
        self.pprof = fetch.pprof(self.build / "viewers")

    def need_callgrind_annotate(self):
        if shutil.which("callgrind_annotate") is None:
            raise fetch.Missing("there is no callgrind_annotate, which is part of Valgrind")

    def need_speedscope(self):
        snakeviz_check.need_packages("playwright")
        snakeviz_check.find_browser()
        self.pages = speedscope_check.fetch_pages(self.build / "viewers")

    def compare(self, shown, wanted, what):
        if shown != wanted:
            raise Failure(f"{what}: shown and not recorded {[row for row in shown.items() if row not in wanted.items()]}, "
                          f"recorded and not shown {[row for row in wanted.items() if row not in shown.items()]}")  # fmt: skip

    def pprof_top(self, file, *options):
        """What `go tool pprof -top` prints: {name: [flat, cum]}."""
        command = [self.pprof, "-top", "-nodecount=1000000", "-nodefraction=0", *options, file]
        rows = re.findall(r"^ *(\d+)(?:ns|B)? +[\d.]+% +[\d.]+% +(\d+)(?:ns|B)? +[\d.]+%  (.*)$", run(command, self.folder), re.M)
        return {name: [int(flat), int(cum)] for flat, cum, name in rows}

    def pprof_prints_the_figures_of_the_summary(self):
        for stem, figures in (*map(self.tree, TREES), self.hostile()):
            file = stem.with_suffix(".pprof")
            times = {name: [own, total] for (name, _, _), (_, own, total) in figures.items() if total != 0}
            self.compare(self.pprof_top(file, "-unit=nanoseconds"), times, f"{stem.name}: times")
            totals = [row[1] for row in self.pprof_top(file, "-unit=nanoseconds", "-cum").values()]
            if totals != sorted(totals, reverse=True):
                raise Failure(f"{stem.name}: -cum sorts {totals}")
            calls = {name: flat for name, (flat, _) in self.pprof_top(file, "-sample_index=calls").items()}
            self.compare(calls, {name: count for (name, _, _), (count, _, _) in figures.items()}, f"{stem.name}: calls")

    def pprof_prints_gpu_time_kernels_and_copied_bytes(self):
        """embed > attention > attention > gemm, and gemm on two paths more; what overlaps counts for each."""
        names = ("embed", "attention", "gemm", "rerank")
        paths = [(None, 0), (0, 1), (1, 1), (2, 2), (1, 2), (None, 3), (5, 2)]
        work = [(700, 6, 0), (500, 4, 0), (300, 2, 0), (200, 1, 0), (100, 1, 0), (90, 1, 4096), (40, 1, 0)]
        functions = [{"id": number, "name": name, "calls": 3, "primitive_calls": 3, "open_calls": 0, "self_ns": 5, "cumulative_ns": 9}
                     for number, name in enumerate(names)]  # fmt: skip
        summary = {"schema": "profcore.summary/1", "name": "gpu", "functions": functions, "edges": [],
                   "paths": [[parent, function, 1, 9] for parent, function in paths],
                   "gpu": {"status": "on", "traced_ns": 5000, "busy_ns": 650, "kernels": 7, "copies": 1, "attributed": 8},
                   "gpu_paths": [{"path": number, "kernels": kernels, "kernel_ns": ns - 50 * (copied != 0), "busy_ns": ns - 9,
                                  "copy_ns": 50 * (copied != 0), "to_device_bytes": copied} for number, (ns, kernels, copied) in enumerate(work)]}  # fmt: skip
        source, file = self.folder / "gpu.json", self.folder / "gpu.pprof"
        source.write_text(json.dumps(summary))
        run([self.build / "tools" / "profcore", "convert", source, file], self.folder)
        wanted = {"gpu_time": {"embed": [200, 700], "attention": [200, 500], "gemm": [340, 340], "rerank": [50, 90]},
                  "gpu_kernels": {"embed": [2, 6], "attention": [2, 4], "gemm": [3, 3], "rerank": [0, 1]},
                  "gpu_copied": {"rerank": [4096, 4096]}}  # fmt: skip
        for value, rows in wanted.items():
            unit = ("-unit=nanoseconds",) if value == "gpu_time" else ("-unit=B",) if value == "gpu_copied" else ()
            self.compare(self.pprof_top(file, f"-sample_index={value}", *unit), rows, value)

    def a_wrong_figure_would_be_noticed_in_pprof(self):
        stem, figures = self.tree("recursion")
        file = stem.with_suffix(".pprof")
        times = {name: [own, total] for (name, _, _), (_, own, total) in figures.items() if total != 0}
        data = bytearray(file.read_bytes())
        data[data.rindex(b"\x12\x04\x01\xd9\xe2\x01") + 3] += 1  # the last sample's values, 1 call and 29017 ns
        file.write_bytes(data)
        try:
            self.compare(self.pprof_top(file, "-unit=nanoseconds"), times, "changed")
        except Failure:
            return
        raise Failure("a nanosecond too many was not seen")

    def callgrind_annotate_prints_the_figures_of_the_summary(self):
        for stem, figures in (*map(self.tree, TREES), self.hostile()):
            wanted = {":".join(callgrind_key(name, file)[::-1]): row for (name, file, _), row in figures.items()}
            run_cost = {0: 0, 1: sum(own for _, own, _ in figures.values())}
            for is_inclusive in (0, 1):
                command = ["callgrind_annotate", "--threshold=100", "--auto=no", "--show-percs=no",
                           f"--inclusive={'yes' if is_inclusive else 'no'}", stem.with_suffix(".callgrind")]  # fmt: skip
                printed = run(command, self.folder)
                total, *rows = re.findall(r"^ *([\d,]+) {2,}(\S.*)$", printed, re.M)
                shown = {name: int(cost.replace(",", "")) for cost, name in rows}
                shown.pop(next(name for name in shown if re.fullmatch(r"\?\?\?:<(tree|hostile_tables)>", name)))
                self.compare(shown, {name: row[1 + is_inclusive] for name, row in wanted.items()}, f"{stem.name}: {command[4]}")
                if total != (f"{run_cost[1]:,}", "PROGRAM TOTALS"):
                    raise Failure(f"{stem.name}: {total}")

    def speedscope(self, file, picture):
        """What the sandwich table shows: {name: (total, self)}."""
        rows, complaints = speedscope_check.look(file, self.pages, self.screenshot(picture))
        if complaints:
            raise Failure(f"{file.name}: {complaints}")
        return {" ".join(name.split()): (total.partition(" ")[0], own.partition(" ")[0]) for total, own, name in rows}

    def spelled(self, figures, spell):
        return {" ".join(spell(name, file).split()): (total, own) for (name, file, _), (_, own, total) in figures.items() if total}

    def speedscope_shows_the_figures_of_the_summary(self):
        for case in ("recursion", "mutual recursion"):
            stem, figures = self.tree(case)
            wanted = self.spelled(figures, lambda name, _: collapsed_name(name))
            exact = {name: tuple(f"{value:,}" for value in row) for name, row in wanted.items()}
            self.compare(self.speedscope(stem.with_suffix(".collapsed"), f"{case}_collapsed"), exact, f"{case}: .collapsed")
            shown = self.speedscope(stem.with_suffix(".pprof"), f"{case}_pprof")
            wanted = self.spelled(figures, lambda name, _: name)
            self.compare({name: tuple(map(nanoseconds, row)) for name, row in shown.items()},
                         {name: tuple(rounded(value) for value in row) for name, row in wanted.items()}, f"{case}: .pprof")  # fmt: skip
        # Out of callers and callees speedscope makes a tree of its own, which has no place for mutual recursion.
        stem, figures = self.tree("recursion")
        shown = self.speedscope(stem.with_suffix(".callgrind"), "recursion_callgrind")
        shown.pop("<tree>")
        wanted = self.spelled(figures, lambda name, file: callgrind_key(name, file)[0])
        self.compare(shown, {name: tuple(f"{value:,}" for value in row) for name, row in wanted.items()}, ".callgrind")

    def speedscope_shows_hostile_names(self):
        stem, figures = self.hostile()
        spellings = {"collapsed": lambda name, _: collapsed_name(name), "pprof": lambda name, _: name,
                     "callgrind": lambda name, file: callgrind_key(name, file)[0]}  # fmt: skip
        for extension, spell in spellings.items():
            shown = set(self.speedscope(stem.with_suffix("." + extension), f"hostile_{extension}"))
            wanted = set(self.spelled(figures, spell))
            if extension == "callgrind":  # of which speedscope leaves out what took next to nothing
                wanted.discard("inside")
            if not wanted <= shown or len(shown - wanted) > 2 * (extension == "callgrind"):
                raise Failure(f".{extension}: not shown {wanted - shown}, not recorded {shown - wanted}")

    def speedscope_opens_the_trace_events(self):
        trace, _, _ = self.timeline("beyond", "trace.json")
        shown = self.speedscope(trace, "trace_events")  # of the first thread; arguments are part of a frame's name there
        if [(name.split()[0], times) for name, times in shown.items()] != [("batch", ("20.00ns", "20.00ns"))]:
            raise Failure(f"shown {shown}")

    cases = (
        (need_pprof, pprof_prints_the_figures_of_the_summary),
        (need_pprof, pprof_prints_gpu_time_kernels_and_copied_bytes),
        (need_pprof, a_wrong_figure_would_be_noticed_in_pprof),
        (need_callgrind_annotate, callgrind_annotate_prints_the_figures_of_the_summary),
        (need_speedscope, speedscope_shows_the_figures_of_the_summary),
        (need_speedscope, speedscope_shows_hostile_names),
        (need_speedscope, speedscope_opens_the_trace_events),
    )
