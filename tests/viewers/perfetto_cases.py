# SPDX-License-Identifier: Apache-2.0
"""Timelines in Perfetto: its own files, and Chrome's."""

import collections

import trace_check
from viewer_common import Failure, Maker, profile, run


class Timelines(Maker):
    """Makes timelines of which every slice is known, and reads them with Perfetto."""

    def need_perfetto(self):
        trace_check.find_node()
        self.engine = trace_check.fetch_engine(self.build / "viewers")

    def timeline(self, case, extension="pftrace"):
        """Makes a timeline; returns it, its slices and what is missing on which track, all as they must be."""
        trace = self.folder / f"{case}.{extension}"
        slices, missing = collections.Counter(), {}
        for line in run([self.build / "tests" / "timeline_main", case, trace], self.folder).splitlines():
            track, *fields = line.split("\t")
            if track in ("lost", "before"):
                missing[track, fields[0]] = int(fields[1])
            else:
                ts, dur, depth, name, file, number = fields
                slices[(track, int(ts), int(dur), int(depth), name, file or None, int(number) if file else None)] += 1
        return trace, slices, missing

    def read(self, trace, *queries):
        """What Perfetto reads, if it has nothing to complain about."""
        answers = trace_check.ask(trace, [trace_check.SLICES, *queries, trace_check.COMPLAINTS], self.engine)
        if answers[-1]:
            raise Failure(f"trace_processor complains: {answers[-1]}")
        return answers[:-1]


