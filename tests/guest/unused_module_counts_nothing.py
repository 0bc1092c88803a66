#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""A module that is loaded but never enabled leaves the allocator alone. Needs a fresh boot."""

from lib.counters import vmstat
from lib.ksft import check, main, test
from lib.memory import fill
from lib.module import load
from lib.pages import PageFlags

COUNTERS = ("nr_free_prezeroed", "prezero_zeroed", "prezero_hit", "prezero_miss", "prezero_waste",
            "prezero_hit_kernel", "prezero_hit_huge", "prezero_zeroed_hugetlb",
            "prezero_hit_hugetlb", "prezero_miss_hugetlb")


@test
def counters_exist_and_stay_zero():
    """Allocations of zeroed memory are not counted before zeroing is first enabled."""
    load()
    check(fill(64, "4k")[1] == 0 and fill(64, "thp")[1] == 0, "memory is not zero")
    now = vmstat()
    for name in COUNTERS:
        check(now.get(name) == 0, f"{name} is {now.get(name)}")


@test
def no_page_is_flagged():
    """No page has KPF_PREZEROED."""
    flags = PageFlags()
    check(flags.count(flags.BUDDY) > 0, "kpageflags shows no free page at all")
    flagged = flags.count(flags.PREZEROED)
    check(flagged == 0, f"{flagged} pages are flagged")


main()
