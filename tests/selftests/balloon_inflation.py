#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The guest's part of tests/balloon_inflation.py: has its balloon inflated and deflated.

A line "balloon MIB" asks the host to leave so much memory to the guest, a line "check NAME ok",
or with what is wrong instead of ok, tells it how that went.

usage: balloon_inflation.py CYCLES [PARAMETER=VALUE...]

The parameters are those zero_page is loaded with; without, it is not loaded.
"""

import sys

from balloon import device
from consumers import VERIFY, check_all_zero, check_gauge, free_mib
from guest import (PAGES_PER_MIB, Memory, load, mib_total, settle, shrink_per_cpu_lists, vmstat,
                   wait_until)
from ksft import check


def resize(mebibytes, all_mib):
    """Has the balloon leave so much memory."""
    pages = (all_mib - mebibytes) * PAGES_PER_MIB

    def size():
        now = vmstat()
        return now["balloon_inflate"] - now["balloon_deflate"]

    print("balloon", mebibytes, flush=True)
    check(wait_until(lambda: abs(size() - pages) < PAGES_PER_MIB, 60),
          f"the balloon has {size()} pages instead of {pages}")


def cycle(all_mib, loaded):
    """Inflates and deflates the balloon while memory is used; all of it must be zero."""
    small_mib = all_mib - free_mib() // 2
    used = Memory(free_mib() // 4)
    resize(small_mib, all_mib)
    if loaded:
        settle()
        check_gauge()
    used.free()
    check_all_zero()
    resize(all_mib, all_mib)
    check_all_zero()
    if loaded:
        settle()
        check_gauge()


def main():
    """Tells how each thing went."""
    device()
    shrink_per_cpu_lists()
    VERIFY.write_text("1")
    parameters = dict(word.split("=") for word in sys.argv[2:])
    if parameters:
        load(**parameters)
    # As QEMU counts it
    all_mib = 1024
    print(f"{mib_total()} MiB in all")
    for number in range(int(sys.argv[1])):
        try:
            cycle(all_mib, bool(parameters))
            result = "ok"
        except AssertionError as error:
            result = str(error)
        print(f"check cycle_{number} {result}", flush=True)
    for name, value in vmstat().items():
        if name.startswith(("balloon", "prezero")):
            print(name, value)


main()
