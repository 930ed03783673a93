# SPDX-License-Identifier: Apache-2.0
"""What a library offers to programs, as libabigail sees it: symbols, and the types of the public headers.

Used by abi_check.py and renew.  A dump holds nothing of the machine or the
folder that it was made in, and nothing that programs cannot see: structs that
the headers only declare are declarations in it.
"""
import os
import re
import shutil
import subprocess
import tempfile
import xml.etree.ElementTree

FLAGS = ["--no-corpus-path", "--no-comp-dir-path", "--no-show-locs", "--no-architecture", "--no-elf-needed",
         "--drop-undefined-syms", "--exported-interfaces-only", "--drop-private-types", "--type-id-style", "hash"]

# Private types are told by their header's name, and one of ours shares it with a public one; so also by their own.
PRIVATE = """[suppress_type]
  label = Artificial private types suppression specification
  name_regexp = ^({names})$
  drop = yes
"""

# Structs that grew as structs of ours may: see grown().
COMPATIBLE = """[suppress_type]
  name_regexp = ^({names})$
"""


class Unable(Exception):
    """Why there can be no comparison here."""


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})


def dump(library, headers):
    """Returns the dump of a library as text; headers is the folder of the public headers."""
    for tool in ("abidw", "abidiff", "readelf"):
        if not shutil.which(tool):
            raise Unable(f"there is no {tool}: it is in Debian's package {'binutils' if tool == 'readelf' else 'abigail-tools'}")
    if ".debug_info" not in run("readelf", "-SW", library).stdout:
        raise Unable("the library has no debug information")
    opaque = set()
    for name in sorted(os.listdir(headers)):
        if name.endswith(".h"):
            with open(os.path.join(headers, name), encoding="utf-8") as text:
                opaque.update(re.findall(r"^typedef struct (\w+) \1;", text.read(), re.M))
    with tempfile.TemporaryDirectory() as folder:
        private, out = os.path.join(folder, "private"), os.path.join(folder, "out")
        with open(private, "w", encoding="ascii") as text:
            text.write(PRIVATE.format(names="|".join(["profi_.*", *sorted(opaque)])))
        done = run("abidw", *FLAGS, "--headers-dir", headers, "--suppressions", private, "--out-file", out, library)
        if done.returncode != 0 or not os.path.exists(out):
            raise AssertionError(f"abidw failed:\n{done.stdout}{done.stderr}")
        with open(out, encoding="utf-8") as text:
            made = text.read()
    return re.sub(r" path='[^']*?((?:lib|shim)/[^']*)'", r" path='\1'", made)


def structs(text):
    """The structs of a dump: name to size and fields."""
    found = {}
    for struct in xml.etree.ElementTree.fromstring(text).iter("class-decl"):
        if struct.get("is-declaration-only") != "yes":
            fields = [(int(field.get("layout-offset-in-bits")), field[0].get("name"), field[0].get("type-id"))
                      for field in struct.iter("data-member")]
            found[struct.get("name")] = int(struct.get("size-in-bits")), fields
    return found


def grown(old, new):
    """The structs that begin with their size and only got more at their end; an old field may have got a new name."""
    names, after = [], structs(new)
    for name, (size, fields) in structs(old).items():
        new_size, new_fields = after.get(name, (0, []))
        old_names = {field[1] for field in fields}
        if (fields and fields[0][:2] == (0, "size") and new_size > size and len(new_fields) > len(fields)
                and all(a[::2] == b[::2] and (a[1] == b[1] or b[1] not in old_names) for a, b in zip(fields, new_fields))
                and all(field[0] >= size for field in new_fields[len(fields):])):
            names.append(name)
    return names


def differences(old, new, breaking_only=False):
    """Returns abidiff's report on two dumps given as text, empty when there is none; breaking_only leaves additions out."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        compatible = COMPATIBLE.format(names="|".join(grown(old, new)))
        for name, text in (("old", old), ("new", new), ("compatible", compatible)):
            paths.append(os.path.join(folder, name + ".abi"))
            with open(paths[-1], "w", encoding="utf-8") as out:
                out.write(text)
        options = ["--no-added-syms", "--suppressions", paths[2]] if breaking_only else []
        done = run("abidiff", *options, *paths[:2])
        if done.returncode & 3:  # it could not compare
            raise AssertionError(f"abidiff failed:\n{done.stdout}{done.stderr}")
        return done.stdout if done.returncode != 0 else ""
