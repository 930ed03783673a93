# SPDX-License-Identifier: Apache-2.0
"""Makes a .prof with this Python's cProfile whose content is the same each time.

usage: make_python_profile.py NAME.prof

A clock that advances by one millisecond each time it is read takes chance out of the times; only the order of
the functions changes.  Runs on Python 2.7 and 3.6 to 3.13.  What a reader must find is in python.expected.json,
as pstats of Python 3.12 gave it.
"""
import cProfile
import sys

SOURCE = u"""
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)

def even(n):
    return n == 0 or odd(n - 1)

def odd(n):
    return n != 0 and even(n - 1)

class Index(object):
    def search(self, words):
        return sorted(words, key=lambda word: len(word))

def main():
    fib(7)
    even(9)
    Index().search([u"a", u"bcd", u"ef"])
"""


class Clock(object):
    now = 0

    def __call__(self):
        self.now += 1
        return self.now


scope = {}
exec(compile(SOURCE, "service/golden.py", "exec"), scope)
profile = cProfile.Profile(Clock(), 0.001)
profile.runcall(scope["main"])
profile.dump_stats(sys.argv[1])
