#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Only free pages have the flag of zeroed pages, and it agrees with the counters."""

from pathlib import Path

from lib.counters import settle, vmstat
from lib.ksft import check, main, test
from lib.memory import Memory
from lib.module import load
from lib.pages import PageFlags, check_gauge


@test
def flags_agree_with_the_gauge():
    """/proc/kpageflags shows as many zeroed pages as nr_free_prezeroed says."""
    load(enabled=1, delay_millisecs=50)
    settle()
    check(vmstat()["nr_free_prezeroed"] > 0, "nothing is zeroed")
    check_gauge()


@test
def zones_add_up():
    """/proc/zoneinfo has the gauge for each zone; their sum is that of /proc/vmstat."""
    lines = [line.split() for line in Path("/proc/zoneinfo").read_text().splitlines()]
    zones = [int(words[1]) for words in lines if words[0] == "nr_free_prezeroed"]
    total = vmstat()["nr_free_prezeroed"]
    check(zones and abs(sum(zones) - total) <= total * 0.02, f"{zones} against {total}")


@test
def allocated_pages_have_no_flag():
    """Neither as KPF_PREZEROED nor, which is what the bit means there, as KPF_PRIVATE."""
    settle()
    memory = [Memory(128), Memory(128, huge=True)]
    flags = PageFlags()
    anon = flags.bits(flags.ANON)
    for flag in (flags.PREZEROED, flags.PRIVATE):
        found = flags.bits(flag)
        wrong = [frame for part in memory for frame in part.frames() if found[frame]]
        check(not wrong, f"{len(wrong)} of our pages have flag {flag}")
    check(all(anon[frame] for part in memory for frame in part.frames()), "not our pages")
    for kind in (flags.ANON, flags.LRU, flags.SLAB, flags.PGTABLE):
        count = flags.count(kind, flags.PREZEROED)
        check(count == 0, f"{count} pages in use have KPF_PREZEROED and flag {kind}")


main()
