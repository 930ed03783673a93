# SPDX-License-Identifier: Apache-2.0
"""Makes the C source of the page around the data: embed.py PAGE.html PAGE.css SCRIPT.js... OUTPUT.c

The policy of the page allows the one style sheet and the one script that stand in it, by their hashes.
"""
import base64
import hashlib
import sys

PARTS = """/* Made by embed.py of what stands beside it. */
#include "format/html.h"

const char *const profi_page_head[] = {{
{head}    NULL
}};
const char *const profi_page_tail[] = {{
{tail}    NULL
}};
"""


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def plain(path):
    """Without indentation, which every page would carry."""
    return "".join(f"{line.strip()}\n" for line in read(path).splitlines())


def hash_of(text):
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def quoted(text):
    """A C string for each line."""
    lines = (line.replace("\\", "\\\\").replace('"', '\\"').replace("?", "\\?") for line in text.splitlines())
    return "".join(f'    "{line}\\n",\n' for line in lines)


def main(html, css, *scripts, output):
    page, style = read(html), plain(css)
    script = "'use strict';\n(() => {\n" + "\n".join(map(plain, scripts)) + "})();\n"
    for text in style, script:  # either would end its element
        if "</" in text or "<!--" in text:
            sys.exit("the style sheet and the script must not contain </ or <!--")
    for mark, text in ("@STYLE_HASH@", hash_of(style)), ("@SCRIPT_HASH@", hash_of(script)), ("@STYLE@", style), ("@SCRIPT@", script):
        before, found, after = page.partition(mark)
        if not found:
            sys.exit(f"page.html lacks {mark}")
        page = before + text + after
    head, tail = page.split("@DATA@")
    with open(output, "w", encoding="ascii") as file:
        file.write(PARTS.format(head=quoted(head), tail=quoted(tail)))


main(*sys.argv[1:-1], output=sys.argv[-1])
