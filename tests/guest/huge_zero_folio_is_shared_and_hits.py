#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The huge zero folio, which a read of untouched huge memory maps, is made of zeroed pages, shared
by all readers, kept while it is in use, and replaced on a write."""

import os
from pathlib import Path

from lib.counters import Counted
from lib.ksft import check, main, note, test
from lib.memory import MADV_HUGEPAGE, PAGES_PER_THP, ZEROS, address, anonymous
from lib.process import Process, Setting
from lib.states import start, zero_scribbled_memory

THP = 2 << 20
USE_ZERO_PAGE = "/sys/kernel/mm/transparent_hugepage/use_zero_page"
READERS = 40


def huge_range():
    """Maps memory for huge pages; returns it and the offset of the first whole one."""
    memory = anonymous(3 * THP >> 20)
    memory.madvise(MADV_HUGEPAGE)
    return memory, -address(memory) % THP


def read_huge_page(allocations):
    """Reads a huge page that was never written, which must allocate the folio this many times;
    returns what was counted, and the mapping and offset."""
    memory, offset = huge_range()
    with Counted() as counted:
        first = memory[offset]
    check(first == 0, f"the first byte is {first}")
    check(memory[offset:offset + THP] == ZEROS * (THP // len(ZEROS)), "the folio is not zero")
    count = counted["thp_zero_page_alloc"]
    check(count == allocations, f"{count} huge zero folios were allocated, not {allocations}")
    return counted, memory, offset


def drop_unused():
    """Runs the shrinker, which frees the folio if it is not in use."""
    Path("/proc/sys/vm/drop_caches").write_text("2")


@test
def first_read_takes_zeroed_pages():
    """One folio is allocated, not before it is needed, and all of its pages are hits."""
    start()
    with Setting(USE_ZERO_PAGE, 1):
        zero_scribbled_memory()
        drop_unused()

        def reader():
            counted, _, _ = read_huge_page(allocations=1)
            note(counted)
            check(counted["prezero_hit"] >= PAGES_PER_THP, f"only {counted['prezero_hit']} hits")
            check(max(counted["prezero_hit_kernel"], counted["prezero_hit_huge"]) >= PAGES_PER_THP,
                  "the hits are in no class")

        with Counted() as counted:
            huge_range()
        check(counted["thp_zero_page_alloc"] == 0, "a folio was allocated for who does not read")
        Process(reader).wait()


@test
def readers_share_it_while_there_are_any():
    """However many processes read, whichever of them exits, there is one folio until the last."""
    with Setting(USE_ZERO_PAGE, 1):
        drop_unused()
        ready, said_ready = os.pipe()
        go, said_go = os.pipe()

        def holder():
            os.close(said_go)
            read_huge_page(allocations=1)
            os.write(said_ready, b"x")
            os.read(go, 1)

        first = Process(holder)
        os.read(ready, 1)
        readers = [Process(read_huge_page, 0) for _ in range(READERS)]
        for reader in readers:
            reader.wait()
        drop_unused()
        # Still the one of the first.
        Process(read_huge_page, 0).wait()
        os.close(go)
        os.close(said_go)
        first.wait()
        # Unused, it stays until the shrinker runs.
        Process(read_huge_page, 0).wait()
        drop_unused()
        Process(read_huge_page, 1).wait()


@test
def writers_leave_it():
    """A write allocates a private huge page, in parent and child."""
    with Setting(USE_ZERO_PAGE, 1):
        drop_unused()
        _, memory, offset = read_huge_page(allocations=1)

        def child():
            check(memory[offset + 5] == 0, "the child sees what the parent writes later")
            memory[offset + 7] = 1
            check(memory[offset:offset + 8] == b"\0\0\0\0\0\0\0\1", "the child's page is wrong")
            check(memory[offset + 8:offset + THP] == bytes(THP - 8), "the rest is not zero")

        Process(child).wait()
        memory[offset + 5] = 9
        check(memory[offset:offset + 8] == b"\0\0\0\0\0\x09\0\0", "the parent's page is wrong")
        check(memory[offset + 8:offset + THP] == bytes(THP - 8), "the rest is not zero")
        # The folio itself is unchanged.
        Process(read_huge_page, 0).wait()


main()
