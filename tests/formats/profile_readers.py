# SPDX-License-Identifier: Apache-2.0
"""Readers of .pprof, .collapsed and .callgrind, of their own making, for checks that compare figures with a summary's.

Each gives {function: [calls, self, cumulative]}; a figure that a format does not have is None.
"""
import collections
import re


def functions_of(summary):
    """The figures of a summary, by (name, file, line)."""
    return {(f["name"], f["file"] or "", f["line"]): [int(f[key]) for key in ("calls", "self_ns", "cumulative_ns")]
            for f in summary["functions"]}  # fmt: skip


def collapsed_name(name):
    """As a .collapsed spells it."""
    return re.sub(r" (?=[0-9.]+$)", "_", name.replace(";", "\\x3b"))


def callgrind_key(name, file):
    """Name and file as a .callgrind spells them."""
    return ("\\x20" + name[1:] if name.startswith(" ") else name, file or "???")



def fields(data):
    """The fields of a protobuf message: (number, value), a block as bytes."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
        elif key & 7 == 2:
            size = varint()
            if at + size > len(data):
                raise ValueError(f"field {key >> 3} is longer than its message")
            yield key >> 3, data[at : at + size]
            at += size
        else:
            raise ValueError(f"field {key >> 3} is of wire type {key & 7}")


def packed(data):
    """The numbers of a packed field."""
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield value
            value = shift = 0


class Pprof:
    """Samples as (functions from the innermost, values by type, labels); a function is (name, file, line)."""

    def __init__(self, data):
        self.message = collections.defaultdict(list)
        for number, value in fields(data):
            self.message[number].append(value)
        texts = self.texts = [text.decode() for text in self.message[6]]
        if texts[0] != "" or any(number not in range(1, 15) for number in self.message):
            raise ValueError("not a profile")
        functions = {}
        for one in map(fields, self.message[5]):
            one = dict(one)
            functions[one[1]] = (texts[one[2]], texts[one.get(4, 0)], one.get(5, 0))
        self.places = {}
        for one in map(fields, self.message[4]):
            one = dict(one)
            line = dict(fields(one[4]))
            self.places[one[1]] = functions[line[1]]
            if line.get(2, 0) != functions[line[1]][2]:
                raise ValueError("a location has another line than its function")
        self.types = [(texts[one[1]], texts[one[2]]) for one in (dict(fields(data)) for data in self.message[1])]
        self.comments = [texts[number] for number in self.message[13]]
        self.default_type = texts[self.message[14][0]]
        self.samples = [self.sample(data) for data in self.message[2]]

    def sample(self, data):
        parts = collections.defaultdict(list)
        for number, value in fields(data):
            parts[number].append(value)
        stack = [self.places[number] for number in packed(parts[1][0])]
        values = dict(zip(self.types, packed(parts[2][0]), strict=True))
        labels = {self.texts[one[1]]: one[3] for one in (dict(fields(data)) for data in parts[3])}
        return stack, values, labels

    def totals(self, calls=("calls", "count"), time=("wall", "nanoseconds")):
        totals = collections.defaultdict(lambda: [0, 0, 0])
        for stack, values, _ in self.samples:
            totals[stack[0]][0] += values[calls]
            totals[stack[0]][1] += values[time]
            for function in set(stack):
                totals[function][2] += values[time]
        return dict(totals)


def collapsed_totals(text):
    """By name; the first line, which says whose file it is, is left out."""
    totals = collections.defaultdict(lambda: [None, 0, 0])
    first, *lines = text.splitlines()
    if first != "# profcore.collapsed/1: nanoseconds 0":
        raise ValueError(f"begins with {first!r}")
    for line in lines:
        stack, value = re.fullmatch(r"(.*) (\d+)", line).groups()
        names = stack.split(";")
        totals[names[-1]][1] += int(value)
        for name in set(names):
            totals[name][2] += int(value)
    return dict(totals)


class Callgrind:
    """Functions as (name, file): self costs, and calls with their inclusive cost."""

    def __init__(self, text):
        self.head, self.own, self.calls = {}, {}, []
        names = {"fl": {}, "fn": {}}
        place = {}
        called = None
        for number, line in enumerate(text.splitlines(), 1):
            key, is_set, value = line.partition("=")
            if line == "" or line.startswith("#"):
                continue
            elif re.match(r"[a-z]+: ", line):
                key, _, value = line.partition(": ")
                self.head.setdefault(key, []).append(value)
            elif is_set and key in ("fl", "fn", "cfl", "cfn"):
                mark, name = re.fullmatch(r"\((\d+)\)(?: (.*))?", value).groups()
                known = names[key[-2:]]
                if (name is None) == (mark not in known):
                    raise ValueError(f"line {number}: a name is given twice, or never: {line}")
                place[key] = known.setdefault(mark, name)
            elif is_set and key == "calls":
                called = [int(part) for part in value.split()]
            else:
                position, cost = (int(part) for part in line.split(" "))
                function = (place["fn"], place["fl"])
                if called is None:
                    if function in self.own:
                        raise ValueError(f"line {number}: {function} has two costs")
                    self.own[function] = (position, cost)
                else:
                    self.calls.append((function, (place["cfn"], place["cfl"]), called[0], called[1], position, cost))
                    called = None

    def totals(self):
        totals = {function: [0, cost, 0] for function, (_, cost) in self.own.items()}
        for _, callee, calls, _, _, cost in self.calls:
            totals[callee][0] += calls
            totals[callee][2] += cost
        return totals
