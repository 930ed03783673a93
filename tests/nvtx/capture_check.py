# SPDX-License-Identifier: Apache-2.0
"""PROFCORE_NVTX_CAPTURE=1: the NVTX ranges of a program that knows nothing of libprofcore, as scopes.

    capture_check.py LIBPROFCORE INJECTION CAPTURE_MAIN RANGES_MAIN VICTIM
"""
import glob
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "support"))
from tap_cases import case, check, clean_environment, equal, finish

GUARD_S = 120

if len(sys.argv) == 1:
    print("1..0 # SKIP built without the headers of NVTX")
    sys.exit(0)
library, injection, capture_main, ranges_main, victim = map(os.path.abspath, sys.argv[1:])


def run(folder, *command, **variables):
    clean = {name: value for name, value in clean_environment().items() if not name.startswith(("NVTX", "INJECTION"))}
    clean["ASAN_OPTIONS"] = f"{clean.get('ASAN_OPTIONS', '')}:verify_asan_link_order=0"  # preloaded, it comes before libasan
    given = {"PROFCORE_NVTX_CAPTURE": "1", "PROFCORE_DIR": folder, "PROFCORE_FORMATS": "json,pftrace", **variables}
    done = subprocess.run(command, cwd=folder, env={**clean, **given}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=GUARD_S)
    equal(done.returncode, 0, f"status of {command}: {done.stderr}")
    return done.stdout, done.stderr


def captured(folder, *arguments, **variables):
    """The summary of the program, which has the library preloaded, or None where nothing was recorded; and what it printed."""
    said, notices = run(folder, capture_main, *arguments, LD_PRELOAD=library, PROFCORE="1", **variables)
    found = glob.glob(os.path.join(folder, "*.json"))
    if not found:
        return None, said, notices
    with open(found[0], encoding="utf-8") as text:
        return json.load(text), said, notices


def calls(summary, file):
    return {function["name"]: function["calls"] for function in summary["functions"] if function["file"] == file}


@case("ranges_of_a_domain_are_scopes_whatever_form_their_names_have")
def _(folder):
    found = calls(captured(folder)[0], "nvtx:a")
    for name in ("ascii", "wide é € 😀", "registered", "(unnamed)"):
        equal(found.get(name), 10, f"calls of {name} in {found}")


@case("ranges_without_a_domain_are_scopes_and_levels_are_answered")
def _(folder):
    summary, said, _ = captured(folder)
    found = calls(summary, "nvtx")
    for name in ("push", "push wide", "push ex"):
        equal(found.get(name), 1, f"calls of {name} in {found}")
    equal(said, "levels 2 1 0 none\ntoo deep none\n", "answers")


@case("a_pop_of_another_domain_ends_no_scope_of_this_one")
def _(folder):
    summary, _, _ = captured(folder)
    equal(calls(summary, "nvtx:b"), {"inner of b": 1, "first of b": 1}, "of b")
    equal(calls(summary, "nvtx:a")["outer of a"], 1, "of a")
    (inside,) = [edge for edge in summary["edges"] if summary["functions"][edge["callee"]]["name"] == "inside first of b"]
    equal(summary["functions"][inside["caller"]]["name"], "first of b", "what is around")
    equal(summary["losses"]["unmatched"], 0, "unmatched")
    equal(summary["losses"]["repaired"], 2, "repaired: one in another's range, one on a thread that ended")


@case("payloads_are_arguments_and_marks_are_events")
def _(folder):
    captured(folder)
    (path,) = glob.glob(os.path.join(folder, "*.pftrace"))
    with open(path, "rb") as data:
        timeline = data.read()
    for text in (b"payload", b"mark wide"):
        check(text in timeline, f"no {text} in the timeline")


@case("started_ranges_are_spans_also_if_another_thread_ends_them")
def _(folder):
    spans = {span["name"]: span["count"] for span in captured(folder)[0]["spans"]}
    equal(spans, {"overlapping": 1, "overlapping wide": 1}, "spans")


@case("deep_and_hostile_ranges_are_recorded_or_harmless")
def _(folder):
    found = calls(captured(folder)[0], "nvtx")
    equal(found["deep"], 5000, "deep")
    equal(found["left open"], 1, "left open")
    equal(found["(unnamed)"], 3, "without a name")
    check(any(name.startswith("xxx") for name in found), "a long name")


