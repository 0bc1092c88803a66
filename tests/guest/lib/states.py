# SPDX-License-Identifier: GPL-2.0
"""States of free memory that tests start from: zeroed, raw, or in between."""

from pathlib import Path

from .counters import free_mib, raw_mib, settle, share_zeroed, vmstat, wait_until
from .ksft import check
from .memory import fill
from .module import load, tune

# Whether to verify pages that are marked as zero
VERIFY = Path("/sys/module/prezero/parameters/verify")


def shrink_per_cpu_lists():
    """Limits the per-CPU lists to next to nothing, so that freed pages go to the buddy lists."""
    Path("/proc/sys/vm/percpu_pagelist_high_fraction").write_text("10000")


def start(delay_millisecs=50):
    """Loads zero_page such that freed memory is zeroed soon."""
    shrink_per_cpu_lists()
    load(enabled=1, delay_millisecs=delay_millisecs, batch_size=0)


def start_verified():
    """The same, but sooner; pages marked as zero are verified when they are allocated."""
    VERIFY.write_text("1")
    start(delay_millisecs=20)


def check_all_zero():
    """Fails unless most of the memory can be used, is zero, and no page was wrongly marked."""
    for kind in ("4k", "thp"):
        _, nonzero, _ = fill(free_mib() * 8 // 10, kind, "scribble")
        check(nonzero == 0, f"{nonzero} words of {kind} memory are not zero")
    check(vmstat()["prezero_not_zero"] == 0, "pages said to be zero were not")


def zero_scribbled_memory():
    """Lets another process scribble over most of the free memory, and then zeroes all of it."""
    tune(enabled=1)
    fill(free_mib() * 3 // 4, "4k", "scribble")
    settle(quiet=0.7)
    share = share_zeroed()
    check(share >= 0.9, f"only {share:.1%} of the free memory is zeroed")


def free_raw_last(mebibytes):
    """Zeroes all free memory and then uses this much of it; nothing is zeroed any more."""
    zero_scribbled_memory()
    tune(enabled=0)
    fill(mebibytes, "4k", "scribble")
    raw = raw_mib()
    check(raw >= 0.9 * mebibytes, f"{raw} MiB are raw instead of {mebibytes}")


def stop_in_the_middle(mebibytes):
    """Uses most of the free memory, and zeroes until only this much is left raw."""
    tune(enabled=0)
    fill(free_mib() * 9 // 10, "4k", "scribble")
    tune(enabled=1, delay_millisecs=0)
    stopped = wait_until(lambda: raw_mib() <= mebibytes * 1.1, 30, step=0)
    tune(enabled=0, delay_millisecs=50)
    check(stopped is not None and raw_mib() >= mebibytes * 0.7,
          f"{raw_mib()} MiB are raw instead of {mebibytes}")
