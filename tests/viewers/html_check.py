#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Opens a page of ours, .html, in a real browser without a window, and uses it as a reader does.

    html_check.py PAGE [--screenshots FOLDER] [--browser PROGRAM]

Opens it from its file in Chromium, sorts and filters the table, chooses every
row that is shown, points at every frame of the tree and every slice of the slowest request,
enlarges one by mouse and moves about by keyboard.  The page must report no error, fetch nothing, open
nothing and run no script that came with a name.

Exit codes: 0 as it should be, 1 not, 77 playwright or Chromium is missing.
"""

import argparse
import contextlib
import json
import pathlib
import sys

from snakeviz_check import ESCAPED, Missing, find_browser, need_packages

WAIT_MS = 60_000  # for what a page does at once
MOST = 60  # rows that are chosen, and frames that are pointed at
ROWS, FRAMES, SLICES = "#table tbody tr", "#flame .frame", "#lanes .slice"


class Page:
    """A page that is open, and what it complained about."""

    def __init__(self, page, address):
        self.page, self.address, self.complaints = page, address, []
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: self.complain(f"error in the page: {error}"))
        page.on("console", lambda message: self.complain(f"on the console: {message.text}"))
        page.on("dialog", lambda dialog: (self.complain(f"a dialog: {dialog.message}"), dialog.dismiss()))
        page.on("popup", lambda popup: self.complain(f"a window: {popup.url}"))
        page.on("websocket", lambda socket: self.complain(f"a connection: {socket.url}"))
        page.on("request", lambda request: request.url == address or self.complain(f"it fetches {request.url}"))

    def complain(self, what):
        self.complaints.append(what[:300])

    def demand(self, condition, what):
        if not condition:
            self.complain(what)

    def data(self):
        return json.loads(self.page.locator("#data").text_content())

    def rows(self):
        """What the cells of each row of the table say."""
        return self.page.eval_on_selector_all(ROWS, "rows => rows.map((row) => [...row.cells].map((cell) => cell.innerText.trim()))")

    def names(self):
        """Of the functions in the table."""
        return self.page.eval_on_selector_all(f"{ROWS} button.name", "all => all.map((button) => button.childNodes[1].textContent)")

    def frames(self):
        """The frames in sight: label, left edge, width and classes."""
        return self.page.eval_on_selector_all(FRAMES, """frames => frames.map((frame) => {
            const { left, width } = frame.getBoundingClientRect();
            return { label: frame.getAttribute('aria-label'), left, width, kinds: [...frame.classList] }; })""")

    def focused(self):
        return self.page.evaluate("document.activeElement.getAttribute('aria-label') || document.activeElement.id")


@contextlib.contextmanager
def opened(path, browser=None, scheme="light"):
    need_packages("playwright")
    browser = find_browser(browser)
    from playwright.sync_api import sync_playwright

    # Only pages of our own are opened, so the sandbox, which root and many containers lack, is not missed.
    arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright, contextlib.ExitStack() as stack:
        chromium = playwright.chromium.launch(executable_path=browser, headless=True, args=arguments)
        stack.callback(chromium.close)
        address = pathlib.Path(path).resolve().as_uri()
        seen = Page(chromium.new_page(viewport={"width": 1500, "height": 1150}, color_scheme=scheme), address)
        seen.page.goto(address)
        yield seen


def sort_and_filter(seen):
    page, names = seen.page, [row[0] for row in seen.rows()]
    heading = page.locator("#table thead button").first
    heading.click()
    seen.demand(page.locator("#table thead th").first.get_attribute("aria-sort") == "ascending", "not sorted by name")
    by_name, shown = [row[0] for row in seen.rows()], seen.names()
    seen.demand(shown == sorted(shown, key=str.lower) or len(by_name) > 99, f"not in the order of names: {shown[:5]}")
    heading.click()
    seen.demand(len(by_name) > 99 or [row[0] for row in seen.rows()] == by_name[::-1] or len(set(names)) < len(names), "not in reverse")
    page.keyboard.press("/")
    seen.demand(seen.focused() == "search", "the slash does not lead to the search")
    page.keyboard.insert_text("no function has such a name")
    seen.demand(not seen.rows(), "rows that do not match")
    page.keyboard.press("Escape")
    seen.demand(sorted(row[0] for row in seen.rows()) == sorted(names) or len(names) > 99, "the search is not given up")


def choose_rows(seen):
    buttons = seen.page.locator(f"{ROWS} button.name")
    for number in range(min(buttons.count(), MOST)):
        name = buttons.nth(number).evaluate("(button) => button.childNodes[1].textContent")
        buttons.nth(number).click()
        shown = seen.page.locator("#detail h2").text_content()
        seen.demand(shown == name, f"chosen was {name!r}, shown is {shown!r}")


def move_in_tree(seen):
    page, frames = seen.page, seen.frames()
    if not frames:
        seen.demand(page.locator("#no-tree").count() == 1, "neither a tree nor why there is none")
        return
    for number in range(min(len(frames), MOST)):
        page.locator(FRAMES).nth(number).dispatch_event("mousemove", {"bubbles": True, "clientX": 300, "clientY": 300})
        seen.demand(page.locator("#tip").is_visible() and page.locator("#tip").inner_text() != "", "no tip")
    widest = page.locator(FRAMES).nth(0).bounding_box()["width"]
    inner = next((number for number, frame in enumerate(frames) if 3 < frame["width"] < 0.9 * widest and "rest" not in frame["kinds"]), None)
    if inner is not None:
        label = frames[inner]["label"]
        page.locator(FRAMES).nth(inner).click()
        enlarged = next(frame for frame in seen.frames() if frame["label"] == label)
        seen.demand(enlarged["width"] > widest - 3, f"{label} was not enlarged")
        seen.demand(seen.focused() == label, f"{label} was enlarged, and {seen.focused()} has the focus")
        page.keyboard.press("Escape")
        seen.demand(len(seen.frames()) == len(frames), "Escape does not lead back to the whole tree")
    page.locator("#flame [tabindex='0']").focus()
    page.keyboard.press("Home")
    for key in ("ArrowDown", "ArrowUp", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    seen.demand(seen.focused() == frames[1]["label"], f"the keys lead to {seen.focused()}, not to {frames[1]['label']}")
    page.locator("#whole").click()
    seen.demand(not page.locator("#whole").is_visible(), "the whole tree cannot be had back")


def move_in_slowest(seen):
    page, slices = seen.page, seen.page.locator(SLICES)
    count = slices.count()
    if not count:
        seen.demand(page.locator("#no-slowest").count() == 1, "neither a slowest request nor why there is none")
        return
    for number in range(min(count, MOST)):
        slices.nth(number).dispatch_event("mousemove", {"bubbles": True, "clientX": 300, "clientY": 300})
        label = slices.nth(number).get_attribute("aria-label").rsplit(", ", 1)[0]
        seen.demand(page.locator("#tip").is_visible() and page.locator("#tip").text_content().startswith(label), f"no tip of {label}")
    widths = slices.evaluate_all("all => all.map((one) => [one.clientWidth, one.getAttribute('aria-label')])")
    lasting = [(width, label, number) for number, (width, label) in enumerate(widths) if not label.endswith(", 0 ns")]
    if lasting:
        _, label, number = min(lasting)
        slices.nth(number).dispatch_event("click")
        width = max(width for width, other in slices.evaluate_all(
            "all => all.map((one) => [one.clientWidth, one.getAttribute('aria-label')])") if other == label)  # fmt: skip
        seen.demand(width > page.locator("#lanes .lane").nth(0).bounding_box()["width"] - 3, f"{label} was not enlarged")
    page.locator(f"{SLICES}[tabindex='0']").focus()
    page.keyboard.press("Escape")
    seen.demand(slices.count() == count and not page.locator("#all-of-it").is_visible(), "Escape does not lead back to all of the request")
    page.keyboard.press("Home")
    first = seen.focused()
    for key in ("ArrowRight", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    seen.demand(seen.focused() == first == slices.nth(0).get_attribute("aria-label"), f"the keys lead to {seen.focused()}, not to {first}")
    page.keyboard.press("Escape")


def choose_spans(seen):
    buttons = seen.page.locator("#spans button.name")
    for number in range(min(buttons.count(), MOST)):
        name = buttons.nth(number).evaluate("(button) => button.childNodes[1].textContent")
        buttons.nth(number).click()
        seen.demand(seen.page.locator("#span h2").text_content() == name, f"{name!r} was chosen and is not shown")


def use(seen):
    """Does what a reader does; every action may set off an error that is then among the complaints."""
    seen.page.wait_for_selector(f"{FRAMES}, #no-tree", state="attached")
    move_in_tree(seen)
    move_in_slowest(seen)
    choose_spans(seen)
    choose_rows(seen)
    sort_and_filter(seen)
    seen.demand(seen.page.evaluate(ESCAPED), "a script that came with a name has run")


def check(path, browser=None, screenshots=None):
    """Returns what is wrong, an empty list when nothing is, and the rows of the table."""
    with opened(path, browser) as seen:
        rows = seen.rows()
        use(seen)
    for scheme in ("light", "dark") if screenshots else ():
        with opened(path, browser, scheme) as again:
            again.page.screenshot(path=f"{screenshots}/{pathlib.Path(path).stem}-{scheme}.png", full_page=True)
    return seen.complaints, rows


def main():
    parser = argparse.ArgumentParser(description="Checks that a browser shows a page of ours.")
    parser.add_argument("page", type=pathlib.Path, metavar="PAGE")
    parser.add_argument("--browser", metavar="PROGRAM")
    parser.add_argument("--screenshots", metavar="FOLDER", help="keep a picture in light and in dark")
    options = parser.parse_args()
    try:
        wrong, rows = check(options.page, options.browser, options.screenshots)
    except Missing as missing:
        print(f"SKIP: {missing}")
        return 77
    for complaint in wrong:
        print(f"{options.page}: {complaint}")
    print(f"{options.page}: {len(rows)} rows, {len(wrong)} complaints")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
