#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The guest's part of tests/host_memory.py: says in what state it is, for the host to measure.

It has a balloon that reports free pages. A line "phase NAME BOUND" says which state is reached,
and how many KiB are free in blocks too small to be reported; it lasts for two seconds.
"""

import time

from balloon import DRIVER, device, small_blocks
from guest import (PAGE_SIZE, Memory, load, settle, share_zeroed, shrink_per_cpu_lists, tune,
                   wait_until)
from ksft import check

MIB = 600


def phase(name):
    """Says that a state is reached, and keeps it."""
    print("phase", name, small_blocks() * PAGE_SIZE >> 10, flush=True)
    time.sleep(2)


def use_and_free():
    """Uses memory, frees it, and has all of it reported: a sixteenth of it each 0.1 s."""
    Memory(MIB).free()
    time.sleep(6)


def main():
    """All states."""
    name = device()
    shrink_per_cpu_lists()
    memory = Memory(MIB)
    phase("used")
    memory.free()
    use_and_free()
    phase("reporting")
    load(enabled=1, delay_millisecs=20, batch_size=0)
    use_and_free()
    settle()
    phase("both")
    (DRIVER / "unbind").write_text(name)
    tune(enabled=1)
    check(wait_until(lambda: share_zeroed() >= 0.9, 60), "not everything is zeroed")
    phase("zeroing")


main()
