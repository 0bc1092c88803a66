#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Anonymous folios of all sizes are zero, and served from zeroed pages."""

from contextlib import ExitStack
from pathlib import Path

from lib.counters import ENOUGH, Counted
from lib.ksft import check, main, note, test
from lib.memory import MADV_POPULATE_WRITE, PAGES_PER_MIB, anonymous, check_zero, fill, scribble
from lib.process import Setting
from lib.states import start, zero_scribbled_memory

MIB = 96
SIZES = {int(path.parent.name[len("hugepages-"):-len("kB")]): path.parent for path in
         Path("/sys/kernel/mm/transparent_hugepage").glob("hugepages-*kB/enabled")}


def folios_allocated(directory):
    """Returns how many folios of a size anonymous page faults got since boot."""
    return int((directory / "stats/anon_fault_alloc").read_text())


def take(kib):
    """Allocates memory in folios of one size, the only one allowed; leaves it scribbled on."""
    with ExitStack() as settings:
        for size, directory in SIZES.items():
            settings.enter_context(
                Setting(directory / "enabled", "always" if size == kib else "never"))
        before = folios_allocated(SIZES[kib])
        memory = anonymous(MIB)
        with Counted() as counted:
            memory.madvise(MADV_POPULATE_WRITE)
        folios = folios_allocated(SIZES[kib]) - before
    check_zero(memory)
    scribble(memory)
    memory.close()
    expected = MIB * 1024 // kib
    check(folios >= 0.9 * expected, f"{folios} folios of {kib} KiB instead of {expected}")
    return counted


@test
def folios_of_every_size_are_zero_and_hit():
    """One size after the other; each gets memory that the previous one has scribbled on."""
    start()
    check(len(SIZES) >= 8, f"only the sizes {sorted(SIZES)}")
    too_few = []
    for kib in sorted(SIZES):
        zero_scribbled_memory()
        counted = take(kib)
        note(f"{kib} KiB: {counted}")
        if min(counted["prezero_hit"], counted["prezero_hit_huge"]) < ENOUGH * MIB * PAGES_PER_MIB:
            too_few.append(kib)
    check(not too_few, f"too few hits for folios of {too_few} KiB")


@test
def raw_folios_of_every_size_are_zero():
    """Memory that was not pre-zeroed is cleared on allocation, also in half-zeroed blocks."""
    zero_scribbled_memory()
    for kib in sorted(SIZES):
        take(kib)


@test
def small_pages_are_in_no_class():
    """Hits of 4 KiB pages of user memory are neither huge nor the kernel's."""
    zero_scribbled_memory()
    pages = 128 * PAGES_PER_MIB
    with Counted() as counted:
        fill(128, "4k")
    note(counted)
    check(counted["prezero_hit"] >= 0.8 * pages, "too few hits")
    for name in ("prezero_hit_huge", "prezero_hit_kernel"):
        check(counted[name] <= 0.05 * pages, f"{counted[name]} of {pages} pages are in {name}")


main()
