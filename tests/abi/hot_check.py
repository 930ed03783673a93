#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the hot path is made of, by its machine code: loads, stores and arithmetic, and nothing else.

usage: hot_check.py CC HOT_SOURCE INCLUDE_FOLDER LIBRARY

prof_begin, prof_end and prof_phase are followed from their entry through every jump and call within the library, their
.cold parts included.  They may leave for functions whose name ends in _slow, and for no other: those are not followed.  Whatever locks the bus, orders memory both ways,
enters the kernel or stops the program is an error, and so is an instruction that this list does not know.  The same
source is compiled for arm64 where clang is there, and judged by that processor's list.  Last, functions that do what
is forbidden are compiled, and must be seen.
"""
import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile

compiler, source, include, library = sys.argv[1:]
HOT = ("prof_begin", "prof_end", "prof_phase")
SLOW = re.compile(r"_slow(\.(cold|part|constprop|isra)(\.\d+)?)*$")

CONDITIONS = "(o|no|b|c|nae|nb|nc|ae|e|z|ne|nz|be|na|nbe|a|s|ns|p|np|l|ge|le|g|nl|ng|nle|nge)"
KNOWN = {
    "x86-64": re.compile(rf"""(?x) (mov(abs|[zs]?[bwlq]{{1,2}})?|lea|add|sub|adc|sbb|and|or|xor|not|neg|inc|dec|i?mul|mulx|
        shlx?|shrx?|sarx?|sal|rolx?|rorx?|shld|shrd|bs[rf]|bt|lzcnt|tzcnt|cmp|test)[bwlq]? | cltq|cqto|cltd|cwtl |
        v?mov(d|q|dqa|dqu|aps|ups|hps|lps)|v?p?(add|sub|and|or|xor)(q|d|ps)?|v?punpck\w+|v?pinsr\w|v?pextr\w |
        set{CONDITIONS} | cmov{CONDITIONS}[lq]? | j{CONDITIONS} | jmp | call | ret | push | pop | leave | nop[wl]? |
        rdtsc | endbr64"""),
    "arm64": re.compile(r"""(?x) (ld[pr]|st[pr]|ldu?r|stu?r|ld(u|p)?rs?[bhw]|stu?r[bh])|ldapr|ldar|stlr|ldapur|stlur |
        mov[zkn]?|adrp?|adds?|subs?|adc|sbc|ands?|bics?|orr|orn|eor|eon|mvn|negs?|lsl|lsr|asr|ror|[su]?bf(x|iz|m|xil|i)|clz|
        rbit|rev|m?mul|madd|msub|umulh|[su]xt[bhw]|cmp|cmn|ccmp|ccmn|tst|cset|csetm|csel|csinc|csinv|csneg|cinc|cneg|mrs |
        cbn?z|tbn?z|b|b\.\w+|bl|ret|nop|bti|hint|paciasp|autiasp|pacibsp|autibsp|retaa"""),
}
FORBIDDEN = {
    "x86-64": re.compile(r"lock|rep\w*|xchg|cmpxchg\w*|xadd|[mls]fence|cpuid|serialize|syscall|sysenter|int\d?|ud[12]|hlt|rdtscp"),
    "arm64": re.compile(r"ldx\w+|stx\w+|ldax\w+|stlx\w+|ld(add|set|clr|eor|[su]min|[su]max)\w*|st(add|set|clr|eor)\w*|cas\w*|"
                        r"swp\w*|dmb|dsb|isb|svc|hvc|smc|brk|udf|blr|br"),
}
# The only registers of the system that may be read: where thread-local storage lies, and the counter.
ARM_REGISTERS = re.compile(r"(tpidr_el0|cntvct_el0)$", re.I)


def disassemble(tool, path):
    """{function: [(address, mnemonic, operands, name of the function that it goes to or None)]}"""
    text = subprocess.run([tool, "-d", "-r", "--no-show-raw-insn", path], check=True, capture_output=True, text=True).stdout
    functions, current = {}, None
    for line in text.splitlines():
        start = re.match(r"[0-9a-f]+ <([^>]+)>:", line)
        relocation = re.match(r"\s+[0-9a-f]+:\s+R_\w+\s+([^\s+-]+)", line)
        instruction = re.match(r"\s+([0-9a-f]+):\s+(\S.*)", line)
        if start:
            current = functions.setdefault(start.group(1).split("@")[0], [])
        elif relocation and current:
            address, mnemonic, operands, _ = current[-1]
            current[-1] = (address, mnemonic, operands, relocation.group(1).split("@")[0])
        elif instruction and current is not None:
            words = re.split(r"\s*(?:#|//|;)", instruction.group(2))[0].split(None, 1)
            while words[0] in ("data16", "cs", "notrack", "bnd") and len(words) > 1:
                words = words[1].split(None, 1)
            operands = words[1] if len(words) > 1 else ""
            target = re.search(r"<([^>+@]+(?:@plt)?)[^>]*>$", operands) # one through the PLT leaves the library
            current.append((int(instruction.group(1), 16), words[0], operands, target.group(1) if target else None))
    return functions


def judge_instruction(machine, mnemonic, operands):
    if machine == "x86-64" and mnemonic == "xchg" and operands == "%ax,%ax":
        return None  # a way to write nop
    if FORBIDDEN[machine].fullmatch(mnemonic):
        return "forbidden"
    if not KNOWN[machine].fullmatch(mnemonic):
        return "unknown to this check"
    if mnemonic == "mrs" and not ARM_REGISTERS.search(operands):
        return "reads a register of the system"
    if machine == "x86-64" and mnemonic in ("call", "jmp") and "*" in operands:
        return "goes to an address in memory"
    return None


def judge(machine, functions, entry):
    """(what is wrong, mnemonics seen, the functions that it leaves for)"""
    wrong, seen, left_for = [], collections.Counter(), set()
    parts, done = [entry], set()
    while parts:
        part = parts.pop()
        done.add(part)
        if part not in functions:
            return [f"{part} is not in the file"], seen, left_for
        for address, mnemonic, operands, target in functions[part]:
            seen[mnemonic] += 1
            why = judge_instruction(machine, mnemonic, operands)
            if why:
                wrong.append(f"{part} {address:#x}: {mnemonic} {operands}: {why}")
            is_branch = re.fullmatch(r"j\w+|call|b|bl|b\.\w+|cbn?z|tbn?z", mnemonic)
            if not is_branch or target is None or target in done | set(parts):
                continue
            if SLOW.search(target):
                left_for.add(target)
            elif target in functions:
                parts.append(target)
            else:
                wrong.append(f"{part} {address:#x}: {mnemonic} to {target}, whose name does not end in _slow")
    return wrong, seen, left_for


def check_hot(machine, tool, path):
    functions = disassemble(tool, path)
    for entry in HOT:
        wrong, seen, left_for = judge(machine, functions, entry)
        print(f"# {machine} {entry}: {seen.total()} instructions: "
              + ", ".join(f"{name} {count}" for name, count in seen.most_common())
              + f"; leaves for {', '.join(sorted(left_for)) or 'nothing'}")
        yield from wrong
        if not left_for:
            yield f"{entry} leaves for nothing: its rare cases were not followed"


SINS = {
    "x86-64": {"an atomic addition": "__atomic_fetch_add(&x, 1, __ATOMIC_RELAXED);",
               "an exchange": "__atomic_exchange_n(&x, 1, __ATOMIC_RELAXED);",
               "a fence": "__atomic_thread_fence(__ATOMIC_SEQ_CST);",
               "a system call": '__asm__ volatile("syscall" ::: "rax", "rcx", "r11", "memory");',
               "an allocation": "x += (long)malloc(8);", "a trap": "__builtin_trap();", "a call by pointer": "pointer();",
               "a division": "x /= (long)site;"},
    "arm64": {"an atomic addition": "__atomic_fetch_add(&x, 1, __ATOMIC_RELAXED);",
              "a fence": "__atomic_thread_fence(__ATOMIC_SEQ_CST);", "a system call": '__asm__ volatile("svc #0" ::: "memory");',
              "an allocation": "x += (long)malloc(8);", "a trap": "__builtin_trap();", "a call by pointer": "pointer();",
              "a division": "x /= (long)site;"},
}


def check_sins(machine, command, tool, folder):
    for name, code in SINS[machine].items():
        path = os.path.join(folder, "sin.c")
        with open(path, "w", encoding="ascii") as text:
            text.write("void *malloc(unsigned long); void slow_slow(void); extern long x; extern void (*volatile pointer)(void);\n"
                       f"void prof_begin(void *site) {{ if (!site) slow_slow(); {code} }}\n")
        subprocess.run([*command, "-O2", "-fPIC", path, "-o", path + ".o"], check=True, capture_output=True)
        if not judge(machine, disassemble(tool, path + ".o"), "prof_begin")[0]:
            yield f"{machine}: {name} was not seen"


def clang_for_arm():
    """(the compiler's command, the disassembler), or why there is none"""
    clang, tool = shutil.which("clang"), shutil.which("llvm-objdump") or shutil.which("aarch64-linux-gnu-objdump")
    if not clang or not tool:
        return None, "clang and llvm-objdump are not installed"
    command = [clang, "--target=aarch64-linux-gnu"]
    if subprocess.run([*command, "-xc", "-S", "-o", "-", "-"], input="", text=True, capture_output=True).returncode:
        return None, "this clang does not compile for arm64"
    return command, tool


def main():
    number = failures = 0

    def report(name, problems=(), skipped=""):
        nonlocal number, failures
        number += 1
        problems = list(problems)
        failures += bool(problems)
        for problem in problems:
            print("# " + problem)
        print(f"{'not ok' if problems else 'ok'} {number} {name}" + (f" # SKIP {skipped}" if skipped else ""))

    objdump = shutil.which("objdump")
    native = {"x86_64": "x86-64", "aarch64": "arm64"}.get(os.uname().machine)
    why = "no list for this processor" if not native else "objdump is not installed" if not objdump else ""
    with tempfile.TemporaryDirectory() as folder:
        report("the_hot_path_of_the_library_only_loads_stores_and_computes",
               check_hot(native, objdump, library) if not why else (), why)
        report("what_is_forbidden_is_seen", check_sins(native, [compiler, "-shared", "-nostdlib"], objdump, folder) if not why else (), why)
        command, tool = clang_for_arm()
        made = os.path.join(folder, "hot.o")
        if command:
            subprocess.run([*command, "-std=gnu11", "-O2", "-fPIC", "-ffreestanding", "-fvisibility=hidden", "-D_GNU_SOURCE", "-I",
                            include, "-c", source, "-o", made], check=True)
        report("the_hot_path_for_arm64_only_loads_stores_and_computes", check_hot("arm64", tool, made) if command else (),
               "" if command else tool)
        report("what_is_forbidden_is_seen_on_arm64", check_sins("arm64", [*command, "-c"], tool, folder) if command else (),
               "" if command else tool)
    print(f"1..{number}")
    return failures != 0


sys.exit(main())
