#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""In a block that is zeroed except for a few pages, only these are cleared, not all of it."""

import mmap
import random
import time
from pathlib import Path

from lib.allocations import allocate, load_allocator
from lib.counters import free_mib, settle, zeroed
from lib.ksft import check, figure, main, note, test
from lib.memory import (MADV_NOHUGEPAGE, PAGES_PER_MIB, PAGE_SIZE, Memory, anonymous,
                        scribble)
from lib.module import tune
from lib.states import start

# Pages the module has cleared, including those that were already zero
CLEARED = Path("/sys/kernel/debug/zero_page/pages_cleared")

MIB = 384
APART = 16
ROUNDS = 5
AT_MOST = 1.2


def cleared_by(action):
    """Returns how many pages are cleared because of action()."""
    settle()
    before = zeroed(), int(CLEARED.read_text())
    action()
    settle()
    return max(zeroed() - before[0], int(CLEARED.read_text()) - before[1])


def background():
    """Returns how many pages are cleared although none are freed."""
    return cleared_by(lambda: time.sleep(0.1))


def check_cost(what, count, dirty):
    """Fails if clearly more or fewer pages were cleared than had been written to."""
    cost = count / dirty
    note(f"{what}: {count} pages cleared, {dirty} dirtied")
    figure("cleared_per_dirtied", f"{cost:.3f}")
    check(0.9 <= cost <= AT_MOST, f"{what}: {cost:.3f} pages cleared for each one dirtied")


@test
def raw_pages_in_zeroed_blocks_are_zeroed_alone():
    """Single pages are freed last, so that the zeroed blocks around them merge with them."""
    start()
    memory = Memory(MIB)
    pages = MIB * PAGES_PER_MIB

    def free_all_but_single_pages():
        for index in range(0, pages, APART):
            memory.free_page(index + 1, APART - 1)

    count = cleared_by(free_all_but_single_pages)
    check_cost("around single pages", count, pages * (APART - 1) // APART)
    noise = background()
    # All of it, except its page tables.
    count = cleared_by(lambda: memory.free_page(0, pages))
    note(f"{noise} pages are cleared without us")
    check_cost("single pages", count - noise, pages // APART)


@test
def churn_costs_what_is_dirtied():
    """Scattered pages of a big mapping are dirtied, freed and zeroed, again and again."""
    memory = anonymous(MIB)
    memory.madvise(MADV_NOHUGEPAGE)
    chance = random.Random(1)
    pages = MIB * PAGES_PER_MIB

    def dirty_and_free(indexes):
        for index in indexes:
            memory[index * PAGE_SIZE] = 1
        memory.madvise(mmap.MADV_DONTNEED)

    # The page tables exist after that.
    dirty_and_free(range(0, pages, 256))
    noise = background()
    total = 0
    for _ in range(ROUNDS):
        indexes = chance.sample(range(pages), 4000)
        total += cleared_by(lambda chosen=indexes: dirty_and_free(chosen)) - noise
    note(f"{noise} pages a round are cleared without us")
    check_cost("churn", total, ROUNDS * 4000)


@test
def large_allocations_clear_raw_pages_in_them():
    """Single pages are freed raw into zeroed blocks; what is made of these costs only them."""
    load_allocator()
    tune(enabled=1)
    memory = Memory(MIB)
    scribble(memory.map)
    pages = MIB * PAGES_PER_MIB
    for index in range(0, pages, APART):
        memory.free_page(index + 1, APART - 1)
    settle()
    tune(enabled=0)
    memory.free_page(0, pages)
    counted = allocate(f"kmalloc bytes={1 << 20} count={free_mib() * 8 // 10}")
    note(counted)
    check(counted["prezero_hit"] > 0.7 * pages, "hardly any zeroed page was allocated")
    check(pages // APART // 2 <= counted["prezero_miss"] <= pages // APART * AT_MOST,
          f"{counted['prezero_miss']} pages cleared, {pages // APART} were raw")


main()
