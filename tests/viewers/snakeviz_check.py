#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Opens a .prof file in snakeviz, in a real browser without a window, and looks at what a user would see.

    snakeviz_check.py PROF NAME... [--screenshot FILE] [--browser PROGRAM]

Serves the file on the loopback address, opens the page in Chromium, points
at every shape of the diagram and opens every row of the table.  Each NAME
must be part of a row; the page must have drawn something, reported no error,
opened no dialog and run no script that came with a name.

Exit codes: 0 as it should be, 1 not, 77 snakeviz, playwright or Chromium is missing.
"""

import argparse
import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

from fetch import Missing

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WAIT_S = 60  # for a program to start
APPEARS_S = 20  # for a part of a page
SHAPES_MAX = 60  # that are pointed at
ROWS_MAX = 60  # that are opened
# A script in a name sets this, should it run.
ESCAPED = "window.profcore_escaped === undefined"


class Unusable(Exception):
    """Why snakeviz or its page cannot be used for the file."""


def find_browser(named=None):
    program = named or next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        raise Missing("there is no Chromium on the path (" + ", ".join(BROWSERS) + ")")
    return program


def need_packages(*names):
    import importlib.util

    for name in names:
        if importlib.util.find_spec(name) is None:
            raise Missing(f"the Python package {name} is not installed")


@contextlib.contextmanager
def served(prof):
    """Yields the address under which snakeviz shows the file."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = os.path.abspath(prof)
    command = [sys.executable, "-m", "snakeviz", "--server", "--hostname", "127.0.0.1", "--port", str(port), path]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        address = f"http://127.0.0.1:{port}/snakeviz/" + urllib.parse.quote(path, safe="")
        if not answers(address, server):
            server.kill()
            raise Unusable(f"snakeviz does not serve it: {server.communicate()[1].strip()[-300:]}")
        yield address
    finally:
        server.terminate()
        server.wait()


def answers(address, server):
    """Waits until the server answers; false when it has ended or takes too long."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever proxy the machine has
    deadline = time.monotonic() + WAIT_S
    while server.poll() is None and time.monotonic() < deadline:
        try:
            direct.open(address, timeout=WAIT_S).read()
            return True
        except urllib.error.HTTPError:
            return True  # the page will show it
        except OSError:
            time.sleep(0.1)
    return False


class Seen:
    """What the page showed and what it complained about."""

    def __init__(self):
        self.rows, self.shapes, self.complaints = [], 0, []

    def complain(self, what, limit=300):
        self.complaints.append(str(what)[:limit])


def appears(page, selector):
    from playwright.sync_api import TimeoutError

    try:
        page.wait_for_selector(selector, timeout=1000 * APPEARS_S)
    except TimeoutError:
        return False
    return True


def look_around(page, seen):
    """Does what a user does; every action may set off an error that is then among the complaints."""
    shapes = page.locator("svg path, svg rect")
    seen.shapes = shapes.count()
    for number in range(min(seen.shapes, SHAPES_MAX)):
        shapes.nth(number).dispatch_event("mouseover")
    page.evaluate("sv_show_call_stack()")
    for number in range(min(len(seen.rows), ROWS_MAX)):
        page.locator("#pstats-table tbody tr").nth(number).dispatch_event("click")
        page.wait_for_timeout(50)  # the diagram is drawn by a worker
    page.wait_for_timeout(500)


def look(prof, browser=None, screenshot=None):
    """Returns what a user sees of a .prof file."""
    need_packages("snakeviz", "playwright")
    browser = find_browser(browser)
    from playwright.sync_api import sync_playwright

    seen = Seen()
    # Only pages of our own are opened, so the sandbox, which root and many containers lack, is not missed.
    arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
    with served(prof) as address, sync_playwright() as playwright, contextlib.ExitStack() as stack:
        chromium = playwright.chromium.launch(executable_path=browser, headless=True, args=arguments)
        stack.callback(chromium.close)
        page = chromium.new_page(viewport={"width": 1280, "height": 1220})
        page.set_default_timeout(1000 * WAIT_S)
        page.on("pageerror", lambda error: seen.complain(f"error in the page: {error}"))
        page.on("dialog", lambda dialog: (seen.complain(f"a dialog: {dialog.message}"), dialog.dismiss()))
        page.goto(address)
        if not appears(page, "#pstats-table tbody tr"):
            seen.complain("there is no table")
            return seen
        if not appears(page, "svg path, svg rect"):
            seen.complain("no diagram was drawn")
        seen.rows = page.locator("#pstats-table tbody tr").all_inner_texts()
        if screenshot:
            page.wait_for_timeout(500)
            page.screenshot(path=screenshot)
        look_around(page, seen)
        if not page.evaluate(ESCAPED):
            seen.complain("a script that came with a name has run")
    return seen


def check(prof, names, browser=None, screenshot=None):
    """Returns what is wrong, an empty list when nothing is, and how many rows there were."""
    seen = look(prof, browser, screenshot)
    wanted = names if seen.rows else []  # no rows is among the complaints
    missing = [f"no row has {name!r}" for name in wanted if not any(name in row for row in seen.rows)]
    return seen.complaints + missing, len(seen.rows)


def main():
    parser = argparse.ArgumentParser(description="Checks that snakeviz shows a .prof file.")
    parser.add_argument("prof", type=pathlib.Path, metavar="PROF")
    parser.add_argument("names", nargs="*", metavar="NAME", help="must be part of a row")
    parser.add_argument("--browser", metavar="PROGRAM", help="default: the first of " + ", ".join(BROWSERS))
    parser.add_argument("--screenshot", metavar="FILE", help="a .png of the page")
    options = parser.parse_args()
    try:
        wrong, rows = check(options.prof, options.names, options.browser, options.screenshot)
    except Missing as missing:
        print(f"SKIP: {missing}")
        return 77
    except Unusable as reason:
        print(f"{options.prof}: {reason}")
        return 1
    for complaint in wrong:
        print(f"{options.prof}: {complaint}")
    print(f"{options.prof}: {rows} rows, {len(wrong)} complaints")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
