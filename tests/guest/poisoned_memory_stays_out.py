#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""A page whose memory has failed is never allocated again, zeroed or not, and has no flag.

Failures are injected, with the debugfs files of hwpoison-inject, into free pages that are zeroed,
into blocks that are being zeroed, and next to other failures.
"""

import errno
import os
import random
import time
from pathlib import Path

from lib.counters import free_mib, settle, wait_until
from lib.ksft import check, main, note, test
from lib.memory import PAGE_SIZE, Memory
from lib.module import tune
from lib.pages import PageFlags, check_gauge, free_zeroed_frames, physical_page
from lib.states import check_all_zero, start_verified

INJECT = Path("/sys/kernel/debug/hwpoison")
SOFT_OFFLINE = Path("/sys/devices/system/memory/soft_offline_page")
PAGES = 64
# Order of the blocks in which pages fail: soon there are no larger intact ones.
ORDER = 7
CHANCE = random.Random(1)


def corrupted():
    """Returns the number of pages that have failed."""
    line = next(line for line in Path("/proc/meminfo").read_text().splitlines()
                if line.startswith("HardwareCorrupted"))
    return int(line.split()[1]) * 1024 // PAGE_SIZE


def fail(frame):
    """Makes the memory of a page fail; an isolated page is only marked, and reported as busy."""
    file = os.open(INJECT / "corrupt-pfn", os.O_WRONLY)
    try:
        os.write(file, str(frame).encode())
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
    finally:
        os.close(file)


def start():
    """Zeroes all free memory; pages are verified when they are allocated."""
    start_verified()
    settle()


def failed_of(frames):
    """Returns those of the frames whose memory has failed."""
    failed = PageFlags().bits(PageFlags.HWPOISON)
    return [frame for frame in frames if failed[frame]]


def check_not_in_use(frames):
    """Fails unless memory can be filled, is zero, and has none of these frames."""
    for huge in (False, True):
        memory = Memory(free_mib() * 8 // 10, huge=huge)
        taken = set(frames).intersection(memory.frames())
        memory.free()
        check(not taken, f"{len(taken)} pages that have failed are in use again")
    check_all_zero()
    settle()
    check_gauge()


def check_flags(frames):
    """Fails unless all of these have failed for good and none is marked as zero."""
    flags = PageFlags()
    failed, zeroed = flags.bits(flags.HWPOISON), flags.bits(flags.PREZEROED)
    check(all(failed[frame] for frame in frames), "not all of them are marked as failed")
    check(not any(zeroed[frame] for frame in frames), "some of them are said to be zero")


@test
def failed_free_pages_stay_out():
    """Single pages, and neighbours, in blocks of all sizes."""
    start()
    before = corrupted()
    frames = free_zeroed_frames(PAGES, CHANCE, ORDER)
    frames += [frame + 1 for frame in frames[::2]]
    for frame in sorted(set(frames)):
        fail(frame)
    frames = sorted(set(frames))
    failures = corrupted() - before
    note(f"{failures} of {len(frames)} pages have failed")
    check(failures == len(frames), f"only {failures} pages have failed")
    tune(enabled=0)
    check_flags(frames)
    check_gauge()
    tune(enabled=1)
    check_not_in_use(frames)
    check_flags(frames)


@test
def failures_while_zeroing_are_not_lost():
    """While memory is freed and zeroed again all the time; no failure is lost."""
    start()
    settle()
    # A pass begins at once. All other memory is zeroed, so these blocks are soon isolated, some
    # of them while pages in them fail.
    tune(delay_millisecs=0)
    frames, before, end = set(), corrupted(), time.monotonic() + 10
    while time.monotonic() < end:
        tune(enabled=0)
        # Huge, so that allocations of single pages meanwhile, as by this process, get others.
        memory = Memory(32, huge=True)
        candidates = memory.frames()
        memory.free()
        tune(enabled=1)
        for frame in CHANCE.sample(candidates, 4):
            fail(frame)
            frames.add(frame)
            time.sleep(CHANCE.random() * 0.003)
    note(f"{corrupted() - before} of {len(frames)} pages have failed")
    settle()
    failed = failed_of(frames)
    check(len(failed) >= len(frames) * 0.9, "failures are forgotten")
    check_flags(failed)
    check_not_in_use(failed)


@test
def soft_offlined_pages_stay_out():
    """Pages that are taken out of use before they fail."""
    start()
    before = corrupted()
    frames = free_zeroed_frames(PAGES, CHANCE, ORDER)
    for frame in frames:
        SOFT_OFFLINE.write_text(f"{frame * PAGE_SIZE:#x}")
    note(f"{corrupted() - before} of {len(frames)} pages are offline")
    check(corrupted() - before >= PAGES * 0.9, f"only {corrupted() - before} pages are offline")
    failed = failed_of(frames)
    check_flags(failed)
    check_not_in_use(failed)


@test
def what_comes_back_is_not_taken_for_zero():
    """Free zeroed pages fail, are written to, and are put back into use."""
    start()
    before = corrupted()
    frames = free_zeroed_frames(PAGES, CHANCE, ORDER)
    tune(enabled=0)
    for frame in frames:
        fail(frame)
        with physical_page(frame) as page:
            page[:] = b"\xa5" * PAGE_SIZE
    check(corrupted() - before == PAGES, f"{corrupted() - before} of {PAGES} pages have failed")
    for frame in frames:
        (INJECT / "unpoison-pfn").write_text(str(frame))
    check(wait_until(lambda: corrupted() == before, 5) is not None,
          f"{corrupted() - before} pages are still out of use")
    flags = PageFlags()
    zeroed = flags.bits(flags.PREZEROED)
    check(not any(zeroed[frame] for frame in frames), "they are said to be zero")
    check_not_in_use([])


main()
