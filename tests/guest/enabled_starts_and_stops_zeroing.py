#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""enabled=1 zeroes nearly all free memory; enabled=0 stops zeroing and loses no zeroed pages."""

import time

from lib.counters import settle, share_zeroed, vmstat, wait_until, zeroed
from lib.ksft import check, main, test
from lib.memory import PAGES_PER_MIB, Memory
from lib.module import DEFAULTS, load, read, tune
from lib.states import shrink_per_cpu_lists


@test
def enabling_zeroes_nearly_all_free_memory():
    """At least 95 % of it, and the events agree with the gauge."""
    shrink_per_cpu_lists()
    load(delay_millisecs=100)
    before = vmstat()
    tune(enabled=1)
    settle()
    now = vmstat()
    share = share_zeroed(now)
    check(share >= 0.95, f"only {share:.1%} of the free pages are zeroed")
    gained = now["nr_free_prezeroed"] - before["nr_free_prezeroed"]
    check(now["prezero_zeroed"] - before["prezero_zeroed"] >= gained,
          f"{gained} more free pages are zeroed than were counted")


@test
def freed_memory_is_zeroed_again():
    """The worker wakes when enough has been freed."""
    tune(batch_size=16 << 20)
    settle()
    memory = Memory(128)
    before = zeroed()
    memory.free()
    check(wait_until(lambda: zeroed() - before >= 100 * PAGES_PER_MIB, 20),
          f"{zeroed() - before} pages of 128 MiB were zeroed")


@test
def nothing_is_zeroed_while_disabled():
    """Not even with memory freed all the time."""
    tune(delay_millisecs=0, batch_size=0, enabled=0)
    before = zeroed()
    for _ in range(4):
        Memory(64).free()
        time.sleep(0.5)
    check(zeroed() == before, f"{zeroed() - before} pages were zeroed")


@test
def disabling_keeps_what_is_zeroed():
    """Pages zeroed before still serve allocations that need zeros."""
    before = vmstat()
    check(before["nr_free_prezeroed"] > 256 * PAGES_PER_MIB,
          f"only {before['nr_free_prezeroed']} free pages are zeroed")
    Memory(192).free()
    hits = vmstat()["prezero_hit"] - before["prezero_hit"]
    check(hits > 0, "none of them was used")


@test
def enabling_again_zeroes_what_was_freed():
    """Memory that was freed meanwhile is zeroed."""
    before = zeroed()
    tune(enabled=1)
    check(wait_until(lambda: zeroed() - before >= 64 * PAGES_PER_MIB, 20),
          f"{zeroed() - before} pages were zeroed")


@test
def a_write_that_changes_nothing_requests_a_pass():
    """A write to any file zeroes memory although too little was freed to wake the worker."""
    tune(batch_size=(1 << 32) - 2)
    settle()
    for name in DEFAULTS:
        Memory(64).free()
        time.sleep(0.5)
        before = zeroed()
        tune(**{name: read(name)})
        check(wait_until(lambda: zeroed() - before >= 32 * PAGES_PER_MIB, 20),
              f"{zeroed() - before} pages were zeroed after a write to {name}")


main()