class Perfetto(Timelines):
    def shows(self, case, extension="pftrace"):
        """Reads a timeline, in which all must be as it was made; returns it."""
        trace, wanted, missing = self.timeline(case, extension)
        rows, processes = self.read(trace, "select name from process where pid != 0")
        for row in rows:
            if extension == "trace.json" and row["category"] != "profcore":  # where a site's file and line stand there
                row["file"], _, line = row["category"].rpartition(":")
                row["line"] = int(line)
        seen = collections.Counter(tuple(row[key] for key in ("track", "ts", "dur", "depth", "name", "file", "line"))
                                   for row in rows if row["lost"] is row["before"] is row["trigger"] is None)  # fmt: skip
        if seen != wanted:
            raise Failure(f"{seen.total()} slices, not {wanted.total()}; missing {list((wanted - seen).items())[:3]}, "
                          f"too many {list((seen - wanted).items())[:3]}")  # fmt: skip
        found = {(what, row["track"]): row[what] for row in rows for what in ("lost", "before") if row[what] is not None}
        if found != missing:
            raise Failure(f"{found} are said to be missing, not {missing}")
        if processes != [{"name": "timeline"}]:
            raise Failure(f"processes: {processes}")
        return trace

    def shows_beyond(self, extension, prefix, counter):
        trace, _, _ = self.timeline("beyond", extension)
        slices, arguments, flows, values = self.read(trace,
            f"select s.name, s.key as k, coalesce(s.i, s.r, s.t) as v from (select slice.id, name, substr(key, {len(prefix) + 1})"
            " as key, int_value as i, real_value as r, string_value as t from slice join args using (arg_set_id)"
            f" where key like '{prefix}%') s order by id, k",
            "select a.name as a, b.name as b from flow join slice a on slice_out = a.id join slice b on slice_in = b.id",
            "select name, ts - 123456789012345 as at, value from counter join counter_track t on track_id = t.id order by ts")  # fmt: skip
        seen = sorted((row["track"], row["ts"] - 123456789012345, row["dur"], row["depth"], row["name"]) for row in slices)
        wanted = [("main", 10, 20, 0, "batch"), ("main", 30, 0, 1, "cache miss"), ("queue wait", 0, 60, 0, "queue wait"),
                  ("queue wait", 10, 20, 0, "queue wait"), ("worker a", 30, 30, 0, "reply")]  # fmt: skip
        if seen != wanted:
            raise Failure(f"events are {seen}")
        if [tuple(row.values()) for row in arguments] != [
            ("batch", "model", "mini \u2039/script>"), ("batch", "request", 42), ("batch", "share", 0.25), ("batch", "size", -2),
            ("cache miss", "page", 4096), ("cache miss", "request", 42),
            ("reply", "request", "0af7651916cd43dd8448eb211c80319c")]:  # fmt: skip
            raise Failure(f"arguments are {arguments}")
        if flows != [{"a": "batch", "b": "reply"}]:
            raise Failure(f"flows are {flows}")
        if [tuple(row.values()) for row in values] != [(counter, 10, 3), (counter, 30, 1.5)]:
            raise Failure(f"values are {values}")

    def perfetto_shows_every_slice_at_its_time_and_depth_on_its_thread(self):
        self.shows("threads")

    def perfetto_shows_the_newest_events_and_how_many_are_lost(self):
        self.shows("losses")

    def perfetto_shows_instants_counters_spans_flows_arguments_and_requests(self):
        self.shows_beyond("pftrace", "debug.", "depth of queue")

    def perfetto_shows_the_samples_of_a_gpu_as_counters(self):
        fake = self.build / "tests" / "fake_gpu" / "libfake_nvml.so"
        if not fake.exists():
            raise Failure(f"there is no {fake}: build with the headers of NVML")
        folder = self.folder / "gpu"
        folder.mkdir()
        (folder / "libnvidia-ml.so.1").symlink_to(fake)
        (folder / "script").write_text("gpu NVIDIA H200|GPU-a\nrates 10/5 20/7 60/9\npower 100000 200000 600000\n")
        run([self.build / "tests" / "fake_gpu" / "usage_main", "samples", "3"], folder, PROFCORE_FORMATS="pftrace", PROFCORE_DIR=".",
            PROFCORE_NAME="gpu", FAKE_NVML="script", LD_LIBRARY_PATH=str(folder), CUDA_VISIBLE_DEVICES="0")  # fmt: skip
        trace, = folder.glob("gpu*.pftrace")
        rows, = self.read(trace, "select name, value from counter join counter_track t on track_id = t.id order by name, ts")[1:]
        values = collections.defaultdict(list)
        for row in rows:
            values[row["name"]].append(row["value"])
        for name, wanted in (("GPU 0 power (W)", [100, 200, 600]), ("GPU 0 utilization (%)", [10, 20, 60]),
                             ("GPU 0 memory utilization (%)", [5, 7, 9])):  # fmt: skip
            if values[name][:3] != wanted:
                raise Failure(f"{name}: {values[name]}")
        if not {"CPU process (%)", "CPU machine (%)"} <= set(values):
            raise Failure(f"counters are {list(values)}")

    def perfetto_shows_what_a_pool_held_over_time(self):
        trace = self.shows("pools")
        rows, = self.read(trace, "select name, ts - 123456789012345 as at, value from counter join counter_track t on track_id = t.id"
                                 " order by ts, counter.id")[1:]  # fmt: skip
        allocated, reserved = ([(row["at"], row["value"]) for row in rows if row["name"] == f"gpu:0 {level} (bytes)"]
                               for level in ("allocated", "reserved"))  # fmt: skip
        if len(allocated) + len(reserved) != len(rows) or not 4 <= len(allocated) < 200 or reserved[-1] != (1000000, 4000):
            raise Failure(f"counters are {rows}")
        if max(allocated, key=lambda one: one[1]) != (4003000, 3000) or allocated[-1] != (27000000, 700) or \
                allocated[-2][1] != 1000:  # fmt: skip
            raise Failure(f"allocated is {allocated}")

    def perfetto_shows_what_a_dump_found_open_and_why_it_was_made(self):
        trace = self.shows("dump")
        args = ("trigger", "reason", "scope", "limit_ns", "age_ns", "skipped_before")
        marks, = self.read(trace, "select slice.name, ts, dur, depth, thread.name as thread, " + ", ".join(
            f"extract_arg(slice.arg_set_id, 'debug.{arg}') as {arg}" for arg in args) + " from slice left join thread_track "
            "on thread_track.id = track_id left join thread using (utid) where trigger is not null order by depth")[1:]  # fmt: skip
        wanted = {"name": "<profcore: get_response is slow>", "dur": 0, "trigger": "slow", "reason": "a test",
                  "scope": "get_response", "limit_ns": 50, "age_ns": 105, "skipped_before": 3}  # fmt: skip
        if [row["thread"] for row in marks] != [None, "hung"] or [row["depth"] for row in marks] != [0, 2] or \
                any({key: row[key] for key in wanted} != wanted for row in marks):  # fmt: skip
            raise Failure(f"the marks are {marks}")

    def perfetto_shows_the_streams_of_a_gpu_as_tracks_with_an_arrow_from_each_launch(self):
        trace = self.shows("gpu")
        flows, nodes, lanes = self.read(trace,
            "select a.name as a, b.name as b, b.ts - a.ts as later from flow join slice a on slice_out = a.id join slice b on"
            " slice_in = b.id order by b.ts",
            "select slice.name, int_value as node from slice join args using (arg_set_id) where key = 'debug.graph node' order by node",
            "select track.name as name, count(distinct track_id) as lanes from slice join track on track_id = track.id"
            " where track.name like 'GPU%' group by 1 order by 1")[1:]  # fmt: skip
        if [tuple(row.values()) for row in flows] != [("launch", "copy host to device", 100), ("launch", "gemm", 195),
                                                      ("launch", "gemm", 285), ("launch", "softmax", 590)]:  # fmt: skip
            raise Failure(f"flows are {flows}")
        if [tuple(row.values()) for row in nodes] != [("copy host to device", 70), ("gemm", 71), ("softmax", 72), ("gemm", 73)]:
            raise Failure(f"nodes are {nodes}")
        if [tuple(row.values()) for row in lanes] != [("GPU 0 stream 7", 2), ("GPU 1 stream 7", 1)]:
            raise Failure(f"lanes are {lanes}")

    def perfetto_shows_the_same_of_a_timeline_that_was_read_and_written_again(self):
        """Tracks, slices with their arguments, flows and values; twice, and of a file that has lost events too."""
        queries = (
            "select coalesce(thread.name, track.name) as track, count(distinct track.id) as lanes, count(*) as slices, sum(dur) as ns,"
            " max(depth) as deepest from slice join track on track_id = track.id left join thread_track on thread_track.id = track.id"
            " left join thread using (utid) group by 1 order by 1",
            "select name, ts, dur, depth, key, display_value from slice left join args using (arg_set_id)"
            " where key is null or key <> 'source_location_iid' order by ts, name, dur, depth, key, display_value",
            "select a.name as a, a.ts as start, b.name as b, b.ts as end from flow join slice a on slice_out = a.id"
            " join slice b on slice_in = b.id order by a.ts, b.ts",
            "select name, ts, value from counter join counter_track t on track_id = t.id order by ts, name")  # fmt: skip
        for case in ("gpu", "beyond", "threads", "losses"):
            trace, _, _ = self.timeline(case)
            wanted = self.read(trace, *queries)
            for number in range(2):
                again = self.folder / f"{case}.{number}.pftrace"
                run([self.build / "tools" / "profcore", "convert", trace, again], self.folder)
                for one, other in zip(wanted[1:], self.read(again, *queries)[1:]):
                    if one != other:
                        raise Failure(f"{case}: {[row for row in other if row not in one][:3]}, not {[row for row in one if row not in other][:3]}")
                trace = again
        if not wanted[1] or not wanted[2]:
            raise Failure("there is nothing to compare")

    def perfetto_shows_every_slice_of_the_trace_events_too(self):
        self.shows("threads", "trace.json")
        self.shows("losses", "trace.json")

    def perfetto_shows_them_in_the_trace_events_too(self):
        self.shows_beyond("trace.json", "args.", "depth of queue value")

    def perfetto_shows_hostile_names_as_they_are(self):
        trace, _, _ = self.timeline("hostile")
        names = [row["name"] for row in self.read(trace)[0]]
        for part in ("script", 'quo"te', "back\\slash", "new\\n", "t\\tab", "nul\\x01", "\\xff", "\N{GRINNING FACE}", "%s%n%d",
                     "bidi", "NaN", "xxxx"):  # fmt: skip
            if not any(part in name for name in names):
                raise Failure(f"no name has {part!r} among {names}")

    def perfetto_shows_the_rounds_of_hello(self):
        rows = self.read(profile(self.build / "examples" / "hello", self.folder, "pftrace"))[0]
        depths = {row["name"]: row["depth"] for row in reversed(rows)}
        wanted = {"main": 0, "warm up": 1, "round": 1, "fibonacci": 2}
        if depths != wanted or len(rows) != 65693 or {row["track"] for row in rows} != {"hello"}:
            raise Failure(f"{len(rows)} slices, outermost at {depths}, on {({row['track'] for row in rows})}")

    def a_slice_that_is_missing_would_be_noticed(self):
        trace, wanted, _ = self.timeline("threads")
        cut = self.folder / "cut.pftrace"
        cut.write_bytes(trace.read_bytes()[:-5000])
        if len(trace_check.ask(cut, [trace_check.SLICES], self.engine)[0]) == wanted.total():
            raise Failure("a file that was cut shows as many slices")

    cases = (
        (Timelines.need_perfetto, perfetto_shows_every_slice_at_its_time_and_depth_on_its_thread),
        (Timelines.need_perfetto, perfetto_shows_the_newest_events_and_how_many_are_lost),
        (Timelines.need_perfetto, perfetto_shows_instants_counters_spans_flows_arguments_and_requests),
        (Timelines.need_perfetto, perfetto_shows_the_samples_of_a_gpu_as_counters),
        (Timelines.need_perfetto, perfetto_shows_what_a_pool_held_over_time),
        (Timelines.need_perfetto, perfetto_shows_what_a_dump_found_open_and_why_it_was_made),
        (Timelines.need_perfetto, perfetto_shows_the_streams_of_a_gpu_as_tracks_with_an_arrow_from_each_launch),
        (Timelines.need_perfetto, perfetto_shows_the_same_of_a_timeline_that_was_read_and_written_again),
        (Timelines.need_perfetto, perfetto_shows_every_slice_of_the_trace_events_too),
        (Timelines.need_perfetto, perfetto_shows_them_in_the_trace_events_too),
        (Timelines.need_perfetto, perfetto_shows_hostile_names_as_they_are),
        (Timelines.need_perfetto, perfetto_shows_the_rounds_of_hello),
        (Timelines.need_perfetto, a_slice_that_is_missing_would_be_noticed),
    )
