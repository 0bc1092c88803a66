#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""With prezero.verify, pages marked as zero that are not zero are found, cleared and logged.

Writes through /dev/mem to free pages that are zeroed, like a device that has not been told that
its buffer was freed. Corrupts free memory for good: must be run last in its guest.
"""

import random
from pathlib import Path

from lib.counters import Counted, free_mib, settle, vmstat, wait_until
from lib.ksft import check, main, note, test
from lib.memory import PAGE_SIZE, fill
from lib.module import kernel_log, load, tune
from lib.pages import free_zeroed_frames, physical_page
from lib.states import VERIFY, start

REPORT = "page marked as zero is not zero"
PAGES = 200
TAINT_BAD_PAGE = 1 << 5


def spoil(count):
    """Writes a byte into `count` free zeroed pages."""
    for frame in free_zeroed_frames(count):
        with physical_page(frame) as page:
            page[random.randrange(PAGE_SIZE)] = 0xa5


def zeroed_memory():
    """Zeroes all free memory, and nothing from then on."""
    start(delay_millisecs=20)
    settle()
    tune(enabled=0)


def use_all(kind):
    """Fills most of the free memory; returns how many words of it were not zero."""
    return fill(free_mib() * 9 // 10, kind)[1]


def reports():
    """Returns how often the log reports memory that is not zero."""
    return kernel_log().count(REPORT)


@test
def zeroed_pages_are_not_reported():
    """Small pages and huge pages that are zero are verified, and nothing is reported."""
    for kind in ("4k", "thp"):
        zeroed_memory()
        VERIFY.write_text("1")
        with Counted() as counted:
            check(use_all(kind) == 0, "memory is not zero")
        note(f"{kind}: {counted['prezero_verified']} pages looked at")
        check(counted["prezero_verified"] > 50000, "hardly any page was looked at")
        check(counted["prezero_not_zero"] == 0, "found what is not there")
    check(reports() == 0, "the log says so")


@test
def the_module_parameter_starts_it():
    """insmod zero_page.ko verify=1 does what the file does, and unloading does not end it."""
    VERIFY.write_text("0")
    load(verify=0)
    check(VERIFY.read_text() == "N\n", "verify=0 has turned it on")
    load(verify=1)
    check(VERIFY.read_text() == "Y\n", "verify=1 has not turned it on")
    load()
    check(VERIFY.read_text() == "Y\n", "unloading has turned it off")


@test
def unverified_data_leaks():
    """This is the leak that the next tests expect to be prevented."""
    VERIFY.write_text("0")
    # Meanwhile the last check of free memory ends.
    zeroed_memory()
    # Few pages, in huge blocks: page tables and other processes must not get them.
    count = PAGES // 4
    with Counted() as counted:
        spoil(count)
        nonzero = use_all("thp")
    note(f"{nonzero} words of {count} pages are not zero")
    check(nonzero >= count * 0.7, "they did not come with content")
    check(reports() == 0 and counted["prezero_verified"] == 0, "looked at although not to be")


@test
def verified_data_is_reported_and_cleared():
    """Small pages and huge pages; the log has only the first."""
    VERIFY.write_text("1")
    for kind in ("4k", "thp"):
        zeroed_memory()
        with Counted() as counted:
            spoil(PAGES)
            nonzero = use_all(kind)
        found = counted["prezero_not_zero"]
        note(f"{kind}: {found} of {PAGES} pages found")
        check(nonzero == 0, f"{nonzero} words of {kind} memory are not zero")
        check(found >= PAGES * 0.7, f"{found} pages of {PAGES} were found")
    check(reports() == 1, f"the log says so {reports()} times")
    check("state of the page when found: flags" in kernel_log(), "the page is not described")
    taint = int(Path("/proc/sys/kernel/tainted").read_text())
    check(taint & TAINT_BAD_PAGE, f"the kernel is not tainted: {taint:#x}")


@test
def free_pages_are_sampled():
    """Free pages are verified all the time, unused; bad ones no longer count as zeroed."""
    VERIFY.write_text("1")
    zeroed_memory()
    before = vmstat()["prezero_not_zero"]
    spoil(20 * PAGES)
    # One for each block, which is no longer marked as zero.
    wait_until(lambda: vmstat()["prezero_not_zero"] - before > PAGES // 2, 60)
    found = vmstat()["prezero_not_zero"] - before
    note(f"{found} found")
    check(found > PAGES // 4, "too few")


main()
