#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests that any kernel has to pass, with or without the series. The guest has a balloon that
reports free pages."""

import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "guest"))
# pylint: disable=wrong-import-position
from lib.balloon import device
from lib.counters import vmstat
from lib.ksft import check, main, test
from lib.memory import check_zero, fill, mib_total
from lib.swap import Swap, page_out, written


def used_twice(kind, mebibytes):
    """Fills memory, leaves it scribbled, and checks the memory that the next process gets."""
    for _ in range(2):
        nonzero = fill(mebibytes, kind, "scribble")[1]
        check(nonzero == 0, f"{nonzero} words of new memory were not zero")


@test
def small_pages_are_zero():
    """Pages of 4 KiB that another process has used are zero."""
    used_twice("4k", mib_total() // 2)


@test
def huge_pages_are_zero():
    """The same for THP."""
    used_twice("thp", mib_total() // 2)


@test
def shared_memory_is_zero():
    """The same for shmem."""
    used_twice("shmem", mib_total() // 3)


@test
def hugetlb_is_zero():
    """The same for a hugetlb pool."""
    pool = Path("/proc/sys/vm/nr_hugepages")
    pool.write_text("32")
    try:
        used_twice("hugetlb", 2 * int(pool.read_text()))
    finally:
        pool.write_text("0")


@test
def reported_memory_is_zero():
    """Memory that the balloon has reported since it was used is zero."""
    device()
    fill(mib_total() // 2, "4k", "scribble")
    time.sleep(3)
    check(fill(mib_total() // 2, "thp")[1] == 0, "new memory is not zero")


@test
def swapped_out_zeros_are_zero():
    """Pages full of zeros come back from swap as such, read or written."""
    with Swap():
        memory = written(32)
        page_out(memory)
        check_zero(memory)
        # What was read is the zero page now, which is not swapped out.
        memory = written(32)
        page_out(memory)
        memory[0:len(memory):4096] = b"\x01" * (len(memory) // 4096)
        check(memory[1:4096] == bytes(4095), "a page is not zero where it was not written")


@test
def memory_is_compacted():
    """Compaction moves pages without losing free ones."""
    before = vmstat()["nr_free_pages"]
    Path("/proc/sys/vm/compact_memory").write_text("1")
    subprocess.run(["sync"], check=True)
    time.sleep(1)
    check(vmstat()["nr_free_pages"] > before * 0.9, "free pages were lost")


main()
