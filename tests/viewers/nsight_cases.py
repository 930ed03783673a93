# SPDX-License-Identifier: Apache-2.0
"""Nsight Systems: timelines that it imports, whose hostile names are to look as in Perfetto, and programs that run under it."""

import collections
import json

import fetch
import nsight_check
from perfetto_cases import Timelines
from viewer_common import HERE, Failure


class NsightSystems(Timelines):
    def need_nsight_systems(self):
        self.nsys = fetch.nsys(self.build / "viewers" / "nsys")
        self.need_perfetto()

    def nsight_systems_imports_every_slice(self):
        for case in ("threads", "losses"):
            file, wanted, losses = self.timeline(case, "nvtxt")
            seen = nsight_check.look(file, self.nsys)
            slices = collections.Counter({(ts, dur, name): 0 for _, ts, dur, _, name, _, _ in wanted})
            for (_, ts, dur, _, name, _, _), count in wanted.items():
                slices[(ts, dur, name)] += count
            ranges = collections.Counter((start, end - start, name) for kind, start, end, _, name in seen if kind == "range")
            marks = [name for kind, _, _, _, name in seen if kind == "mark"]
            if ranges != slices:
                raise Failure(f"{case}: {ranges.total()} ranges, not {slices.total()}; missing {list((slices - ranges).items())[:3]}, "
                              f"too many {list((ranges - slices).items())[:3]}")  # fmt: skip
            if marks != [f"<profcore: {count} events lost>" for count in losses.values()]:
                raise Failure(f"{case}: marks {marks}, losses {losses}")
            if len({thread for _, _, _, thread, _ in seen}) != len({row[0] for row in wanted}):
                raise Failure(f"{case}: ranges are on {len({thread for _, _, _, thread, _ in seen})} threads")

    def nsight_systems_shows_spans_marks_and_hostile_names(self):
        file, _, _ = self.timeline("beyond", "nvtxt")
        seen = sorted((kind, start - 123456789012345, end - 123456789012345, name)
                      for kind, start, end, _, name in nsight_check.look(file, self.nsys))  # fmt: skip
        if seen != [("mark", 30, 30, "cache miss"), ("range", 10, 30, "batch"), ("range", 30, 60, "reply"),
                    ("span", 0, 60, "queue wait"), ("span", 10, 30, "queue wait")]:  # fmt: skip
            raise Failure(f"events are {seen}")
        rows = self.read(self.timeline("hostile")[0])[0]
        names = collections.Counter(row["name"].replace('"', "'") for row in rows)
        file, _, _ = self.timeline("hostile", "nvtxt")
        shown = collections.Counter(name for _, _, _, _, name in nsight_check.look(file, self.nsys))
        if shown != names:
            raise Failure(f"not shown {list(names - shown)[:3]}, not recorded {list(shown - names)[:3]}")

    def live(self, name, *command, **variables):
        """Runs a program under nsys: its ranges, and the rows of its own table by the name."""
        folder = self.folder / f"nsys-{name}"
        folder.mkdir()
        variables = {"PROFCORE_DIR": str(folder), "PROFCORE_NAME": name, "PROFCORE_FORMATS": "json", **variables}
        ranges = nsight_check.profile(command, self.nsys, folder, **variables)
        rows = collections.defaultdict(lambda: (0, 0))
        for file in folder.glob(f"{name}_*.json"):
            for row in json.loads(file.read_text())["functions"]:
                calls, total = rows[row["name"]]
                rows[row["name"]] = (calls + row["calls"], total + row["cumulative_ns"])
        return ranges, dict(rows)

    @staticmethod
    def agree(ranges, rows, *timed):
        """As many ranges as calls of each function; of some the times too, within 2 % or 1 us a call."""
        seen = {name.removeprefix("profcore:"): count for name, (count, _) in ranges.items()}
        if seen != {name: calls for name, (calls, _) in rows.items()}:
            raise Failure(f"ranges {seen}, calls {rows}")
        for name in timed:
            (calls, total), (_, shown) = rows[name], ranges[f"profcore:{name}"]
            if abs(shown - total) > max(total / 50, 1000 * calls):
                raise Failure(f"{name}: {calls} calls took {total} ns, and Nsight Systems shows {shown}")

    def need_nsys(self):
        self.nsys = fetch.nsys(self.build / "viewers" / "nsys")
        if b"without the headers of NVTX" in (self.build / "lib" / "libprofcore.so").read_bytes():
            raise fetch.Missing("the library is built without the headers of NVTX")

    def nsys_profile_shows_the_ranges_that_our_table_has(self):
        program = self.folder / "live_ranges"
        self.compile(HERE / "live_ranges.c", program)
        self.agree(*self.live("recorded", program, PROFCORE="1"), "outer", "inner")

    def nsys_profile_gets_ranges_and_no_files_are_written_where_nobody_asks_for_them(self):
        program = self.folder / "live_ranges_alone"
        self.compile(HERE / "live_ranges.c", program)
        ranges, rows = self.live("alone", program)
        if (sorted(ranges), rows) != (["profcore:inner", "profcore:outer"], {}):
            raise Failure(f"ranges {ranges}, files with {rows}")

    def need_service(self):
        self.need_nsys()
        self.service = self.build / "examples" / "rag_service"
        if not self.service.exists() or not (self.build / "models").is_dir():
            raise fetch.Missing("the retrieval service, or its models, is not built here")

    def nsys_profile_shows_the_retrieval_service(self):
        documents = self.folder / "documents.txt"
        documents.write_text("".join(f"{what} number {i}\n" for i in range(40) for what in ("a dog", "a cat", "rain")))
        questions = [word for question in ("what barks", "what purrs", "what is wet") for word in ("--query", question)]
        ranges, rows = self.live("service", self.service, "--models", self.build / "models", "--index", self.folder / "index",
                                 "--documents", documents, "--max-tokens", "4", *questions, PROFCORE="1")  # fmt: skip
        self.agree(ranges, rows, "embed_query", "get_response", "main")

    cases = (
        (need_nsight_systems, nsight_systems_imports_every_slice),
        (need_nsight_systems, nsight_systems_shows_spans_marks_and_hostile_names),
        (need_nsys, nsys_profile_shows_the_ranges_that_our_table_has),
        (need_nsys, nsys_profile_gets_ranges_and_no_files_are_written_where_nobody_asks_for_them),
        (need_service, nsys_profile_shows_the_retrieval_service),
    )
