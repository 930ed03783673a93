# SPDX-License-Identifier: Apache-2.0
"""Scopes of libprofcore around Python code, through ctypes; LIBPROFCORE in the environment names the library."""

import contextlib
import ctypes
import os


class Token(ctypes.Structure):
    _fields_ = [("place", ctypes.c_uint64)]


library = ctypes.CDLL(os.environ["LIBPROFCORE"])
library.prof_site_get.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_uint32, ctypes.c_uint32,
                                  ctypes.POINTER(ctypes.c_void_p), ctypes.c_void_p]  # fmt: skip
library.prof_begin.argtypes, library.prof_begin.restype = [ctypes.c_void_p], Token
library.prof_end.argtypes, library.prof_end.restype = [Token], None
sites = {}


def site(name):
    if name not in sites:
        text, made = name.encode(), ctypes.c_void_p()
        if library.prof_site_get(text, len(text), None, 0, 0, ctypes.byref(made), None) != 0:
            raise RuntimeError(f"no site for {name}")
        sites[name] = made
    return sites[name]


@contextlib.contextmanager
def scope(name):
    token = library.prof_begin(site(name))
    try:
        yield
    finally:
        library.prof_end(token)


def start_gpu():
    """Begins tracing now and not a tenth of a second later; where it cannot be had, the profile says why."""
    library.prof_gpu_start(None)


def start():
    if library.prof_start(None, None) != 0:
        raise RuntimeError("prof_start() failed")


def stop():
    if library.prof_stop(None) != 0:
        raise RuntimeError("prof_stop() failed")
