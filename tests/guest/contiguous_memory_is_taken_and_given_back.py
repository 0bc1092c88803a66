#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Memory is isolated, moved and allocated in contiguous ranges; pages marked as zero are zero.

Uses the contiguous memory allocator through its debugfs files. Boots with cma=AREA_MIB.
"""

import ctypes
import os
import random
from pathlib import Path

from lib.counters import free_mib, settle, vmstat, wait_until
from lib.ksft import Skip, check, main, note, test
from lib.memory import PAGES_PER_MIB, PAGE_SIZE, Memory
from lib.module import tune
from lib.pages import PageFlags, check_gauge
from lib.states import check_all_zero, start_verified

CMA = Path("/sys/kernel/debug/cma")
AREA_MIB = 256
AREA_PAGES = AREA_MIB * PAGES_PER_MIB
CHANCE = random.Random(1)
LIBC = ctypes.CDLL(None, use_errno=True)


class Iovec(ctypes.Structure):
    """struct iovec"""
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]


class Area:
    """The area that is set aside for contiguous allocations, none of it allocated."""

    def __init__(self):
        found = [path for path in CMA.glob("*") if int((path / "count").read_text()) == AREA_PAGES]
        if not found:
            raise Skip(f"no area for contiguous allocations of {AREA_MIB} MiB")
        self.directory = found[0]
        first = int((self.directory / "base_pfn").read_text())
        self.frames = range(first, first + AREA_PAGES)

    def used(self):
        """Returns the number of pages that are allocated."""
        return int((self.directory / "used").read_text())

    def allocate(self, pages):
        """Allocates a range; returns whether there was one."""
        try:
            (self.directory / "alloc").write_text(str(pages))
        except OSError:
            return False
        return True

    def free(self, pages):
        """Frees this many pages, which must be those of whole ranges."""
        (self.directory / "free").write_text(str(pages))


def start():
    """Zeroes and verifies all free memory; returns the area."""
    area = Area()
    start_verified()
    settle()
    return area


def check_nothing_lies():
    """Fails unless counter, flags and content agree."""
    settle()
    check_gauge()
    check_all_zero()


@test
def allocated_ranges_lose_their_flags():
    """Of all sizes, aligned or not; allocated pages are no longer marked as zero."""
    area = start()
    tune(enabled=0)
    flags = PageFlags()
    zeroed = sum(flags.bits(flags.PREZEROED)[area.frames[0]:area.frames[-1] + 1])
    note(f"{zeroed} of {AREA_PAGES} pages of the area are zeroed")
    check(zeroed >= AREA_PAGES * 0.9, "they are not zeroed")
    before, ranges = vmstat()["nr_free_prezeroed"], []
    while len(ranges) < 100:
        ranges.append(CHANCE.choice((1, 3, 511, 512, 513, CHANCE.randrange(1, 900))))
        check(area.allocate(ranges[-1]), f"no range of {ranges[-1]} pages")
    taken = area.used()
    lost = before - vmstat()["nr_free_prezeroed"]
    note(f"{taken} pages allocated, {lost} less are zeroed")
    check(abs(lost - taken) < 1000, "these should be the same")
    check_gauge()
    area.free(taken)
    check(area.used() == 0, f"{area.used()} pages are still allocated")
    check_gauge()
    tune(enabled=1)
    check_nothing_lies()


@test
def what_is_left_of_a_block_stays_zeroed():
    """A page is taken out of a zeroed block, which loses no more than that page."""
    area, lost, rounds = start(), 0, 20
    tune(enabled=0)
    for _ in range(rounds):
        before = vmstat()["nr_free_prezeroed"]
        check(area.allocate(1), "no range of one page")
        lost += before - vmstat()["nr_free_prezeroed"]
        # So that the next page is in another block of 4 MiB.
        check(area.allocate(2047), "no range of 2047 pages")
    area.free(area.used())
    note(f"{lost} pages are no longer zeroed after {rounds} were taken")
    check(lost < 100 * rounds, "pages that nobody needed are no longer known to be zero")
    tune(enabled=1)
    check_nothing_lies()


@test
def pages_in_use_move_with_their_content():
    """Memory in use moves to zeroed pages elsewhere, with its content, and back."""
    area = start()
    memory = Memory((free_mib() - AREA_MIB) * 7 // 10)
    content = CHANCE.randbytes(1 << 20)
    for offset in range(0, memory.size, len(content)):
        memory.map[offset:offset + len(content)] = content
    # The free memory must suffice for the pages that are moved.
    inside = sum(frame in area.frames for frame in memory.frames())
    check(inside > 0, "nothing of it is in the area")
    migrated = vmstat()["pgmigrate_success"]
    for _ in range(3):
        allocated = [AREA_PAGES // 8 for _ in range(8) if area.allocate(AREA_PAGES // 8)]
        check(len(allocated) >= 6, f"only {len(allocated)} of 8 parts can be allocated")
        settle()
        check_gauge()
        area.free(sum(allocated))
    note(f"{inside} pages were in the area, {vmstat()['pgmigrate_success'] - migrated} moved")
    check(vmstat()["pgmigrate_success"] - migrated >= inside * 0.5, "hardly any page moved")
    for offset in range(0, memory.size, len(content)):
        check(memory.map[offset:offset + len(content)] == content, "content has changed")
    memory.free()
    check_nothing_lies()


@test
def failed_allocations_keep_zeroed_pages_zeroed():
    """Isolation is undone, with zeroed pages in it, because a page in the middle is pinned."""
    area = start()
    memory = Memory(free_mib() * 8 // 10)
    frames = memory.frames()
    inside = [index for index, frame in enumerate(frames) if frame in area.frames]
    check(len(inside) > 100, "hardly anything of it is in the area")
    # A page in each MiB is kept by a pipe, which holds a reference.
    pinned = {frames[index] // PAGES_PER_MIB: index for index in inside}
    view = ctypes.c_char.from_buffer(memory.map)
    base = ctypes.addressof(view)
    pipes = []
    for index in pinned.values():
        pipes.append(os.pipe())
        part = Iovec(base + index * PAGE_SIZE, PAGE_SIZE)
        check(LIBC.vmsplice(pipes[-1][1], ctypes.byref(part), 1, 0) == PAGE_SIZE, "vmsplice fails")
    del view
    memory.free()
    settle()
    note(f"{len(pinned)} of {AREA_MIB} MiB have a page that is pinned")
    for _ in range(5):
        # All of it: for less, all possible places would be tried, one after the other.
        check(not area.allocate(AREA_PAGES), "it can be had")
        check_gauge()
    for pair in pipes:
        for file in pair:
            os.close(file)
    check(wait_until(lambda: area.allocate(AREA_PAGES // 2), 20), "half of it cannot be had")
    area.free(AREA_PAGES // 2)
    check_nothing_lies()


@test
def compaction_under_load_keeps_all_content():
    """Other pages are moved to zeroed pages while these are being zeroed, again and again."""
    start_verified()
    moved = vmstat()["pgmigrate_success"]
    content = CHANCE.randbytes(PAGE_SIZE)
    memory = Memory(free_mib() * 7 // 10)
    pages = memory.size // PAGE_SIZE
    for index in range(0, pages, 2):
        memory.map[index * PAGE_SIZE:(index + 1) * PAGE_SIZE] = content
    for index in range(1, pages, 2):
        memory.free_page(index)
    for _ in range(3):
        Path("/proc/sys/vm/compact_memory").write_text("1")
        huge = Memory(64, huge=True)
        check(not any(huge.map[:huge.size]), "huge pages are not zero")
        huge.free()
    for index in range(0, pages, 2):
        check(memory.map[index * PAGE_SIZE:(index + 1) * PAGE_SIZE] == content,
              "content has changed")
    memory.free()
    note(f"{vmstat()['pgmigrate_success'] - moved} pages moved")
    check(vmstat()["pgmigrate_success"] - moved > 10000, "hardly any page moved")
    check_nothing_lies()


main()
