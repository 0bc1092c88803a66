#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Only free pages have the flag of zeroed pages, and it agrees with the counters."""

import mmap
import os
from pathlib import Path

from lib.counters import Counted, settle, vmstat
from lib.ksft import check, main, note, test
from lib.memory import MADV_POPULATE_READ, PAGES_PER_MIB, SCRIBBLE, Memory, frames
from lib.module import load, tune
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


@test
def pages_to_be_overwritten_have_no_flag():
    """write(2) takes pages with any content; here all are zeroed ones."""
    settle()
    file = os.memfd_create("zero_page")
    with Counted() as counted:
        for _ in range(128):
            os.write(file, SCRIBBLE)
    note(counted)
    memory = mmap.mmap(file, 128 << 20)
    memory.madvise(MADV_POPULATE_READ)
    os.close(file)
    check(counted["prezero_waste"] > 64 * PAGES_PER_MIB, "they were not zeroed")
    flags, wanted = PageFlags(), frames(memory)
    for flag in (flags.PREZEROED, flags.PRIVATE, flags.PRIVATE_2):
        found = flags.bits(flag)
        wrong = sum(bool(found[frame]) for frame in wanted)
        check(not wrong, f"{wrong} of the pages have flag {flag}")
    memory.close()
    tune(enabled=0)
    check_gauge()


main()
