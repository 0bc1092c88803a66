#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Pages of a hugetlb pool are zero when allocated while the worker is zeroing the pool."""

import errno
import itertools
import mmap
import time
from pathlib import Path

from lib.counters import Counted, settle
from lib.hugetlb import HIT, MAP_HUGETLB, MISS, ZEROED
from lib.ksft import check, main, note, test
from lib.memory import MADV_POPULATE_WRITE, anonymous, check_zero, scribble
from lib.module import load, rmmod, tune
from lib.process import Process
from lib.states import start

SECONDS = 15
POOL = Path("/proc/sys/vm/nr_hugepages")
OVERCOMMIT = Path("/proc/sys/vm/nr_overcommit_hugepages")
OPTIMIZE = Path("/proc/sys/vm/hugetlb_optimize_vmemmap")

COUNTERS = (ZEROED, HIT, MISS)


def populate(memory):
    """Faults in a mapping; returns False if the pool has no pages after all.

    Stock 7.3.4 does the same about once in 2,000 times: __unmap_hugepage_range() gives a
    page's reservation back as the pool has no surplus, then the pool shrinks, and
    free_huge_folio() frees the page as surplus.  More pages are reserved than there are, until
    munmap() ends.
    """
    try:
        memory.madvise(MADV_POPULATE_WRITE)
    except OSError as error:
        check(error.errno == errno.EFAULT, error)
        return False
    return True


def use_pool(mebibytes, end):
    """Allocates pages, which must be zero, scribbles on them and frees them, until `end`."""
    rounds = 0
    while time.monotonic() < end:
        try:
            memory = anonymous(mebibytes, mmap.MAP_PRIVATE | MAP_HUGETLB)
        except OSError:
            # The pool is small at the moment.
            time.sleep(0.01)
            continue
        if populate(memory):
            check_zero(memory)
            scribble(memory)
            rounds += 1
        memory.close()
    check(rounds > 0, "never got a page")


def use_and_resize():
    """Uses the pool while it grows and shrinks and zeroing starts and stops; returns counters."""
    # A pass processes the pools after the free lists.
    settle()
    end = time.monotonic() + SECONDS
    users = [Process(use_pool, mebibytes, end) for mebibytes in (2, 6, 16, 32)]
    with Counted() as counted:
        for step in itertools.count():
            POOL.write_text(str((64, 16, 40, 4)[step % 4]))
            OPTIMIZE.write_text(str(step // 4 % 2))
            time.sleep(0.3)
            tune(enabled=int(step % 5 != 4))
            if step % 7 == 6:
                rmmod()
                load(enabled=1, delay_millisecs=0, batch_size=0)
            if time.monotonic() > end:
                break
    for user in users:
        user.wait()
    note(f"{step + 1} steps, {counted}")
    return counted


@test
def every_user_of_the_pool_gets_zeros():
    """The pool is resized, zeroing enabled and disabled, the module loaded and unloaded."""
    start()
    OVERCOMMIT.write_text("8")
    # On a busy machine the worker may not come in time.
    for _ in range(4):
        counted = use_and_resize()
        missing = [name for name in COUNTERS if not counted[name]]
        if not missing:
            break
    for file in (POOL, OVERCOMMIT, OPTIMIZE):
        file.write_text("0")
    check(not missing, f"{missing} did not rise: the test tests nothing")


main()
