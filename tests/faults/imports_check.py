#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whatever the library calls outside itself is made to fail by faults.c, or cannot fail.

usage: imports_check.py NM STATIC_LIBRARY WRAPPED_NAME...
"""
import re
import subprocess
import sys

nm, library, *wrapped = sys.argv[1:]

# Why each cannot fail, or why its failure needs no test.  A name that is in no list is an error: decide.
CANNOT_FAIL = {
    "pure, or on the caller's memory": r"str(n?len|n?cpy|n?cmp|pbrk|tod|toul|verscmp|str|r?chr|c?spn|cat|toull|ftime|error_r)|mem(set|cpy|cmp|chr|move|mem)|v?snprintf|(__isoc\d+_)?sscanf|"
                                       r"qsort|bsearch|gmtime_r|fe[gs]etenv|fmin|fmax|sqrt|nearbyint|reg(exec|error|free)|strcpy|__popcountdi2|"
                                       r"sig(emptyset|fillset|addset|ismember|orset)|__(u?div|u?mod)ti3|free",
    "the process itself, always there": r"__errno_location|environ|program_invocation_short_name|secure_getenv|getauxval|getpid|geteuid|closedir|"
                                        r"sysconf|time|clock_gettime|_GLOBAL_OFFSET_TABLE_|__tls_get_addr",
    "SYS_gettid only": r"syscall",
    "PR_GET_NAME only": r"prctl",
    "fails only for a mutex or a state that is not one": r"pthread_(mutex_(try)?lock|mutex_unlock|once|sigmask|setcancel(state|type)|getspecific|attr_\w+|self)|"
                                                         r"kill|raise|sigpending|sigtimedwait|sem_(post|wait|clockwait)",
    "fails only for memory that is not there, or in use as the stack it is to replace": r"munmap|sigaltstack",
    "of the control socket, which no public function opens: tests/live/control_check.py": r"socket|bind|listen|accept4|connect|recv|fchmod|lstat64|unlink|getcwd",
    "likewise, and of a pipe or socket that events are streamed to: tests/crash/stream_check.py": r"getsockopt|send|fcntl64",
    "registers handlers when the library is loaded, before there is anyone to tell": r"pthread_atfork|at_quick_exit|atexit",
    "whose failure changes nothing: the notice is written, and the copy made, all the same": r"poll|sched_yield|pthread_mutex_timedlock",
    "of a mapping and of a name that were made a moment ago": r"munmap|unlink",
    "its failure is that of a library: args_test.c": r"dlopen|dlerror|dlclose|dlsym|dladdr|dl_iterate_phdr",
    "NVTX's, for a variable that secure_getenv() has looked at": r"getenv",
    "when the library is loaded; said in a notice": r"setenv",
    "gives the C locale, which is static": r"(new|use|free)locale",
    "its failure is a failed allocation, which faults.c makes through malloc": r"json_\w+",
    "of the sampler's thread: without it a limit is unknown": r"sched_getaffinity|__sched_cpucount",
    "a sanitizer's": r"__(asan|ubsan|tsan|lsan|sanitizer)_\w+",
}

defined, undefined = set(), set()
for line in subprocess.run([nm, library], check=True, capture_output=True, text=True).stdout.splitlines():
    words = line.split()
    if len(words) >= 2 and not line.endswith(":"):
        (undefined if words[-2] in "Uw" else defined).add(words[-1])
imported = undefined - defined
known = re.compile("|".join(CANNOT_FAIL.values()))
unknown = sorted(name for name in imported - set(wrapped) if not known.fullmatch(name))
for name in unknown:
    print(f"# {name} is called: put it into the wrapped names of tests/faults/meson.build and into faults.c, or say here why not")
print(f"# {len(imported & set(wrapped))} functions are made to fail, {len(imported - set(wrapped))} cannot")
print(f"{'not ok' if unknown else 'ok'} 1 every_function_that_the_library_calls_is_made_to_fail_or_cannot")
print("1..1")
sys.exit(bool(unknown))
