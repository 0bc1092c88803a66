#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""A pass starts delay_millisecs after the wake-up, even if the delay is changed meanwhile."""

import time

from lib.counters import settle, wait_until, zeroed
from lib.ksft import check, main, note, test
from lib.memory import PAGES_PER_MIB, Memory
from lib.module import load, tune

# How late a pass may start on a busy machine
LATE = 4


def seconds_to_pass():
    """Frees more than a batch; returns after how many seconds zeroing begins."""
    memory = Memory(96)
    before = zeroed()
    start = time.monotonic()
    memory.free()
    wait_until(lambda: zeroed() - before >= PAGES_PER_MIB, 15, step=0.01)
    return time.monotonic() - start


@test
def passes_start_after_the_delay():
    """Neither before nor long after the delay, whether that is long or short."""
    load(enabled=1, delay_millisecs=100, batch_size=32 << 20)
    for delay in (3.0, 0.1, 1.5):
        tune(delay_millisecs=round(delay * 1000))
        settle(quiet=delay + 1)
        took = seconds_to_pass()
        note(f"delay {delay} s: pass seen after {took:.2f} s")
        check(delay * 0.95 <= took <= delay + LATE, f"delay {delay} s: pass after {took:.2f} s")


@test
def a_pending_pass_follows_a_new_delay():
    """A pass that is an hour away starts at once when the delay becomes 0."""
    settle()
    tune(delay_millisecs=3600 * 1000)
    before = zeroed()
    Memory(96).free()
    time.sleep(2)
    check(zeroed() == before, f"{zeroed() - before} pages were zeroed an hour early")
    tune(delay_millisecs=0)
    check(wait_until(lambda: zeroed() - before >= 32 * PAGES_PER_MIB, LATE),
          f"{zeroed() - before} pages were zeroed after the delay became 0")


main()
