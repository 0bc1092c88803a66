#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The part of tests/demo/run that runs in the guest: measures, and reports figures.

Figures that say what has happened, "booted", "enabled", "progress" and "filled", come after those
that give details.

usage: guest.py stock|zero_page MEBIBYTES ROUNDS
"""

import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "guest"))
# pylint: disable=wrong-import-position
from lib.counters import vmstat
from lib.ksft import figure
from lib.memory import PAGES_PER_MIB, fill
from lib.module import DEFAULTS, read, tune

KINDS = ("thp", "4k")

# When free memory counts as zeroed: this share of it is, or nothing has changed for so long.
DONE = 0.98
STALLED_SECONDS = 5
LIMIT_SECONDS = 120


def emulated():
    """Whether this guest's processor is emulated: KVM would offer its clock."""
    clocks = Path("/sys/devices/system/clocksource/clocksource0/available_clocksource")
    return "kvm-clock" not in clocks.read_text()


def wait_zeroed():
    """Waits until the free memory is zeroed, reporting progress."""
    start = changed = time.monotonic()
    best = 0
    while True:
        now = time.monotonic()
        counters = vmstat()
        # nr_free_pages does not include the per-CPU lists, nr_free_prezeroed does.
        free = counters["nr_free_pages"]
        zeroed = min(counters["nr_free_prezeroed"], free)
        if zeroed > best + PAGES_PER_MIB:
            best, changed = zeroed, now
        done = (zeroed >= DONE * free or now - changed > STALLED_SECONDS
                or now - start > LIMIT_SECONDS)
        figure("zeroed_mib", zeroed // PAGES_PER_MIB)
        figure("free_mib", free // PAGES_PER_MIB)
        figure("seconds", f"{now - start:.1f}")
        figure("progress", "done" if done else "going")
        if done:
            return
        time.sleep(0.2)


def measure(kind, mebibytes):
    """Fills memory once and reports the time."""
    before = vmstat()
    seconds, nonzero, huge_kib = fill(mebibytes, kind)
    after = vmstat()
    figure("seconds", seconds)
    figure("nonzero", nonzero)
    figure("huge_mib", huge_kib >> 10)
    for name in ("hit", "miss"):
        figure(name, after.get(f"prezero_{name}", 0) - before.get(f"prezero_{name}", 0))
    figure("filled", kind)


def main():
    """Measures on the kernel that is running."""
    kernel, mebibytes, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    figure("emulated", int(emulated()))
    figure("booted", Path("/proc/sys/kernel/osrelease").read_text().strip())
    # The host provides the guest's memory at the first touch: that must not be measured.
    fill(mebibytes, KINDS[-1])
    if kernel == "zero_page":
        for name in DEFAULTS:
            figure(f"knob.{name}", read(name).strip())
        tune(enabled=1)
        figure("enabled", read("enabled").strip())
    for kind in KINDS:
        for _ in range(rounds):
            if kernel == "zero_page":
                wait_zeroed()
            measure(kind, mebibytes)


if __name__ == "__main__":
    main()
