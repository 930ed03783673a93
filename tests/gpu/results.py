# SPDX-License-Identifier: Apache-2.0
"""docs/gpu-results.md: what the checks of tests/gpu/run found, and where."""

import dataclasses
import pathlib

VERIFIED = "Verified on "
NOT_VERIFIED = "not verified: no GPU"
HEAD = """# What was measured on a GPU

Written by `tests/gpu/run`; do not edit. What each check is about stands in `tests/gpu/checks.py`.
"""


@dataclasses.dataclass
class Result:
    name: str
    status: str  # PASS, FAIL, SKIP
    figures: list[str]
    seconds: float = 0.0


def cell(text):
    return " ".join(str(text).split()).replace("|", "\\|")


def render(machine, results, when):
    """The page; `machine` has pairs of what there is and its version."""
    if not any(result.status in ("PASS", "FAIL") for result in results):
        why = "".join(f"- {cell(result.name)}: {cell('; '.join(result.figures))}\n" for result in results)
        return f"{HEAD}\n**{NOT_VERIFIED}** ({when}). Nothing of the following has been seen.\n\n{why}"
    lines = [HEAD, f"{VERIFIED}{when}. {count(results)}.", "", "| | |", "|---|---|"]
    lines += [f"| {cell(what)} | {cell(version)} |" for what, version in machine]
    lines += ["", "| check | | figures | s |", "|---|---|---|---|"]
    lines += [f"| {cell(r.name)} | {r.status} | {cell('; '.join(r.figures))} | {r.seconds:.0f} |" for r in results]
    return "\n".join(lines) + "\n"


def count(results):
    number = {status: sum(result.status == status for result in results) for status in ("PASS", "FAIL", "SKIP")}
    return f"{number['PASS']} passed, {number['FAIL']} failed, {number['SKIP']} skipped"


def write(path, page):
    """Puts the page there, unless it would replace what was verified by what was not; returns whether it did."""
    path = pathlib.Path(path)
    was_verified = path.exists() and VERIFIED in path.read_text(encoding="utf-8")
    if was_verified and VERIFIED not in page:
        return False
    path.write_text(page, encoding="utf-8")
    return True
