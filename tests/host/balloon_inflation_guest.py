#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The guest's part of balloon_inflation.py: requests that its balloon is inflated and deflated.

The figure "balloon_mib" asks the host to leave this much memory to the guest. Each cycle is a test.

usage: balloon_inflation_guest.py CYCLES [PARAMETER=VALUE...]

The parameters are those zero_page is loaded with; without, it is not loaded.
"""

import sys
from functools import partial
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "guest"))
# pylint: disable=wrong-import-position
from lib.balloon import device
from lib.counters import free_mib, settle, vmstat, wait_until
from lib.ksft import add, check, figure, main, note
from lib.memory import PAGES_PER_MIB, Memory, mib_total
from lib.module import load
from lib.pages import check_gauge
from lib.states import VERIFY, check_all_zero, shrink_per_cpu_lists


def resize(mebibytes, all_mib):
    """Makes the balloon leave this much memory."""
    pages = (all_mib - mebibytes) * PAGES_PER_MIB

    def size():
        now = vmstat()
        return now["balloon_inflate"] - now["balloon_deflate"]

    figure("balloon_mib", mebibytes)
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


def start():
    """Prepares everything, and as many tests as there are cycles."""
    device()
    shrink_per_cpu_lists()
    VERIFY.write_text("1")
    parameters = dict(word.split("=") for word in sys.argv[2:])
    if parameters:
        load(**parameters)
    # As QEMU counts it
    all_mib = 1024
    note(f"{mib_total()} MiB in all")
    for number in range(int(sys.argv[1])):
        add(f"cycle_{number}", partial(cycle, all_mib, bool(parameters)))


start()
main()
