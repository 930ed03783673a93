# SPDX-License-Identifier: Apache-2.0
"""The pages of our own, in a browser."""

import json
import marshal
import re

import fetch
import html_check
import snakeviz_check
from perfetto_cases import Timelines
from viewer_common import HERE, HOSTILE, HOSTILE_FUNCTIONS, Failure, profile, run


class Pages(Timelines):
    def need_browser(self):
        snakeviz_check.need_packages("playwright")
        snakeviz_check.find_browser()

    def need_browser_and_fakes(self):
        self.need_browser()
        self.fakes = self.build / "tests" / "gpu"
        if not (self.fakes / "libcupti.so.13").exists():
            raise fetch.Missing("there is no GPU's fake: the build has not found the headers of CUPTI")

    def page(self, profile_file):
        """The page that the command line makes of a profile."""
        page = self.folder / f"{profile_file.stem}.html"
        run([self.build / "tools" / "profcore", "report", "--html", page, profile_file], self.folder)
        return page

    def opens(self, page):
        """Uses a page as a reader does; returns the rows of its table."""
        wrong, rows = html_check.check(page, screenshots=self.screenshots)
        if wrong:
            raise Failure("\n".join(wrong))
        return rows

    def summary(self, name, functions, paths):
        figures = {"file": "made.c", "calls": 1, "primitive_calls": 1, "self_ns": 1, "cumulative_ns": 1}
        file = self.folder / f"{name}.json"
        file.write_text(json.dumps({"schema": "profcore.summary/1", "name": name, "paths": paths, "functions": [
            {"id": i, "name": f"f{i}", "line": i, **figures, **more} for i, more in enumerate(functions)]}))  # fmt: skip
        return self.page(file)

    def page_shows_the_functions_of_hello(self):
        page = profile(self.build / "examples" / "hello", self.folder, "html")
        rows = self.opens(page)
        if sorted(row[0].split()[0] for row in rows) != ["fibonacci", "main", "round", "warm"]:
            raise Failure(f"rows: {rows}")
        with html_check.opened(page) as seen:
            data = seen.data()
            figures = {f["name"]: (f, data["percentiles"][f["id"]]) for f in data["summary"]["functions"]}
            function, percentiles = figures["fibonacci"]
            cells = next(row for row in rows if row[0].startswith("fibonacci"))
            shown = f"{function['calls']:,}/{function['primitive_calls']}"
            if cells[1] != shown or cells[6] != (f"{percentiles[0]} ns" if percentiles[0] < 1000 else f"{percentiles[0] / 1000:.2f} \xb5s"):
                raise Failure(f"fibonacci: {cells}, not {shown} and {percentiles}")
            if next(row for row in rows if row[0].startswith("main"))[6:9] != ["\u2013"] * 3:
                raise Failure("percentiles of one call")
            labels = [frame["label"].split(",")[0] for frame in seen.frames()]
            if labels[:3] != ["all", "main", "round"] or "fibonacci" not in labels:
                raise Failure(f"frames: {labels}")
            seen.page.fill("#search", "ROUND")
            if len(seen.rows()) != 1 or not any("match" in frame["kinds"] for frame in seen.frames()):
                raise Failure("round is not found")

    def page_shows_hostile_names_and_runs_none(self):
        program = self.folder / "hostile_page"
        self.compile(HERE / "hostile_names.c", program)
        rows = self.opens(profile(program, self.folder, "html"))
        missing = [name for name in HOSTILE if not any(name in row[0] for row in rows)]
        if len(rows) != HOSTILE_FUNCTIONS or missing:
            raise Failure(f"{len(rows)} rows, not {HOSTILE_FUNCTIONS}; missing {missing}")

    def page_shows_hostile_names_of_a_timeline_too(self):
        rows = self.opens(self.page(self.timeline("hostile")[0]))
        if not rows:
            raise Failure("no rows")

    def page_shows_the_slowest_request_on_its_threads_and_spans(self):
        program = self.folder / "picture"
        self.compile(HERE / "picture_main.c", program)
        written = profile(program, self.folder, "html", "pftrace")
        for page in (written, self.page(written.with_suffix(".pftrace"))):
            self.opens(page)
            with html_check.opened(page) as seen:
                about = seen.data()["slowest"]["about"]
                which = seen.page.inner_text("#which")
                if not which.startswith(f"request {about['request']}, request: ") or "the longest of 40" not in which:
                    raise Failure(which)
                tracks = [name.split(" (")[0] for name in seen.page.locator("#lanes .of").all_inner_texts()]
                if tracks != ["request", "encoder", "answerer"]:
                    raise Failure(f"tracks: {tracks}")
                labels = seen.page.eval_on_selector_all(html_check.SLICES, "all => all.map((one) => one.getAttribute('aria-label'))")
                names = {label.split(",")[0] for label in labels}
                if not names >= {"request", "encode", "tokenize", "layer", "attention", "answer", "search_index", "generate_token"}:
                    raise Failure(f"slices: {names}")
                bars = seen.page.locator("#span rect.bar").count()
                if page == written and (bars == 0 or "p50" not in seen.page.inner_text("#span")):
                    raise Failure("no histogram of spans")

    def page_shows_what_a_gpu_did_and_held(self):
        """Of a GPU that is none: 40 requests of six layers with two kernels each, 25 us; each holds 1 MiB meanwhile."""
        program = self.folder / "gpu"
        self.compile(HERE / "gpu_main.c", program)
        page = profile(program, self.folder, "html", LD_LIBRARY_PATH=str(self.fakes), PROFCORE_GPU="1", PROFCORE_GPU_BUDGET="100%",
                       PROFCORE_UTILIZATION_EVERY="10")  # fmt: skip
        self.opens(page)
        with html_check.opened(page) as seen:
            titles = seen.page.locator("#table thead th").all_inner_texts()
            rows = {row[0].split()[0]: dict(zip(titles, row, strict=True)) for row in seen.rows()}
            shown = {name: [row[title] for title in ("GPU busy", "GPU self", "kernels", "copied")] for name, row in rows.items()}
            if shown != {"request": ["6.08 ms", "0 ns", "480", "160.0 KiB"], "layer": ["6.00 ms", "6.00 ms", "480", "0 B"],
                         "copy_in": ["80.00 \xb5s", "80.00 \xb5s", "0", "160.0 KiB"]}:  # fmt: skip
                raise Failure(f"rows: {shown}")
            if rows["request"]["cuda:0.allocated peak"] != "1.0 MiB":
                raise Failure(f"memory: {rows['request']}")
            seen.page.hover("#flame .frame[aria-label^='layer,']")
            tip = seen.page.inner_text("#tip")
            if "GPU busy 6.00 ms, 480 kernels" not in tip:
                raise Failure(f"tip: {tip}")
            lanes = seen.page.locator("#lanes .lane .of").all_inner_texts()
            kernels = seen.page.locator("#lanes .slice[aria-label^='gemm,']").count()
            if "GPU 0 stream 7" not in lanes or kernels != 6:
                raise Failure(f"the slowest request is on {lanes}, with {kernels} of 6 kernels")
            told = seen.page.inner_text("#gpu")
            for part in ("busy for 6.08 ms of ", "480 kernels, 40 copies, 0 sets", "cuda:0", "CPU process"):
                if part not in told:
                    raise Failure(f"{part} is not in: {told}")
            if "cuda.pinned" in told or "failed" in seen.page.inner_text("#notes"):
                raise Failure(f"a pool without changes is told of: {told}")

    def page_states_of_the_run_what_the_table_states(self):
        file = profile(self.build / "examples" / "hello", self.folder, "json")
        table = run([self.build / "tools" / "profcore", "report", file], self.folder)
        facts = [line for line in table.splitlines() if re.match(r"   ([A-Z][a-z]+: |Resident memory)", line)]
        with html_check.opened(self.page(file)) as seen:
            page = seen.page.inner_text("#run").replace(",", "")
        missing = [number for line in facts for number in re.findall(r"\d+(?:\.\d+)?", line) if number not in page]
        if missing or len(facts) < 6:
            raise Failure(f"the page lacks {missing} of {facts}")

    def page_of_a_prof_says_why_there_is_no_tree(self):
        """Python's own, in which nothing but calls and times is known."""
        main, called = ("a.py", 1, "main"), ("a.py", 2, "called")
        prof = self.folder / "calls_only.prof"
        prof.write_bytes(marshal.dumps({main: (1, 1, 0.4, 1.0, {}), called: (3, 3, 0.6, 0.6, {main: (3, 3, 0.6, 0.6)})}))
        page = self.page(prof)
        rows = self.opens(page)
        if [row[6:9] for row in rows] != [["unavailable"] * 3] * 2:
            raise Failure(f"rows: {rows}")
        with html_check.opened(page) as seen:
            why, detail = seen.page.inner_text("#no-tree"), seen.page.inner_text("#detail")
            if "a .prof has functions and their callers" not in why or "called" not in detail or "600.00 ms" not in detail:
                raise Failure(f"{why}\n{detail}")

    def page_shows_a_recursion_a_thousand_levels_deep(self):
        depth = 1000
        page = self.summary("deep", [{}, {}], [[i - 1 if i else None, int(i == depth), 1, 10**9 - i] for i in range(depth + 1)])
        self.opens(page)
        with html_check.opened(page) as seen:
            seen.page.locator("#flame [tabindex='0']").focus()
            for _ in range(depth + 1):
                seen.page.keyboard.press("ArrowDown")
            if not seen.focused().startswith("f1,") or len(seen.frames()) > 100:
                raise Failure(f"{depth} levels down stands {seen.focused()}, among {len(seen.frames())} elements")

    def page_shows_many_paths_and_gathers_the_small_ones(self):
        """100,000 of them: below each of five wide frames, and of 15 narrow ones, there are 5,000."""
        paths = [[None, 0, 1, 10**12]] + [[0, i, 1, 10**11 if i < 6 else 5 * 10**8] for i in range(1, 21)]
        paths += [[1 + i % 20, i // 20, 1, 10**6] for i in range(100_000)]
        page = self.summary("wide", [{}] * 5000, paths)
        self.opens(page)
        with html_check.opened(page) as seen:
            frames = seen.frames()
            labels = [frame["label"] for frame in frames]
            wide = [f"f{i}, 100.00 s, 10.0 %" for i in range(1, 6)]
            if labels[2:] != [*wide, "+15 more, 7.50 s, 0.8 %", *["+5,000 more, 5.00 s, 0.5 %"] * 5]:
                raise Failure(f"frames: {labels}")
            if seen.page.inner_text("#shown") != "5,000 functions" or len(seen.rows()) != 100:
                raise Failure("the table is not cut")
            seen.page.click("#more")
            if len(seen.rows()) != 600:
                raise Failure("the table does not grow")

    def page_shows_numbers_above_53_bits_to_the_last_digit(self):
        most = {"calls": str(2**64 - 1), "primitive_calls": str(2**53 + 1), "self_ns": str(2**63)}
        rows = self.opens(self.summary("huge", [most], []))
        if rows[0][1] != "18,446,744,073,709,551,615/9,007,199,254,740,993":
            raise Failure(f"rows: {rows}")

    def a_page_with_a_script_among_its_data_runs_none_and_would_be_noticed(self):
        page = self.summary("escaping", [{}], [])
        text = page.read_text().replace('"name":"f0"', '"name":"</script><script>window.profcore_escaped=1</script>"')
        page.write_text(text)
        with html_check.opened(page) as seen:
            ran = not seen.page.evaluate(html_check.ESCAPED)
            if ran or not any("Content Security Policy" in complaint for complaint in seen.complaints):
                raise Failure(f"the script ran: {ran}; complaints: {seen.complaints}")

    cases = (
        (need_browser, page_shows_the_functions_of_hello),
        (need_browser, page_shows_hostile_names_and_runs_none),
        (need_browser, page_shows_hostile_names_of_a_timeline_too),
        (need_browser, page_shows_the_slowest_request_on_its_threads_and_spans),
        (need_browser_and_fakes, page_shows_what_a_gpu_did_and_held),
        (need_browser, page_states_of_the_run_what_the_table_states),
        (need_browser, page_of_a_prof_says_why_there_is_no_tree),
        (need_browser, page_shows_a_recursion_a_thousand_levels_deep),
        (need_browser, page_shows_many_paths_and_gathers_the_small_ones),
        (need_browser, page_shows_numbers_above_53_bits_to_the_last_digit),
        (need_browser, a_page_with_a_script_among_its_data_runs_none_and_would_be_noticed),
    )
