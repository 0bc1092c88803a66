#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Huge pages of hugetlb are zero and served from zeroed pages, wherever the pool got them."""

import mmap
import os
import subprocess
from pathlib import Path

from lib.cgroup import Cgroup, root as cgroup_root
from lib.counters import Counted, check_hits, fault, free_mib, settle, vmstat, wait_until
from lib.hugetlb import HIT, HUGE, MAP_HUGETLB, MISS, ZEROED
from lib.ksft import check, main, note, test
from lib.memory import MADV_POPULATE_WRITE, PAGES_PER_MIB, anonymous, check_zero, scribble
from lib.module import tune
from lib.process import Process, Setting
from lib.states import start, zero_scribbled_memory

PAGES = 64
MIB = PAGES * 2


def use_and_scribble():
    """Takes the pool."""
    memory = anonymous(MIB, mmap.MAP_PRIVATE | MAP_HUGETLB)
    fault(memory)
    memory.close()


def take(what, memory, enough=0.95):
    """Faults in a mapping of the size of the pool; it must be zero, and hit."""
    counted = fault(memory)
    memory.close()
    check_hits(what, counted, HIT, MIB, enough)
    pages = counted[HIT] + counted[MISS]
    check(pages == MIB * PAGES_PER_MIB, f"{what}: {pages} hits and misses of {MIB} MiB")


def pool_zeroed():
    """Returns how many pages of pools have been pre-zeroed since boot."""
    return vmstat().get(ZEROED, 0)


def wait_for_pool(before):
    """Waits until as many pages have been zeroed as the pool has."""
    pages = MIB * PAGES_PER_MIB
    check(wait_until(lambda: pool_zeroed() - before >= pages, 10),
          f"{pool_zeroed() - before} of {pages} pages of the pool were zeroed")


def zero_scribbled_pool():
    """Lets another process scribble over the whole pool, and then zeroes all of it."""
    tune(enabled=0)
    before = pool_zeroed()
    Process(use_and_scribble).wait()
    tune(enabled=1)
    wait_for_pool(before)


@test
def fresh_pages_hit():
    """The pool gets pages that were zeroed before, and knows that they are zero."""
    start()
    zero_scribbled_memory()
    # Nothing zeroes the pool itself now.
    tune(enabled=0)
    with Counted() as counted:
        HUGE.resize(PAGES)
    note(f"pool of {PAGES} pages: {counted}")
    take("fresh", anonymous(MIB, mmap.MAP_PRIVATE | MAP_HUGETLB), enough=0.8)


@test
def freed_pages_are_zeroed_and_hit():
    """Memory that one process scribbled on is a hit for another, repeatedly."""
    for _ in range(3):
        zero_scribbled_pool()
        take("pool", anonymous(MIB, mmap.MAP_PRIVATE | MAP_HUGETLB))


