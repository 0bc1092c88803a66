#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""mini_order is the smallest block that gets zeroed: free blocks of known order are watched.

Memory is allocated and some pages of it are freed such that their neighbours stay in use, so the
freed blocks cannot merge and their order is known. /proc/kpageflags shows which were zeroed.
"""

from lib.counters import settle
from lib.ksft import check, main, note, test
from lib.memory import PAGES_PER_THP, Memory
from lib.module import load, tune
from lib.pages import PageFlags
from lib.states import shrink_per_cpu_lists

HUGE_ORDER = PAGES_PER_THP.bit_length() - 1


def fragment_small(memory):
    """Frees blocks of order 0 and 2; returns their first frames by order."""
    frames = memory.frames()
    index = {frame: number for number, frame in enumerate(frames)}
    freed = {0: [], 2: []}
    for frame in sorted(index):
        # A group of 8 pages that are all ours; the other half of it stays ours.
        if frame % 8 or any(frame + offset not in index for offset in range(8)):
            continue
        order = 2 if frame // 8 % 2 else 0
        for offset in range(1 << order):
            memory.free_page(index[frame + offset])
        freed[order].append(frame)
    return freed


def fragment_huge(memory):
    """Frees every second huge page of a pair; returns the first frames of those."""
    frames = memory.frames()
    index = {frame: number for number, frame in enumerate(frames)
             if frame % PAGES_PER_THP == 0
             and frames[number:number + PAGES_PER_THP] == [*range(frame, frame + PAGES_PER_THP)]}
    freed = []
    for frame, number in index.items():
        if frame // PAGES_PER_THP % 2 == 0 and frame + PAGES_PER_THP in index:
            memory.free_page(number, PAGES_PER_THP)
            freed.append(frame)
    return freed


def zeroed_share(flags, frames, order):
    """Returns which share of the free blocks was zeroed, and the number of blocks."""
    free, zero = flags.bits(flags.BUDDY), flags.bits(flags.PREZEROED)
    whole = b"\1" * (1 << order)
    free_blocks = [frame for frame in frames if free[frame:frame + (1 << order)] == whole]
    zero_blocks = [frame for frame in free_blocks if any(zero[frame:frame + (1 << order)])]
    return len(zero_blocks) / max(len(free_blocks), 1), len(free_blocks)


@test
def only_blocks_of_mini_order_and_above_are_zeroed():
    """Lowering it step by step zeroes order 9, then 2, then 0; never one below mini_order."""
    shrink_per_cpu_lists()
    load(mini_order=10, delay_millisecs=50, batch_size=0, enabled=1)
    small, huge = Memory(128), Memory(96, huge=True)
    blocks = {**fragment_small(small), HUGE_ORDER: fragment_huge(huge)}
    for mini_order in (10, 9, 3, 2, 1, 0):
        tune(mini_order=mini_order)
        settle()
        flags = PageFlags()
        for order, frames in blocks.items():
            share, total = zeroed_share(flags, frames, order)
            note(f"mini_order {mini_order}: {share:.1%} of {total} blocks of order {order} zeroed")
            check(total >= min(len(frames) / 2, 100),
                  f"only {total} of {len(frames)} blocks of order {order} can be watched")
            if order < mini_order:
                check(share == 0, f"mini_order {mini_order}: order {order} was zeroed")
            else:
                check(share >= 0.95, f"mini_order {mini_order}: order {order} was not zeroed")


main()
