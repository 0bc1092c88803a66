#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The worker runs only after batch_size bytes were freed since it was last woken."""

import time

from lib.counters import settle, wait_until, zeroed
from lib.ksft import check, main, test
from lib.memory import PAGES_PER_MIB, Memory
from lib.module import load, tune
from lib.states import shrink_per_cpu_lists

BATCH_MIB = 256


@test
def less_than_a_batch_does_not_wake_it():
    """Half of batch_size is freed and stays as it is."""
    shrink_per_cpu_lists()
    load(enabled=1, delay_millisecs=100, batch_size=BATCH_MIB << 20)
    settle()
    before = zeroed()
    Memory(BATCH_MIB // 2).free()
    time.sleep(3)
    check(zeroed() == before, f"{zeroed() - before} pages were zeroed")


@test
def a_whole_batch_wakes_it():
    """Frees add up: as much again in four parts, and a little more, is enough."""
    before = zeroed()
    for _ in range(4):
        Memory(BATCH_MIB // 6).free()
    check(wait_until(lambda: zeroed() - before >= BATCH_MIB // 8 * PAGES_PER_MIB, 10),
          f"{zeroed() - before} pages were zeroed")


@test
def zero_wakes_it_with_every_free():
    """With batch_size 0, freeing four MiB is enough, every time."""
    tune(batch_size=0)
    settle()
    for _ in range(3):
        memory = Memory(4)
        before = zeroed()
        memory.free()
        check(wait_until(lambda: zeroed() - before > 0, 10), "nothing was zeroed")


main()