@test
def freeing_pages_wakes_the_worker():
    """Nothing else has to happen for them to be zeroed."""
    zero_scribbled_pool()
    # More than what else is freed
    tune(batch_size=MIB // 2 << 20)
    settle()
    before = pool_zeroed()
    Process(use_and_scribble).wait()
    wait_for_pool(before)
    tune(batch_size=0)
    take("woken", anonymous(MIB, mmap.MAP_PRIVATE | MAP_HUGETLB))


@test
def pages_taken_again_at_once_miss():
    """Freed pages that have not been zeroed yet are cleared when they are used."""
    tune(enabled=0)
    Process(use_and_scribble).wait()
    counted = fault(anonymous(MIB, mmap.MAP_PRIVATE | MAP_HUGETLB))
    note(counted)
    check(counted[MISS] == MIB * PAGES_PER_MIB, f"{counted[MISS]} misses")
    check(counted[HIT] == 0, f"{counted[HIT]} hits")


@test
def part_of_the_pool_that_is_zeroed_hits():
    """With half of the pool raw, both halves are zero, and hits and misses are counted as such."""
    zero_scribbled_pool()
    tune(enabled=0)
    half = anonymous(MIB // 2, mmap.MAP_PRIVATE | MAP_HUGETLB)
    fault(half)
    half.close()
    counted = fault(anonymous(MIB, mmap.MAP_PRIVATE | MAP_HUGETLB))
    note(counted)
    pages = MIB // 2 * PAGES_PER_MIB
    check(counted[MISS] == pages, f"{counted[MISS]} misses instead of {pages}")
    check(counted[HIT] == pages, f"{counted[HIT]} hits instead of {pages}")


@test
def private_copies_are_not_zeroed():
    """A page that is copied on write has the content of the original, and is raw afterwards."""
    zero_scribbled_pool()
    tune(enabled=0)
    memory = anonymous(MIB // 2, mmap.MAP_PRIVATE | MAP_HUGETLB)
    fault(memory)

    def write_to_copies():
        for offset in range(0, len(memory), 2 << 20):
            memory[offset] = 1
            check(memory[offset + 1:offset + 4096] == b"\xa5" * 4095, "the copy is wrong")

    Process(write_to_copies).wait()
    memory.close()
    use_and_scribble()


@test
def fallocated_files_are_zero_and_hit():
    """fallocate(2) on hugetlbfs takes zeroed pages."""
    zero_scribbled_pool()
    mount = Path("/run/hugetlbfs")
    mount.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "hugetlbfs", "none", str(mount)], check=True)
    try:
        with open(mount / "file", "w+b") as file:
            with Counted() as counted:
                os.posix_fallocate(file.fileno(), 0, MIB << 20)
            memory = mmap.mmap(file.fileno(), MIB << 20)
            check_zero(memory)
            scribble(memory)
            memory.close()
        (mount / "file").unlink()
    finally:
        subprocess.run(["umount", str(mount)], check=True)
    check_hits("fallocate", counted, HIT, MIB, 0.95)


@test
def memfd_is_zero_and_hits():
    """memfd_create(2) with MFD_HUGETLB."""
    zero_scribbled_pool()
    file = os.memfd_create("zero_page", os.MFD_HUGETLB)
    os.ftruncate(file, MIB << 20)
    memory = mmap.mmap(file, MIB << 20)
    os.close(file)
    take("memfd", memory)


@test
def pages_without_memory_map_of_their_own_hit():
    """Most of their pages have no struct page that could be written to."""
    HUGE.resize(0)
    with Setting("/proc/sys/vm/hugetlb_optimize_vmemmap", 1):
        HUGE.resize(PAGES)
    for _ in range(2):
        zero_scribbled_pool()
        take("optimized vmemmap", anonymous(MIB, mmap.MAP_PRIVATE | MAP_HUGETLB))


@test
def pages_that_cannot_be_charged_stay_zeroed():
    """What a cgroup at its limit could not get, others get without clearing it again."""
    attempts = 20

    def fail():
        group.enter()
        memory = anonymous(MIB, mmap.MAP_PRIVATE | MAP_HUGETLB)
        for _ in range(attempts):
            try:
                memory.madvise(MADV_POPULATE_WRITE)
            except OSError:
                continue
            check(False, "the limit of the cgroup does not apply")
        memory.close()

    zero_scribbled_pool()
    tune(enabled=0)
    subprocess.run(["mount", "-o", "remount,memory_hugetlb_accounting", cgroup_root()], check=True)
    with Cgroup() as group:
        limit = 16
        (group.path / "memory.max").write_text(f"{limit}M")
        with Counted() as counted:
            Process(fail).wait()
    used = counted[HIT] + counted[MISS]
    note(f"{used} pages were charged")
    check(used <= limit * PAGES_PER_MIB, f"{used} pages were charged in spite of the limit")
    counted = fault(anonymous(MIB, mmap.MAP_PRIVATE | MAP_HUGETLB))
    note(counted)
    check(counted[MISS] == used, f"{counted[MISS]} misses instead of {used}")


@test
def surplus_pages_are_zero_and_hit():
    """Without a pool, pages come from the page allocator on demand."""
    HUGE.resize(0)
    zero_scribbled_memory()
    with Setting(HUGE.directory / "nr_overcommit_hugepages", PAGES):
        take("surplus", anonymous(MIB, mmap.MAP_PRIVATE | MAP_HUGETLB), enough=0.8)
        check(HUGE.get("free_hugepages") == 0 and HUGE.get("surplus_hugepages") == 0,
              "surplus pages stay in the pool")


@test
def scribbled_pool_goes_back_raw():
    """Pages that return from the pool to the page allocator are not taken for zero there."""
    tune(enabled=0)
    HUGE.resize(PAGES)
    Process(use_and_scribble).wait()
    HUGE.resize(0)
    memory = anonymous(free_mib() * 3 // 4)
    memory.madvise(MADV_POPULATE_WRITE)
    check_zero(memory)
    memory.close()


main()
