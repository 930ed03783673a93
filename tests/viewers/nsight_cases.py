# SPDX-License-Identifier: Apache-2.0
"""Timelines in Nsight Systems; what hostile names are to look like is what Perfetto reads."""

import collections

import fetch
import nsight_check
from perfetto_cases import Timelines
from viewer_common import Failure


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

    cases = (
        (need_nsight_systems, nsight_systems_imports_every_slice),
        (need_nsight_systems, nsight_systems_shows_spans_marks_and_hostile_names),
    )
