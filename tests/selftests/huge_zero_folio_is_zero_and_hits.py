#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The huge zero folio, which a read of untouched huge memory maps, is made of zeroed pages."""

from pathlib import Path

from consumers import (ZEROS, Counted, Process, address, anonymous, start,
                       zero_scribbled_memory)
from guest import MADV_HUGEPAGE, PAGES_PER_THP
from ksft import check, main, note, test

THP = 2 << 20


def read_huge_range():
    """Reads a huge page that was never written; returns what was counted, and the mapping."""
    memory = anonymous(3 * THP >> 20)
    memory.madvise(MADV_HUGEPAGE)
    start_of_page = -address(memory) % THP
    with Counted() as counted:
        first = memory[start_of_page]
    check(first == 0, f"the first byte is {first}")
    content = memory[start_of_page:start_of_page + THP]
    check(content == ZEROS * (THP // len(ZEROS)), "the huge zero folio is not zero")
    return counted, memory


def read_shared_folio():
    """Reads what is there already."""
    counted, _ = read_huge_range()
    check(counted["thp_zero_page_alloc"] == 0, "the second reader got a folio of its own")


@test
def first_read_takes_zeroed_pages():
    """One folio is allocated, all of it hits; the next process shares it."""
    start()
    Path("/sys/kernel/mm/transparent_hugepage/use_zero_page").write_text("1")
    zero_scribbled_memory()
    # The shrinker frees one that nobody uses.
    Path("/proc/sys/vm/drop_caches").write_text("2")
    counted, _memory = read_huge_range()
    note(counted)
    check(counted["thp_zero_page_alloc"] == 1,
          f"{counted['thp_zero_page_alloc']} huge zero folios were allocated")
    check(counted["prezero_hit"] >= PAGES_PER_THP, f"only {counted['prezero_hit']} hits")
    check(max(counted["prezero_hit_kernel"], counted["prezero_hit_huge"]) >= PAGES_PER_THP,
          "the hits are in no class")
    Process(read_shared_folio).wait()


main()
