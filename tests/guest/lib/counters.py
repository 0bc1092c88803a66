# SPDX-License-Identifier: GPL-2.0
"""Counters of /proc/vmstat, and waiting for them."""

import os
import time
from pathlib import Path

from .ksft import check, note
from .memory import MADV_POPULATE_WRITE, PAGES_PER_MIB, check_zero, scribble

# How many times as long things may take with this kernel
TIMEOUT_SCALE = int(os.environ.get("TIMEOUT_SCALE", "1"))

# Share of the pages that have to be hits. Pages in the per-CPU lists are never zeroed.
ENOUGH = 0.8


def vmstat():
    """Returns /proc/vmstat as a dictionary."""
    lines = Path("/proc/vmstat").read_text().splitlines()
    return {name: int(value) for name, value in (line.split() for line in lines)}


def zeroed():
    """Returns the number of pages pre-zeroed since boot."""
    return vmstat()["prezero_zeroed"]


def free_mib():
    """Returns how much memory is free, in MiB."""
    return vmstat()["nr_free_pages"] // PAGES_PER_MIB


def raw_mib():
    """Returns how much free memory is not zeroed, in MiB."""
    now = vmstat()
    return (now["nr_free_pages"] - now["nr_free_prezeroed"]) // PAGES_PER_MIB


def share_zeroed(counters=None):
    """Returns the share of free memory that is zeroed, now or in what vmstat() has returned."""
    counters = counters or vmstat()
    # nr_free_pages does not include the per-CPU lists, nr_free_prezeroed does.
    return min(1.0, counters["nr_free_prezeroed"] / counters["nr_free_pages"])


def work_done():
    """Returns the number of pages zeroed since boot, those of hugetlb and the host included."""
    return sum(value for name, value in vmstat().items()
               if name.startswith(("prezero_zeroed", "prezero_reported")))


def wait_until(condition, seconds, step=0.05):
    """Waits until condition() holds; returns how long that took, None if it never did.

    Gives up when nothing has been zeroed for that long, or after ten times as long: a busy machine
    may be many times slower.
    """
    start, seconds = time.monotonic(), seconds * TIMEOUT_SCALE
    since, done = start, work_done()
    while True:
        if condition():
            return time.monotonic() - start
        now = time.monotonic()
        if now - since > seconds:
            last, done = done, work_done()
            if done == last or now - start > 10 * seconds:
                return None
            since = now
        time.sleep(step)


def settle(quiet=1.0, limit=60.0):
    """Waits until nothing has been zeroed for `quiet` seconds."""
    last, since = zeroed(), time.monotonic()
    start, limit = since, limit * TIMEOUT_SCALE
    while time.monotonic() - since < quiet:
        if time.monotonic() - start > limit:
            raise AssertionError(f"zeroing does not come to rest within {limit} s")
        time.sleep(quiet / 10)
        now = zeroed()
        # A few pages come and go all the time.
        if now - last > PAGES_PER_MIB:
            last, since = now, time.monotonic()


class Counted:
    """The increase of each counter of /proc/vmstat in a `with` block."""

    def __enter__(self):
        self._before = self._after = vmstat()
        return self

    def __exit__(self, *_):
        self._after = vmstat()

    def __getitem__(self, name):
        check(name in self._after, f"/proc/vmstat has no {name}")
        return self._after[name] - self._before[name]

    def __str__(self):
        changes = {name: value - self._before[name] for name, value in self._after.items()
                   if name.startswith("prezero")}
        return ", ".join(f"{name.removeprefix('prezero_')} {value}"
                         for name, value in changes.items() if value)


def check_hits(what, counted, name, mebibytes, enough=ENOUGH):
    """Fails unless the counter `name` rose by enough for this much memory."""
    note(f"{what}: {mebibytes} MiB, {counted}")
    share = counted[name] / (mebibytes * PAGES_PER_MIB)
    check(share >= enough, f"{what}: {name} rose by only {share:.1%} of the pages")


def fault(memory):
    """Faults in a mapping, which must be zero, and scribbles on it; returns what was counted."""
    with Counted() as counted:
        memory.madvise(MADV_POPULATE_WRITE)
    check_zero(memory)
    scribble(memory)
    return counted
