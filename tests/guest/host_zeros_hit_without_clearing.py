#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""A host that provides reported pages as zeros saves the guest the clearing.

The guest is booted with virtio_balloon.reported_zero=1.
"""

from pathlib import Path

from lib.balloon import device
from lib.counters import (TIMEOUT_SCALE, Counted, check_hits, share_zeroed, vmstat, wait_until,
                          zeroed)
from lib.ksft import Skip, check, main, note, test
from lib.memory import PAGES_PER_MIB, fill
from lib.module import load, rmmod
from lib.states import shrink_per_cpu_lists

MIB = 500
OPT_IN = Path("/sys/module/virtio_balloon/parameters/reported_zero")


def wait_reported():
    """Waits until nearly all free memory is known to be zero."""
    device()
    if OPT_IN.read_text() != "Y\n":
        raise Skip("the guest was not booted with virtio_balloon.reported_zero=1")
    shrink_per_cpu_lists()
    check(wait_until(lambda: share_zeroed() >= 0.9, 60), f"only {share_zeroed():.1%} are zero")


def fill_and_check(kind):
    """Fills memory, which must be zero and hit, and waits until it is reported again."""
    wait_reported()
    with Counted() as counted:
        _, nonzero, _ = fill(MIB, kind, "scribble")
    check(nonzero == 0, f"{nonzero} words are not zero")
    check_hits(kind, counted, "prezero_hit", MIB, 0.95)


@test
def reported_pages_hit():
    """4 KiB and huge pages, repeatedly: nothing is pre-zeroed, next to nothing cleared later."""
    rmmod()
    for _ in range(2):
        for kind in ("4k", "thp"):
            fill_and_check(kind)
    check(zeroed() == 0, f"{zeroed()} pages were zeroed by the guest")
    note(f"{vmstat()['prezero_reported'] // PAGES_PER_MIB} MiB were reported")
    check(vmstat()["prezero_reported"] >= 4 * MIB * PAGES_PER_MIB * 0.8, "too little was reported")


@test
def zeroing_does_the_rest():
    """With zero_page enabled small blocks are zeroed, and large ones still come from the host."""
    wait_reported()
    # Blocks have to be freed as a whole before a pass: on a slow kernel that takes longer.
    load(enabled=1, delay_millisecs=20 * TIMEOUT_SCALE, batch_size=0)
    before = zeroed()
    for kind in ("4k", "thp"):
        fill_and_check(kind)
    done = (zeroed() - before) // PAGES_PER_MIB
    note(f"{done} MiB zeroed by the guest")
    check(0 < done <= 2 * MIB / 4, f"{done} MiB of {2 * MIB} were zeroed by the guest")


main()
