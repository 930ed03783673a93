#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Libraries with sites are opened and closed at the same place; their names and counts stay exact.

usage: unload_check.py UNLOAD_MAIN TIMES PLUGIN_A PLUGIN_B LIBPROFCORE
"""
import json
import os
import sys

from exits_common import results, run, summary
from tap_cases import case, check, finish

program, times, *libraries = sys.argv[1:]


@case(f"two_libraries_opened_and_closed_{times}_times_at_one_place_never_get_each_others_counts")
def _(folder):
    done = run(folder, os.path.abspath(program), times, *[os.path.abspath(path) for path in libraries], limit_s=600, PROFCORE="1",
               PROFCORE_QUIET="1")
    check(done.returncode == 0, done)
    said = json.loads(done.stdout)
    check(said["same_place"] > said["visits"] // 2, f"only {said['same_place']} times at the same place")
    calls = said["visits"] * said["calls"]
    wanted = {"visit": 2 * said["visits"], "stays": said["stays"], "stays_inner": said["stays"], "after_closing": 1}
    for name in ("alpha", "gamma"):
        wanted |= {f"{name}_outer": calls, f"{name}_inner": calls, f"{name}_left_open": said["visits"]}
    check(summary(folder) == wanted, (summary(folder), wanted))
    with open(results(folder, "*.json")[0], encoding="utf-8") as text:
        whole = json.load(text)
    counters = {counter["name"]: counter["count"] for counter in whole["counters"]}
    check(counters == {"alpha_counter": calls, "gamma_counter": calls}, counters)
    units = {f["name"]: (f["items"]["count"], f["items"]["unit"]) for f in whole["functions"] if f["items"]}
    check(units == {f"{name}_outer": (calls, name + "s") for name in ("alpha", "gamma")}, units)
    check(whole["losses"]["repaired"] == 2 * said["visits"] and whole["losses"]["lost"] == 0, whole["losses"])
    print(f"# {said['same_place']} of {said['visits']} pairs at the same place, {said['stays']} calls beside them")


finish()