@case("ranges_and_domains_are_bounded_and_what_is_not_received_is_counted")
def _(folder):
    deep, kept, spans_lost, domains, known = 20000, 16384, 6000 - 4096, 3000, 1024
    summary, _, notices = captured(folder)
    equal(calls(summary, "nvtx:bounds"), {"too deep": kept}, "received")
    (lost,) = [counter for counter in summary["counters"] if counter["name"] == "NVTX ranges not received"]
    equal(lost["last"], deep - kept + spans_lost, "counted")
    of_their_own = sum(function["name"] == "in many domains" and function["file"].startswith("nvtx:domain") for function in summary["functions"])
    check(known - 8 <= of_their_own <= known, f"{of_their_own} domains")
    equal(calls(summary, "nvtx")["in many domains"], domains - of_their_own, "ranges in none")
    equal(notices.count("more than 1024 domains"), 1, notices)


NAMES = 20000  # more than 2 MiB are enough for


def named_without_end(folder, what):
    """The summary of a program that makes a name for each of what it says through NVTX."""
    summary = captured(folder, what, PROFCORE_MEMORY="2MiB", PROFCORE_FORMATS="json")[0]
    equal((summary["losses"]["unmatched"], summary["losses"]["repaired"]), (0, 0), "unmatched and repaired")
    return summary


@case("ranges_for_whose_name_there_is_no_memory_are_lost_scopes_and_pops_end_the_right_ones")
def _(folder):
    summary = named_without_end(folder, "ranges")
    found, lost = calls(summary, "nvtx:many"), summary["losses"]["lost"]
    equal((found["around"], found["known"], found["(unnamed)"]), (2, 2, 1), "calls")
    check(0 < lost < 2 * NAMES, f"{lost} lost")
    equal(sum(function["calls"] for function in summary["functions"]) + lost, 2 * NAMES + 6, "recorded and lost")


@case("spans_for_whose_name_there_is_no_memory_are_counted")
def _(folder):
    summary = named_without_end(folder, "spans")
    lost = summary["losses"]["counter_values"]
    check(0 < lost < NAMES, f"{lost} lost")
    equal(sum(span["count"] for span in summary["spans"]) + lost, NAMES, "recorded and lost")


@case("marks_for_whose_name_there_is_no_memory_are_counted")
def _(folder):
    losses = named_without_end(folder, "marks")["losses"]
    check(0 < losses["counter_values"] < NAMES, f"losses {losses}")
    equal(losses["events"] + losses["counter_values"], NAMES, "issued and lost")


@case("without_being_asked_nothing_is_received")
def _(folder):
    equal(captured(folder, PROFCORE_NVTX_CAPTURE="0")[0], None, "a summary")


@case("where_a_tool_is_there_it_stays_and_that_is_said_once")
def _(folder):
    log = os.path.join(folder, "log")
    summary, _, notices = captured(folder, NVTX_INJECTION64_PATH=injection, INJECTION_LOG=log)
    equal(summary, None, "a summary")
    equal(notices.count("a tool receives them already"), 1, f"notices {notices}")
    with open(log, encoding="utf-8") as lines:
        equal(sum(line.startswith("push\t") for line in lines) >= 5000, True, "the tool's ranges")


@case("a_variable_inherited_from_a_parent_that_captures_is_no_tool")
def _(folder):
    summary, _, notices = captured(folder, NVTX_INJECTION64_PATH=library)
    equal(calls(summary, "nvtx")["deep"], 5000, "deep")
    check("tool" not in notices, notices)


@case("scopes_of_a_program_that_is_captured_do_not_come_back_to_it")
def _(folder):
    _, notices = run(folder, ranges_main, "own", PROFCORE="1")
    (path,) = glob.glob(os.path.join(folder, "*.json"))
    with open(path, encoding="utf-8") as text:
        found = {(function["name"], function["calls"]) for function in json.load(text)["functions"]}
    equal(found, {("mine", 1), ("ours", 1), ("mine inside", 1)}, "functions")


@case("the_static_library_says_that_it_cannot")
def _(folder):
    _, notices = run(folder, victim, PROFCORE="1")
    check("NVTX can load libprofcore.so only" in notices, f"notices {notices}")


finish()
