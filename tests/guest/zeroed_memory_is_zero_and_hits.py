#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Pre-zeroed memory is allocated, is zero, and is counted as hits."""

from lib.counters import Counted, raw_mib, settle, vmstat
from lib.ksft import check, main, note, test
from lib.memory import PAGES_PER_MIB, fill, mib_total
from lib.module import load, tune
from lib.states import zero_scribbled_memory


def filled(kind):
    """Fills half of the memory; checks it and returns hits per page filled."""
    settle()
    size = mib_total() // 2
    before = vmstat()
    _, nonzero, huge_kib = fill(size, kind, "scribble")
    after = vmstat()
    hits, misses = (after[name] - before[name] for name in ("prezero_hit", "prezero_miss"))
    note(f"{kind}: {size} MiB, {hits} hits, {misses} misses")
    check(nonzero == 0, f"{nonzero} words are not zero")
    check((kind == "thp") == (huge_kib >= size * 1024 * 0.9), f"{huge_kib} KiB in huge pages")
    check(hits + misses >= size * PAGES_PER_MIB, "fewer hits and misses than pages")
    return hits / (size * PAGES_PER_MIB)


@test
def small_pages_are_zero_and_hit():
    """4 KiB pages; twice, so that scribbled memory comes back."""
    load(enabled=1, delay_millisecs=50, batch_size=0)
    for _ in range(2):
        check(filled("4k") >= 0.8, "too few hits")


@test
def huge_pages_are_zero_and_hit():
    """Transparent huge pages."""
    for _ in range(2):
        check(filled("thp") >= 0.8, "too few hits")


@test
def zeroed_pages_are_preferred():
    """Huge pages come from zeroed memory if there is some, although raw memory was freed last."""
    size = mib_total() // 4
    zero_scribbled_memory()
    tune(enabled=0)
    # Some of it stays in the per-CPU lists.
    fill(size, "4k", "scribble")
    check(raw_mib() > size // 2, f"only {raw_mib()} MiB are raw")
    with Counted() as counted:
        _, nonzero, _ = fill(size, "thp")
    note(counted)
    check(nonzero == 0, f"{nonzero} words are not zero")
    check(counted["prezero_hit"] >= 0.8 * size * PAGES_PER_MIB, "too few hits")
    tune(enabled=1)


@test
def shared_memory_is_zero():
    """Shared memory; its hits are tested elsewhere."""
    settle()
    check(fill(mib_total() // 4, "shmem", "scribble")[1] == 0, "words are not zero")


@test
def raw_memory_is_zero_and_misses():
    """Scribbled memory that was not pre-zeroed."""
    tune(enabled=0)
    size = mib_total() // 2
    fill(size, "4k", "scribble")
    before = vmstat()["prezero_miss"]
    check(fill(size, "4k")[1] == 0, "words are not zero")
    check(vmstat()["prezero_miss"] > before, "no miss was counted")


main()
