#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Huge pages of 1 GiB are zero and hit. Boots with hugepagesz=1G hugepages=1 and 4 GiB."""

import mmap
import random
import time

from lib.counters import Counted, fault, free_mib, settle, vmstat, wait_until
from lib.hugetlb import GIGANTIC, HIT, MAP_HUGE_1GB, MAP_HUGETLB, MISS, ZEROED
from lib.ksft import check, main, note, test
from lib.memory import SCRIBBLE, ZEROS, anonymous, fill
from lib.module import tune
from lib.process import Process
from lib.states import start


def use():
    """Allocates a page, which must be zero, and scribbles on it; returns what was counted."""
    memory = anonymous(GIGANTIC.mib, mmap.MAP_PRIVATE | MAP_HUGETLB | MAP_HUGE_1GB)
    counted = fault(memory)
    memory.close()
    return counted


def check_use(hits):
    """Allocates a page; this many of its pages must be hits, and the rest misses."""
    counted = use()
    note(counted)
    check(counted[HIT] >= hits, f"{counted[HIT]} hits")
    check(counted[HIT] + counted[MISS] == GIGANTIC.pages,
          f"{counted[HIT]} hits, {counted[MISS]} misses")


def wait_for_pool(before):
    """Waits until a whole page of the pool has been zeroed."""
    check(wait_until(lambda: vmstat().get(ZEROED, 0) - before >= GIGANTIC.pages, 20),
          f"{vmstat().get(ZEROED, 0) - before} of {GIGANTIC.pages} pages of the pool were zeroed")


@test
def page_reserved_at_boot_hits():
    """It is zeroed in the background once that is enabled."""
    check(GIGANTIC.get("nr_hugepages") == 1, "no page of 1 GiB in the pool")
    before = vmstat().get(ZEROED, 0)
    start()
    wait_for_pool(before)
    check_use(GIGANTIC.pages)


@test
def freed_page_is_zeroed_and_hits():
    """Memory that one process scribbled on is a hit for another."""
    tune(enabled=0)
    before = vmstat().get(ZEROED, 0)
    Process(use).wait()
    tune(enabled=1)
    wait_for_pool(before)
    check_use(GIGANTIC.pages)


@test
def page_taken_again_at_once_misses():
    """It is cleared when it is used."""
    tune(enabled=0)
    Process(use).wait()
    counted = use()
    note(counted)
    check(counted[MISS] == GIGANTIC.pages, f"{counted[MISS]} misses, {counted[HIT]} hits")


@test
def page_used_while_it_is_zeroed_is_zero():
    """It is taken when a part of it has been zeroed, scribbled on, and zeroed from the start."""
    chance, rounds, hits, misses = random.Random(1), 0, 0, 0
    tune(enabled=1, delay_millisecs=0)
    before = vmstat()[ZEROED]
    Process(use).wait()
    start_of_pass = time.monotonic()
    wait_for_pool(before)
    whole = time.monotonic() - start_of_pass
    # As often before the end of a pass as after it, however busy the machine is.
    while rounds < 20 or (rounds < 60 and min(hits, misses) <= 5):
        rounds += 1
        time.sleep(chance.random() * 2 * whole)
        memory = anonymous(GIGANTIC.mib, mmap.MAP_PRIVATE | MAP_HUGETLB | MAP_HUGE_1GB)
        with Counted() as counted:
            first = memory[:len(SCRIBBLE)]
        check(first == ZEROS, "what was zeroed first is not zero")
        memory[:len(SCRIBBLE)] = SCRIBBLE
        memory.close()
        hits, misses = hits + bool(counted[HIT]), misses + bool(counted[MISS])
    note(f"zeroed in {whole:.2f} s; used {hits} times after that, {misses} times before it was over")
    check(hits > 5 and misses > 5, "it was hardly ever used while it was zeroed")
    tune(delay_millisecs=50)


@test
def page_allocated_at_run_time_hits():
    """It is made of free memory that was scribbled on and zeroed before."""
    Process(use).wait()
    GIGANTIC.resize(0)
    tune(enabled=1)
    settle()
    tune(enabled=0)
    GIGANTIC.resize(1)
    check_use(0.8 * GIGANTIC.pages)
    GIGANTIC.resize(0)


@test
def nothing_is_cleared_for_a_pool_that_grows():
    """While much of the free memory is raw, a page is taken as it is, and cleared when used."""
    fill(free_mib() // 2, "4k", "scribble")
    with Counted() as counted:
        GIGANTIC.resize(1)
    note(counted)
    check(counted["prezero_miss"] < GIGANTIC.pages // 8, f"{counted['prezero_miss']} pages were cleared")
    check(use()[MISS] == GIGANTIC.pages, "the page was taken for zero")
    GIGANTIC.resize(0)


@test
def page_allocated_from_raw_memory_is_zero():
    """Memory that the test before scribbled on is cleared."""
    GIGANTIC.resize(1)
    use()
    GIGANTIC.resize(0)


main()
