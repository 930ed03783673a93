# SPDX-License-Identifier: Apache-2.0
"""Readers of timelines, of their own: {name: [slices, nanoseconds in all]} of what begins and ends in each."""
import json
import re


def add(totals, name, duration):
    row = totals.setdefault(name, [0, 0])
    row[0] += 1
    row[1] += duration


def microseconds(text):
    """The nanoseconds of a number with three decimals, exactly."""
    whole, _, part = text.partition(".")
    assert len(part) == 3, text
    return int(whole) * 1000 + int(part)


def chrome_totals(data):
    totals, stacks = {}, {}
    for event in json.loads(data, parse_float=str)["traceEvents"]:
        stack = stacks.setdefault((event["pid"], event["tid"]), [])
        if event["ph"] == "B":
            stack.append((event["name"], microseconds(event["ts"])))
        elif event["ph"] == "E":
            name, start = stack.pop()
            assert name == event["name"], f"{event['name']} ends {name}"
            add(totals, name, microseconds(event["ts"]) - start)
    assert not any(stacks.values()), "slices without an end"
    return totals


def nvtxt_totals(text):
    totals, stacks = {}, {}
    for kind, time, thread, name in re.findall(r'^(RangePush|RangePop), (\d+), (\d+)(?:, "(.*)")?$', text, re.M):
        if kind == "RangePush":
            stacks.setdefault(thread, []).append((name, int(time)))
        else:
            name, start = stacks[thread].pop()
            add(totals, name, int(time) - start)
    assert not any(stacks.values()), "ranges without an end"
    return totals


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at, value, shift = at + 1, value | (byte & 0x7F) << shift, shift + 7
        if byte < 0x80:
            return value, at


def fields(data):
    """(number, value) of a message; a block is bytes."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == 0:
            value, at = varint(data, at)
        elif tag & 7 == 2:
            size, at = varint(data, at)
            value, at = data[at : at + size], at + size
        else:
            size = {1: 8, 5: 4}[tag & 7]
            value, at = int.from_bytes(data[at : at + size], "little"), at + size
        yield tag >> 3, value


TIMESTAMP, SEQUENCE, EVENT, INTERNED, FLAGS = 8, 10, 11, 12, 13
BEGIN, END = 1, 2


def pftrace_totals(data):
    """Each of our sequences is one track."""
    totals, stacks, names = {}, {}, {}
    for _, packet in fields(data):
        parts = dict(fields(packet))
        sequence = parts.get(SEQUENCE)
        if parts.get(FLAGS, 0) & 1:
            names[sequence] = {}
        for number, entry in fields(parts.get(INTERNED, b"")):
            if number == 2:  # event names
                pair = dict(fields(entry))
                names[sequence][pair[1]] = pair[2].decode()
        event = dict(fields(parts.get(EVENT, b"")))
        stack = stacks.setdefault(sequence, [])
        if event.get(9) == BEGIN:
            stack.append((names[sequence][event[10]], parts[TIMESTAMP]))
        elif event.get(9) == END:
            name, start = stack.pop()
            add(totals, name, parts[TIMESTAMP] - start)
    assert not any(stacks.values()), "slices without an end"
    return totals
