#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Huge pages of 1 GiB from CMA are zero, whoever used the memory before.

Boots with hugetlb_cma=1G and 4 GiB.
"""

import mmap

from lib.counters import fault, free_mib, settle, share_zeroed, vmstat
from lib.hugetlb import GIGANTIC, MAP_HUGE_1GB, MAP_HUGETLB
from lib.ksft import check, main, note, test
from lib.memory import MADV_POPULATE_WRITE, anonymous, scribble
from lib.module import tune
from lib.states import start

CHUNK = 64


@test
def pages_with_old_content_are_cleared():
    """Scribbled pages are migrated out of the range, and nobody clears what they leave behind."""
    start()
    chunks = [anonymous(CHUNK) for _ in range(free_mib() * 9 // 10 // CHUNK)]
    for chunk in chunks:
        chunk.madvise(MADV_POPULATE_WRITE)
        scribble(chunk)
    # Half of it, so that the rest can be migrated there.
    for chunk in chunks[::2]:
        chunk.close()
    settle()
    tune(enabled=0)
    now = vmstat()
    share = share_zeroed(now)
    check(share > 0.9, f"only {share:.1%} of the free memory is zeroed")
    check(now["nr_free_cma"] < 0.9 * GIGANTIC.pages, "the memory reserved for CMA is not in use")
    GIGANTIC.resize(1)
    used = now["nr_free_cma"] - vmstat()["nr_free_cma"]
    note(f"{now['nr_free_cma']} pages of CMA were free, {used} of them were taken")
    check(vmstat()["nr_free_cma"] < GIGANTIC.pages // 8, "the huge page is not from CMA")
    for chunk in chunks[1::2]:
        chunk.close()
    memory = anonymous(GIGANTIC.mib, mmap.MAP_PRIVATE | MAP_HUGETLB | MAP_HUGE_1GB)
    note(fault(memory))
    memory.close()
    GIGANTIC.resize(0)


main()
