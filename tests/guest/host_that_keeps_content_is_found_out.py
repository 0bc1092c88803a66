#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""If a host does not provide zeros although the guest was told so, it is no longer relied upon.

The guest is booted with virtio_balloon.reported_zero=1, and its memory is locked (in QEMU
-overcommit mem-lock=on): the host cannot discard it, and does not report that.
"""

from lib.balloon import device
from lib.counters import vmstat, wait_until
from lib.ksft import check, main, test
from lib.memory import fill
from lib.module import kernel_log

LINE = "keeps the contents of reported pages"


@test
def reported_pages_are_not_taken_for_zero():
    """The kernel logs it once and marks no page, and memory is zero when it is allocated."""
    device()
    fill(200, "4k", "scribble")
    check(wait_until(lambda: LINE in kernel_log(), 20), "the host was not found out")
    for kind in ("4k", "thp"):
        _, nonzero, _ = fill(200, kind, "scribble")
        check(nonzero == 0, f"{nonzero} words of {kind} memory are not zero")
    check(vmstat()["prezero_reported"] == 0, f"{vmstat()['prezero_reported']} pages taken for zero")
    check(kernel_log().count(LINE) == 1, "it is said more than once")


main()
