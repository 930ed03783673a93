#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The page, .html: one shell for every profile, allowed by its own hashes; and in it the summary, to the last digit.

usage: page_check.py CONVERT_MAIN GOLDEN_FOLDER

What a browser makes of it is seen by tests/viewers.
"""
import base64
import glob
import hashlib
import html.parser
import json
import math
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "support"))
from tap_cases import case, check, clean_environment, equal, finish

convert_main, golden = (os.path.abspath(path) for path in sys.argv[1:])
OPEN, CLOSE = '<script type="application/json" id="data">', "</script>\n<script>"


def convert(format, *files):
    done = subprocess.run([convert_main, format, *files], capture_output=True, env=clean_environment(), timeout=60)
    check(done.returncode == 0, done.stderr.decode("utf-8", "replace"))
    return done.stdout.decode("utf-8")


def parts(page):
    """What stands before, in and behind the data."""
    before, data = page.split(OPEN)
    data, after = data.split(CLOSE, 1)
    return before, data, after


def write(folder, run="made", **fields):
    """A summary of one function; `fields` are the function's, or facts."""
    function = {"id": 0, "name": "f", "file": "a.c", "line": 1, "calls": 1, "primitive_calls": 1, "self_ns": 5, "cumulative_ns": 5}
    function.update({key: fields.pop(key) for key in list(fields) if key in function or key in ("histogram", "min_ns", "max_ns", "items")})
    path = os.path.join(folder, "made.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"schema": "profcore.summary/1", "name": run, "functions": [function], **fields}, file, ensure_ascii=False)
    return path


def percentile(function, share):
    """As <profcore/snapshot.h> has it: ten calls above, the upper edge of the bucket, within the extremes."""
    pairs = [(index, int(count)) for index, count in function["histogram"] or []]
    ended = sum(count for _, count in pairs)
    if function["histogram"] is None or ended * (1 - share) < 10 - 1e-6:
        return None
    rank, below = math.ceil(ended * share - 1e-6), 0
    for index, count in pairs:
        below += count
        if below >= rank:
            break
    ns = ((index & 15) + 17 << (index >> 4) - 1) - 17
    if function["min_ns"] is not None:
        ns = max(int(function["min_ns"]), min(int(function["max_ns"]), ns))
    return ns


PROFILES = sorted(glob.glob(os.path.join(golden, "*.json")) + glob.glob(os.path.join(golden, "*.prof")))
PROFILES = [path for path in PROFILES if "expected" not in path]


@case("the_data_is_the_summary_of_the_same_profile_and_its_percentiles")
def _(folder):
    check(len(PROFILES) > 5, "no profiles to look at")
    percentiles = 0
    spread = write(folder, calls=20_000, histogram=[[index, 100] for index in range(100, 300)], min_ns=1000, max_ns=10 ** 7)
    for path in (*PROFILES, spread):
        data = json.loads(parts(convert("html", path))[1])
        equal(sorted(data), ["percentiles", "slowest", "span_percentiles", "summary", "version"], path)
        equal(data["slowest"], None, f"{path}: the slowest request of a summary")
        equal(data["summary"], json.loads(convert("json", path)), path)
        for function, row in zip(data["summary"]["functions"], data["percentiles"], strict=True):
            equal(row, [percentile(function, share) for share in (0.5, 0.9, 0.99, 0.999)], f"{path}: {function['name']}")
            percentiles += sum(ns is not None for ns in row)
        for span, row in zip(data["summary"]["spans"], data["span_percentiles"], strict=True):
            equal(row, [percentile(span, share) for share in (0.5, 0.9, 0.99, 0.999)], f"{path}: {span['name']}")
    check(percentiles > 3, "hardly a percentile was compared")


@case("a_tree_is_in_the_data_and_a_reason_where_there_is_none")
def _(folder):
    path = write(folder, paths=[[None, 0, 1, 5, 5]])
    equal(json.loads(parts(convert("html", path))[1])["summary"]["paths"], [[None, 0, 1, 5, 5]], "one path")
    summary = json.loads(parts(convert("html", PROFILES[-1]))[1])["summary"]
    check("paths" not in summary and ".prof" in summary["unavailable"]["paths"], str(summary)[:300])


@case("numbers_above_53_bits_and_what_is_unavailable_stay_what_they_are")
def _(folder):
    most = 2 ** 64 - 1
    path = write(folder, calls=str(most), primitive_calls=str(2 ** 53 + 1), histogram=[[800, str(2 ** 63)]], self_ns=2 ** 53)
    data = json.loads(parts(convert("html", path))[1])
    function = data["summary"]["functions"][0]
    equal([function[key] for key in ("calls", "primitive_calls", "self_ns", "histogram", "min_ns")],
          [str(most), str(2 ** 53 + 1), 2 ** 53, [[800, str(2 ** 63)]], None], "figures")
    equal(data["percentiles"], [[str((17 << 49) - 17)] * 4], "percentiles")


@case("the_page_around_the_data_is_the_same_for_every_profile")
def _(folder):
    shells = {(before, after) for before, _, after in (parts(convert("html", path)) for path in PROFILES)}
    equal(len(shells), 1, "shells")


class Elements(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.found, self.texts, self.is_inside = [], {}, False

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        self.is_inside = tag in ("style", "script")

    def handle_endtag(self, tag):
        self.is_inside = False

    def handle_data(self, text):
        if self.is_inside:
            self.texts.setdefault(len(self.found) - 1, []).append(text)


@case("the_policy_allows_the_style_sheet_and_the_script_of_the_page_by_their_hashes_and_nothing_else")
def _(folder):
    page = Elements()
    page.feed(convert("html", PROFILES[0]))
    policy = [dict(attributes)["content"] for tag, attributes in page.found if attributes.get("http-equiv") == "Content-Security-Policy"]
    hashes = {}
    for index, texts in page.texts.items():
        tag, attributes = page.found[index]
        digest = base64.b64encode(hashlib.sha256("".join(texts).encode()).digest()).decode()
        hashes.setdefault(tag + attributes.get("type", ""), []).append(f"'sha256-{digest}'")
    equal({tag: len(found) for tag, found in hashes.items()}, {"style": 1, "script": 1, "scriptapplication/json": 1}, "blocks")
    equal(policy, [f"default-src 'none'; style-src {hashes['style'][0]}; script-src {hashes['script'][0]}; base-uri 'none'; form-action 'none'"], "policy")
    first = [tag for tag, _ in page.found].index("style")
    check(any("http-equiv" in attributes for _, attributes in page.found[:first]), "the policy stands behind what it is for")


@case("the_page_refers_to_nothing_outside_and_has_no_way_from_text_to_markup")
def _(folder):
    before, _, after = parts(convert("html", PROFILES[0]))
    equal(set(re.findall(r"\w+://[^'\" ]+", before + after)), {"http://www.w3.org/2000/svg"}, "addresses")
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "DOMParser", "eval", "Function(", "setTimeout", "srcdoc",
                 "createContextualFragment", "import(", "fetch(", "XMLHttp", "localStorage", "@import", "url("):
        check(word not in before + after, f"{word} in the page")
    check(not re.search(r"\son\w+\s*=|\sstyle\s*=|\s(src|href)\s*=", re.sub(r"<style>.*</style>", "", before, flags=re.S)), "attributes")


HOSTILE = ("</script><script>alert(1)</script>", "<!--<script>", "--><img src=x onerror=alert(1)>", "&lt;/script&gt;", "]]>", "\u2028\u2029", "\\u003c/script>",
           "\"};alert(1);{\"", "</SCRIPT\n>", "__proto__", "\U0001f525\u4e2d", "${x}{{x}}", "\u202ecod.exe")


@case("no_text_leaves_the_data_or_is_anything_but_ascii_there")
def _(folder):
    shell = parts(convert("html", PROFILES[0]))[::2]
    for text in HOSTILE:
        probe = {"name": text, "unit": text, "kind": "gauge", "of": text, "failed": text}
        path = write(folder, run=text, root=text, name=text, file=text, host=text, threads=[{"tid": 1, "name": text}], probes=[probe],
                     items={"count": 1, "unit": text}, counters=[{"name": text, "file": text, "line": 1, "count": 0}],
                     processes=[{"name": text, "host": text, "pid": 1}] * 2, clock={"source": text, "steady": True}, unavailable={"memory": text})
        before, data, after = parts(convert("html", path))
        equal((before, after), shell, f"the page around {text!r}")
        check(data.isascii() and not re.search(r"[<>&]", data), f"{text!r}: {re.findall('.{9}[<>&].{9}', data)}")
        equal(json.loads(data)["summary"], json.loads(convert("json", path)), repr(text))


@case("a_page_is_known_by_its_first_lines")
def _(folder):
    check(convert("html", PROFILES[0]).startswith("<!doctype html>\n<!-- profcore.page/1 -->\n"), "mark")


finish()
