#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Huge pages of 1 GiB are zero and hit. Boots with hugepagesz=1G hugepages=1 and 4 GiB."""

import mmap
from pathlib import Path

from lib.counters import fault, settle, vmstat, wait_until
from lib.ksft import check, main, note, test
from lib.memory import PAGES_PER_MIB, anonymous
from lib.module import tune
from lib.process import Process
from lib.states import start

POOL = Path("/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages")
MIB = 1024
PAGES = MIB * PAGES_PER_MIB
HIT, MISS, ZEROED = "prezero_hit_hugetlb", "prezero_miss_hugetlb", "prezero_zeroed_hugetlb"

# <asm-generic/mman-common.h>, <linux/mman.h>
MAP_HUGETLB, MAP_HUGE_1GB = 0x40000, 30 << 26


def resize(pages):
    """Sets how many pages the pool has."""
    try:
        POOL.write_text(str(pages))
    except OSError as error:
        raise AssertionError(f"no 1 GiB pages at run time, is CONFIG_CMA set? {error}") from error
    check(int(POOL.read_text()) == pages, f"{POOL.read_text().strip()} pages instead of {pages}")


def use():
    """Allocates a page, which must be zero, and scribbles on it; returns what was counted."""
    memory = anonymous(MIB, mmap.MAP_PRIVATE | MAP_HUGETLB | MAP_HUGE_1GB)
    counted = fault(memory)
    memory.close()
    return counted


def check_use(hits):
    """Allocates a page; this many of its pages must be hits, and the rest misses."""
    counted = use()
    note(counted)
    check(counted[HIT] >= hits, f"{counted[HIT]} hits")
    check(counted[HIT] + counted[MISS] == PAGES, f"{counted[HIT]} hits, {counted[MISS]} misses")


def wait_for_pool(before):
    """Waits until a whole page of the pool has been zeroed."""
    check(wait_until(lambda: vmstat().get(ZEROED, 0) - before >= PAGES, 20),
          f"{vmstat().get(ZEROED, 0) - before} of {PAGES} pages of the pool were zeroed")


@test
def page_reserved_at_boot_hits():
    """It is zeroed in the background once that is enabled."""
    check(int(POOL.read_text()) == 1, "no page of 1 GiB in the pool")
    before = vmstat().get(ZEROED, 0)
    start()
    wait_for_pool(before)
    check_use(PAGES)


@test
def freed_page_is_zeroed_and_hits():
    """Memory that one process scribbled on is a hit for another."""
    tune(enabled=0)
    before = vmstat().get(ZEROED, 0)
    Process(use).wait()
    tune(enabled=1)
    wait_for_pool(before)
    check_use(PAGES)


@test
def page_taken_again_at_once_misses():
    """It is cleared when it is used."""
    tune(enabled=0)
    Process(use).wait()
    counted = use()
    note(counted)
    check(counted[MISS] == PAGES, f"{counted[MISS]} misses, {counted[HIT]} hits")


@test
def page_allocated_at_run_time_hits():
    """It is made of free memory that was scribbled on and zeroed before."""
    Process(use).wait()
    resize(0)
    tune(enabled=1)
    settle()
    tune(enabled=0)
    resize(1)
    check_use(0.8 * PAGES)
    resize(0)


@test
def page_allocated_from_raw_memory_is_zero():
    """Memory that the test before scribbled on is cleared."""
    resize(1)
    use()
    resize(0)


main()
