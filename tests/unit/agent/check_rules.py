#!/usr/bin/env python3
"""Compares what the agent reads in .eh_frame with what readelf does, at every address where a row
begins, in the libraries that are here.

    check_rules.py PRINT_RULES
"""
import glob
import re
import shutil
import subprocess
import sys

LIBRARIES = ["/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
             "/usr/lib/x86_64-linux-gnu/libcrypto.so.3", "/lib64/libc.so.6",
             "/lib64/ld-linux-x86-64.so.2"]
REGISTERS = {name: number for number, name in enumerate(
    ["rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp"] + ["r%d" % n for n in range(8, 16)]
    + ["ra"])}
ROW = re.compile(r"^([0-9a-f]{16}) (\S+) +(.*)$")


def rows(library):
    """(address, {register: place}) of each row; "" is the frame's top."""
    output = subprocess.run(["readelf", "-wNF", library], stdout=subprocess.PIPE, check=False,
                            stderr=subprocess.DEVNULL)  # fails for want of debugging information
    names, is_function = [], False
    for line in output.stdout.decode().splitlines():
        if " FDE " in line or " CIE " in line:
            is_function = " FDE " in line
        elif line.lstrip().startswith("LOC"):
            names = line.split()[2:]
        else:
            found = ROW.match(line)
            if found and is_function:
                words = re.sub(r"(r\d+) \(\w+\)", r"\1", found[3]).split()
                places = dict(zip(names, words))
                places[""] = found[2]
                yield int(found[1], 16), places


def expected(places):
    top = re.fullmatch(r"(rsp|rbp)\+(\d+)", places[""])
    saved = re.fullmatch(r"c([-+]\d+)", places.get("rbp", "u"))
    if places.get("ra") == "u":
        return {"END"}
    if top and places.get("ra") == "c-8" and (saved or places.get("rbp", "u") in "us"):
        return {"%s %s %s" % ("SP" if top[1] == "rsp" else "BP", top[2],
                              int(saved[1]) if saved else 0)}
    return {"OTHER", "NONE"}


def expected_row(places):
    """All registers, as print_rules.c has them."""
    top = re.fullmatch(r"(\w+)([-+]\d+)", places[""])
    found = {"TOP": "%d%s" % (REGISTERS[top[1]], top[2]) if top else "exp"}
    for name, place in places.items():
        if name and place != "s" and (place != "u" or name == "ra"):
            found[str(REGISTERS[name])] = re.sub(r"^r", "", place)
    return found


def is_row(places, words):
    """Nothing said of a register and "it has no value" are one and the same to readelf."""
    found = dict(word.split("=") for word in words)
    assert "TOP" in found
    return {name: place for name, place in found.items() if place != "u" or name == "16"} == \
        expected_row(places)


def check(program, library):
    # A row that the next one begins at the same address of holds nowhere.
    wanted = dict(rows(library))
    answer = subprocess.run([program, library], stdout=subprocess.PIPE, check=False,
                            input="".join("%x\n" % at for at in wanted).encode())
    if answer.returncode == 77:
        return 0, 0
    told = answer.stdout.decode().splitlines()
    assert answer.returncode == 0 and len(told) == len(wanted), answer.returncode
    wrong = []
    for (at, places), line in zip(wanted.items(), told):
        found, top, row = line.partition(" TOP=")
        if found not in expected(places) or not is_row(places, (top + row).split()):
            wrong.append((hex(at), expected(places), expected_row(places), line))
    print("%s: %d rows, %d differ %s" % (library, len(wanted), len(wrong), wrong[:5]))
    return len(wanted), len(wrong)


def main():
    if not shutil.which("readelf"):
        sys.exit(77)
    found = [check(sys.argv[1], library) for library in LIBRARIES if glob.glob(library)]
    if not any(n for n, _ in found):
        sys.exit(77)
    sys.exit(any(wrong for _, wrong in found))


main()
