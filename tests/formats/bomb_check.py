#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Small files that claim to be large: each is refused, within 256 MiB of address space and 256 KiB of stack.

usage: bomb_check.py BOMB_MAIN

A time is not asserted; what takes ten seconds hangs.
"""
import json
import os
import struct
import subprocess
import sys
import tempfile

bomb_main = os.path.abspath(sys.argv[1])
number = failures = 0

KEY = b")\x03z\x01ai\x01\0\0\0z\x01f"
ZERO = b"g" + bytes(8)


def row(callers):
    return b")\x05i\x01\0\0\0i\x01\0\0\0" + ZERO + ZERO + callers


def u32(value):
    return struct.pack("<I", value)


def summary(**fields):
    return {"schema": "profcore.summary/1", "name": "b", "functions": [], **fields}


def text(value):
    return json.dumps(value).encode()


def function(**fields):
    return {"id": 0, "name": "f", "calls": 1, "primitive_calls": 1, "self_ns": 0, "cumulative_ns": 0, **fields}


deep = 100_000
BOMBS = {
    # name: (bytes, what the answer must begin with)
    "a_tuple_of_2_32_elements": (b"{(" + u32(0xffffffff) + b"0", "PROF_E_FORMAT"),
    "a_tuple_of_2_31_elements": (b"{(" + u32(0x7fffffff) + b"0", "PROF_E_FORMAT"),
    "a_text_of_2_gib": (b"{)\x03u" + u32(0x7fffffff) + b"a", "PROF_E_FORMAT"),
    "a_text_of_10_gb_as_an_integer": (b"{)\x03l" + u32(0x7fffffff) + b"a", "PROF_E_FORMAT"),
    "an_integer_of_2_32_digits": (b"{" + KEY + b")\x05l" + u32(0x80000000), "PROF_E_FORMAT"),
    "calls_of_10_000_bits": (b"{" + KEY + b")\x05l" + u32(500) + b"\xff\x7f" * 500, "PROF_E_FORMAT"),
    "tuples_100_000_deep": (b"{" + b")\x01" * deep, "PROF_E_FORMAT"),
    "lists_100_000_deep": (b"{" + KEY + b"[" + (u32(1) + b"[") * deep, "PROF_E_FORMAT"),
    "dicts_100_000_deep": (b"{" * deep, "PROF_E_FORMAT"),
    "callers_100_000_deep": ((b"{" + KEY + b")\x05i\x01\0\0\0i\x01\0\0\0" + ZERO + ZERO) * deep, "PROF_E_FORMAT"),
    "a_dict_that_holds_itself": (b"\xfb" + KEY + row(b"r" + u32(0)) + b"0", "PROF_E_FORMAT"),
    "a_key_that_holds_itself": (b"{\xa9\x03" + b"r" + u32(0) * 3, "PROF_E_FORMAT"),
    # One dict of 20,000 callers, and 20,000 functions that refer to it: 4 * 10^8 edges in 2 MB.
    "callers_multiplied_by_references": (
        b"{)\x03z\x01ai" + u32(0) + b"z\x01f" + row(b"\xfb" + b"".join(
            b")\x03z\x01bi" + u32(i) + b"z\x01g" + b")\x04i\x01\0\0\0i\x01\0\0\0" + ZERO + ZERO for i in range(20_000)) + b"0") +
        b"".join(b")\x03z\x01ai" + u32(i) + b"z\x01f" + row(b"r" + u32(0)) for i in range(1, 20_000)) + b"0", "PROF_E_LIMIT"),
    # A long name that 50,000 functions share takes its bytes once.
    "a_name_multiplied_by_references": (
        b"{)\x03\xf5" + u32(1_000_000) + b"n" * 1_000_000 + b"i" + u32(0) + b"r" + u32(0) + row(b"{0") +
        b"".join(b")\x03r" + u32(0) + b"i" + u32(i) + b"r" + u32(0) + row(b"{0") for i in range(1, 50_000)) + b"0", "PROF_OK"),
    "arrays_100_000_deep": (b'{"schema":' + b"[" * deep, "PROF_E_FORMAT"),
    "objects_100_000_deep": (b'{"schema":' * deep, "PROF_E_FORMAT"),
    "closed_arrays_100_000_deep": (b'{"schema":' + b"[" * deep + b"]" * deep + b"}", "PROF_E_FORMAT"),
    "arrays_64_deep": (text(summary())[:-1] + b', "x":' + b"[" * 63 + b"]" * 63 + b"}", "PROF_OK"),
    "a_count_of_2_64": (text(summary(functions=[function(calls=2 ** 64)])), "PROF_E_FORMAT"),
    "a_count_of_10_000_digits": (text(summary(functions=[function(calls="9" * 10_000)])), "PROF_E_FORMAT"),
    "a_number_of_10_000_digits": (text(summary(pid=10 ** 4299)), "PROF_E_FORMAT"),
    "an_id_of_2_32": (text(summary(functions=[function(id=2 ** 32)])), "PROF_E_FORMAT"),
    "a_bucket_of_2_32": (text(summary(functions=[function(histogram=[[2 ** 32, 1]])])), "PROF_E_FORMAT"),
    "a_time_of_2_63": (text(summary(taken_unix_s=2 ** 63 - 1)), "PROF_E_FORMAT"),
    "a_hundred_thousand_empty_arrays": (text(summary(x=[[]] * deep)), "PROF_OK"),
    "ten_million_empty_arrays": (text(summary())[:-1] + b', "x":[' + b"[]," * 10_000_000 + b"0]}", "PROF_E_NO_MEMORY"),
    "call_paths_100_000_deep": (
        text(summary(functions=[function()], paths=[[i - 1 if i else None, 0, 1, 10 ** 9] for i in range(deep)])), "PROF_OK"),
    "a_million_call_paths_that_are_one": (text(summary(functions=[function()], paths=[[None, 0, 1]] * 1_000_000)), "PROF_OK"),
    "five_million_call_paths": (text(summary(functions=[function()]))[:-1] + b', "paths":[[null,0]' +
                                b"".join(b",[%d,0]" % i for i in range(5_000_000)) + b"]}", "PROF_E_NO_MEMORY"),
    "a_path_that_is_its_own_parent": (text(summary(functions=[function()], paths=[[0, 0, 1, 1]])), "PROF_E_FORMAT"),
    "two_paths_that_are_each_others_parents": (
        text(summary(functions=[function()], paths=[[1, 0, 1, 1], [0, 0, 1, 1]])), "PROF_E_FORMAT"),
    "histograms_out_of_8_bytes": (
        text(summary(functions=[function(id=i, line=i, histogram=[[16, 1]]) for i in range(100_000)])), "PROF_E_NO_MEMORY"),
    "histograms_of_spans_out_of_4_bytes": (
        text(summary())[:-1] + b', "spans":[' +
        b",".join(b'{"name":"%d","count":1,"total_ns":1,"histogram":[]}' % i for i in range(200_000)) + b"]}", "PROF_E_NO_MEMORY"),
    "two_hundred_thousand_spans_that_are_one": (
        text(summary())[:-1] + b', "spans":[' + b",".join([b'{"name":"a","count":1,"total_ns":1}'] * 200_000) + b"]}", "PROF_OK"),
}

for name, (data, answer) in BOMBS.items():
    number += 1
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        try:
            done = subprocess.run([bomb_main, file.name], capture_output=True, text=True, errors="replace", timeout=10)
            problem = None if done.returncode == 0 and done.stdout.startswith(answer) else \
                f"{len(data)} bytes: status {done.returncode}: {done.stdout}{done.stderr}"
        except subprocess.TimeoutExpired:
            problem = f"{len(data)} bytes: it takes more than 10 s"
    if problem:
        failures += 1
        print("# " + problem.replace("\n", "\n# "))
    print(f"{'not ok' if problem else 'ok'} {number} {name}", flush=True)
print(f"1..{number}")
sys.exit(failures != 0)
