#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Page tables are taken from zeroed pages, and are empty."""

import mmap
import os
from pathlib import Path

from lib.counters import Counted
from lib.ksft import check, main, note, test
from lib.memory import MADV_NOHUGEPAGE, PAGE_SIZE, address
from lib.states import start, zero_scribbled_memory

# Memory that one page table maps
RANGE = 2 << 20
RANGES = 8192
ENTRIES = RANGE // PAGE_SIZE

# <asm-generic/mman.h>
MAP_NORESERVE = 0x4000


def page_tables():
    """Returns how many pages of page tables this process has."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmPTE:"):
            return int(line.split()[1]) * 1024 // PAGE_SIZE
    raise AssertionError("/proc/self/status has no VmPTE")


def present(where):
    """Returns how many pages of a range are present."""
    with open("/proc/self/pagemap", "rb", buffering=0) as file:
        entries = memoryview(os.pread(file.fileno(), ENTRIES * 8, where // PAGE_SIZE * 8))
    return sum(entry >> 62 != 0 for entry in entries.cast("Q"))


@test
def sparse_memory_needs_page_tables_that_hit():
    """A byte is read in each of many ranges: only page tables are allocated."""
    start()
    memory = mmap.mmap(-1, RANGES * RANGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE)
    memory.madvise(MADV_NOHUGEPAGE)
    zero_scribbled_memory()
    before = page_tables()
    with Counted() as counted:
        total = sum(memory[offset] for offset in range(0, len(memory), RANGE))
    tables = page_tables() - before
    note(f"{tables} page tables, {counted}")
    check(total == 0, "memory is not zero")
    check(tables >= RANGES, f"only {tables} page tables for {RANGES} ranges")
    first = address(memory)
    for number in range(0, RANGES, 64):
        pages = present(first + number * RANGE)
        check(pages == 1, f"range {number} has {pages} pages instead of 1")
    check(counted["prezero_hit_kernel"] >= 0.9 * tables, "too few hits")


main()
