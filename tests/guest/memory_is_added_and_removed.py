#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Memory can be added, taken offline and removed while free pages are zeroed.

The guest has a DIMM of 256 MiB besides its memory, which is offline at first.
"""

import threading
from pathlib import Path

from lib.counters import settle, share_zeroed, vmstat, wait_until
from lib.ksft import check, main, note, test
from lib.memory import PAGE_SIZE, fill, mib_total
from lib.module import tune
from lib.pages import PageFlags, check_gauge
from lib.states import check_all_zero, start_verified

MEMORY = Path("/sys/devices/system/memory")
DIMM_MIB = 256


class Block:
    """A memory block, the unit in which memory goes online and offline."""

    def __init__(self, path):
        self.path = path
        pages = int((MEMORY / "block_size_bytes").read_text(), 16) // PAGE_SIZE
        first = int((path / "phys_index").read_text(), 16) * pages
        self.frames = range(first, first + pages)

    def state(self):
        """Returns online, offline or something in between."""
        return (self.path / "state").read_text().strip()

    def set(self, state):
        """Sets it online or offline; fails with the kernel's error."""
        (self.path / "state").write_text(state)


def dimm():
    """Returns the memory blocks of the DIMM, which come last."""
    blocks = [Block(path) for path in MEMORY.glob("memory[0-9]*")]
    blocks.sort(key=lambda block: block.frames[0])
    count = DIMM_MIB * (1 << 20) // PAGE_SIZE // len(blocks[0].frames)
    return blocks[-count:]


def online():
    """Sets all of the DIMM online, as movable memory; returns its blocks."""
    blocks = dimm()
    for block in blocks:
        if block.state() == "offline":
            block.set("online_movable")
    return blocks


@test
def memory_that_is_added_is_zeroed():
    """Its free pages are zeroed like others, and used."""
    start_verified()
    total = mib_total()
    check(all(block.state() == "offline" for block in dimm()), "there is no DIMM")
    blocks = online()
    check(mib_total() >= total + DIMM_MIB * 0.9, f"{mib_total() - total} MiB were added")
    check(wait_until(lambda: share_zeroed() >= 0.9, 60) is not None, "it is not zeroed")
    flags = PageFlags()
    zeroed = flags.bits(flags.PREZEROED)
    there = sum(zeroed[frame] for block in blocks for frame in block.frames)
    note(f"{there * PAGE_SIZE >> 20} of {DIMM_MIB} MiB are zeroed")
    check(there * PAGE_SIZE >= DIMM_MIB * 0.8 * (1 << 20), "it is not zeroed")
    check_gauge()
    check_all_zero()


@test
def offline_memory_has_no_flags():
    """Offlining unmarks the pages; back online, the memory is like new."""
    start_verified()
    blocks = online()
    settle()
    tune(enabled=0)
    before = vmstat()["nr_free_prezeroed"]
    for block in blocks:
        block.set("offline")
    check(vmstat()["nr_free_prezeroed"] < before - DIMM_MIB * 128, "its pages still count")
    check_gauge()
    for block in blocks:
        block.set("online_movable")
    flags = PageFlags()
    zeroed = flags.bits(flags.PREZEROED)
    check(not any(zeroed[frame] for block in blocks for frame in block.frames), "there are flags")
    check_gauge()
    check_all_zero()


@test
def memory_comes_and_goes_while_it_is_zeroed():
    """Again and again, while another process uses memory."""
    start_verified()
    blocks, end, failures = online(), threading.Event(), []

    def load_memory():
        while not end.is_set():
            if fill(200, "4k", "scribble")[1] or fill(200, "thp", "scribble")[1]:
                failures.append("memory is not zero")

    user = threading.Thread(target=load_memory)
    user.start()
    try:
        turns = 0
        for _ in range(10):
            for block in blocks:
                block.set("offline")
                block.set("online_movable")
                turns += 1
    finally:
        end.set()
        user.join()
    note(f"{turns} times offline and online")
    check(not failures, f"{failures}")
    settle()
    check_gauge()
    check_all_zero()


@test
def memory_is_removed_for_good():
    """The DIMM is ejected while zeroing is enabled."""
    start_verified()
    blocks, total = online(), mib_total()
    eject = [path for path in Path("/sys/bus/acpi/devices").glob("PNP0C80:*/eject")]
    check(len(eject) == 1, f"{len(eject)} memory devices can be ejected")
    eject[0].write_text("1")
    check(wait_until(lambda: not blocks[0].path.exists(), 30) is not None, "it is still there")
    check(mib_total() <= total - DIMM_MIB * 0.9, f"{total - mib_total()} MiB were removed")
    settle()
    check_gauge()
    check_all_zero()


main()
