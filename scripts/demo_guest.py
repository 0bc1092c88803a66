#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The part of scripts/run-demo that runs in the guest: measures, and prints JSON, a line each.

usage: demo_guest.py stock|zero_page MEBIBYTES ROUNDS
"""

import json
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/selftests"))
import guest  # pylint: disable=wrong-import-position,import-error

KINDS = ("thp", "4k")

# When free memory counts as zeroed: this share of it is, or nothing has changed for so long.
DONE = 0.98
STALLED_SECONDS = 5
LIMIT_SECONDS = 120


def tell(event, **values):
    """Prints one event."""
    print(json.dumps({"event": event, **values}), flush=True)


def emulated():
    """Whether this guest's processor is emulated: KVM would offer its clock."""
    clocks = Path("/sys/devices/system/clocksource/clocksource0/available_clocksource")
    return "kvm-clock" not in clocks.read_text()


def wait_zeroed():
    """Waits until the free memory is zeroed, telling how far it is."""
    start = changed = time.monotonic()
    best = 0
    while True:
        now = time.monotonic()
        counters = guest.vmstat()
        # nr_free_pages is without the per-CPU lists, nr_free_prezeroed is with them.
        free = counters["nr_free_pages"]
        zeroed = min(counters["nr_free_prezeroed"], free)
        if zeroed > best + guest.PAGES_PER_MIB:
            best, changed = zeroed, now
        done = (zeroed >= DONE * free or now - changed > STALLED_SECONDS
                or now - start > LIMIT_SECONDS)
        tell("progress", zeroed_mib=zeroed // guest.PAGES_PER_MIB,
             free_mib=free // guest.PAGES_PER_MIB, seconds=now - start, done=done)
        if done:
            return
        time.sleep(0.2)


def measure(kind, mebibytes):
    """Fills memory once and tells what that took."""
    before = guest.vmstat()
    seconds, nonzero, huge_kib = guest.fill(mebibytes, kind)
    after = guest.vmstat()
    hits, misses = (after.get(name, 0) - before.get(name, 0)
                    for name in ("prezero_hit", "prezero_miss"))
    tell("fill", kind=kind, seconds=seconds, nonzero=nonzero, huge_mib=huge_kib >> 10,
         hits=hits, misses=misses)


def main():
    """Measures on the kernel that is running."""
    kernel, mebibytes, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    tell("booted", emulated=emulated(), release=Path("/proc/sys/kernel/osrelease").read_text().strip())
    # The host provides the guest's memory at the first touch: that must not be measured.
    guest.fill(mebibytes, KINDS[-1])
    if kernel == "zero_page":
        tell("files", values={name: guest.read(name).strip() for name in guest.DEFAULTS})
        guest.tune(enabled=1)
        tell("enabled", value=guest.read("enabled").strip())
    for kind in KINDS:
        for _ in range(rounds):
            if kernel == "zero_page":
                wait_zeroed()
            measure(kind, mebibytes)


if __name__ == "__main__":
    main()
