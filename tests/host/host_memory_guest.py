#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The guest's part of host_memory.py: reports its state, so that the host can measure it.

It has a balloon that reports free pages. The figure "phase" says which state is reached; it lasts
for two seconds. The one before it says how many KiB are free in blocks too small to be reported.
"""

import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "guest"))
# pylint: disable=wrong-import-position

from lib.balloon import DRIVER, device, small_blocks
from lib.counters import settle, share_zeroed, wait_until
from lib.ksft import check, figure
from lib.memory import PAGE_SIZE, Memory
from lib.module import load, tune
from lib.states import shrink_per_cpu_lists

MIB = 600


def phase(name):
    """Reports that a state is reached, and keeps it."""
    figure("kib_in_small_blocks", small_blocks() * PAGE_SIZE >> 10)
    figure("phase", name)
    time.sleep(2)


def use_and_free():
    """Uses memory, frees it, and waits until all of it is reported: a sixteenth every 0.1 s."""
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
