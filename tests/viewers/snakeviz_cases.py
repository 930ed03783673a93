# SPDX-License-Identifier: Apache-2.0
"""Tables in snakeviz."""

import marshal

import snakeviz_check
from viewer_common import HERE, HOSTILE, HOSTILE_FUNCTIONS, Failure, Maker, profile


class Snakeviz(Maker):
    def need_snakeviz(self):
        snakeviz_check.need_packages("snakeviz", "playwright")
        snakeviz_check.find_browser()

    def look(self, prof, names, picture):
        wrong, rows = snakeviz_check.check(prof, names, screenshot=self.screenshot(picture))
        if wrong:
            raise Failure("\n".join(wrong))
        return rows

    def snakeviz_shows_the_functions_of_hello(self):
        prof = profile(self.build / "examples" / "hello", self.folder)
        rows = self.look(prof, ["(main)", "(round)", "(fibonacci)", "(warm up)"], "hello")
        if rows != 4:
            raise Failure(f"{rows} rows, not 4")

    def snakeviz_shows_hostile_names_and_runs_none(self):
        program = self.folder / "hostile_names"
        self.compile(HERE / "hostile_names.c", program)
        rows = self.look(profile(program, self.folder), HOSTILE, "hostile_names")
        if rows != HOSTILE_FUNCTIONS:
            raise Failure(f"{rows} rows, not {HOSTILE_FUNCTIONS}")

    def snakeviz_draws_a_function_that_calls_nothing(self):
        source, program = self.folder / "alone.c", self.folder / "alone"
        source.write_text("#include <profcore/prof.h>\nint main(void) { PROF_FUNCTION(); return 0; }\n")
        self.compile(source, program)
        self.look(profile(program, self.folder), ["(main)"], "alone")

    def a_name_that_escapes_would_be_noticed(self):
        """What the library never writes: without this, the case before might pass for want of eyes."""
        main, name = ("a.c", 1, "main"), ("a.c", 2, "x</script><script>window.profcore_escaped=1</script>")
        prof = self.folder / "escaping.prof"
        prof.write_bytes(marshal.dumps({main: (1, 1, 0.1, 1.0, {}), name: (1, 1, 0.9, 0.9, {main: (1, 1, 0.9, 0.9)})}))
        if not snakeviz_check.look(prof).complaints:
            raise Failure("the page with the escaping name was found to be in order")

    cases = (
        (need_snakeviz, snakeviz_shows_the_functions_of_hello),
        (need_snakeviz, snakeviz_shows_hostile_names_and_runs_none),
        (need_snakeviz, snakeviz_draws_a_function_that_calls_nothing),
        (need_snakeviz, a_name_that_escapes_would_be_noticed),
    )
