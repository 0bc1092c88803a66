#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Huge pages and allocations under fragmentation and pressure, in a guest.

	pressure_guest.py [enabled]

With "enabled", zero_page is loaded and zeroes what it can; without, it is never loaded. The same
load runs in both cases: memory full of holes of one page, files in memory that come and go, and
processes that want huge pages. Reports figures: seconds, events of /proc/vmstat, failed
allocations in the kernel's log, and how many huge pages the hugetlb pool got at the end, when it
asked for more than are possible. Fewer failures and fallbacks are better.
"""

import random
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "guest"))
# pylint: disable=wrong-import-position
from lib.counters import vmstat
from lib.ksft import figure
from lib.memory import FILL, PAGES_PER_MIB, Memory, mib_total
from lib.module import kernel_log, load

ROUNDS = 4
EVENTS = ("thp_fault_alloc", "thp_fault_fallback", "compact_stall", "compact_fail",
          "compact_success", "compact_migrate_scanned", "compact_free_scanned",
          "allocstall_dma32", "allocstall_normal", "allocstall_movable", "pgscan_direct",
          "oom_kill", "prezero_zeroed", "prezero_hit", "prezero_miss", "prezero_waste")
POOL = Path("/proc/sys/vm/nr_hugepages")
FILE = Path("/dev/shm/pressure")


def fragmented(mebibytes, chance):
    """Allocates memory and frees every other page of it, at random."""
    memory = Memory(mebibytes)
    pages = range(mebibytes * PAGES_PER_MIB)
    for index in chance.sample(pages, len(pages) // 2):
        memory.free_page(index)
    return memory


def put_under_pressure(total, chance):
    """Allocates huge pages beside fragmented memory, while files come and go."""
    memory = fragmented(total * 6 // 10, chance)
    for part in (0.3, 0.4, 0.46):
        writer = subprocess.Popen(["dd", "if=/dev/zero", f"of={FILE}", "bs=64k", "status=none",
                                   f"count={int(total * 0.1) * 16}"])
        user = subprocess.Popen([FILL, str(int(total * part)), "thp", "scribble"],
                                stdout=subprocess.DEVNULL)
        statuses = [process.wait() for process in (user, writer)]
        FILE.unlink(missing_ok=True)
        if any(statuses):
            raise SystemExit(f"pressure: fill, dd: {statuses}")
    memory.free()


def main():
    """Runs the load; prints the results."""
    enabled = sys.argv[1:] == ["enabled"]
    if enabled:
        load(enabled=1, delay_millisecs=10, batch_size=4 << 20)
    chance = random.Random(1)
    total = mib_total()
    before, start = vmstat(), time.monotonic()
    for _ in range(ROUNDS):
        put_under_pressure(total, chance)
    memory = fragmented(total * 6 // 10, chance)
    POOL.write_text(str(total))
    pool = int(POOL.read_text())
    POOL.write_text("0")
    memory.free()
    after = vmstat()
    figure("seconds", f"{time.monotonic() - start:.1f}")
    for name in EVENTS:
        if name in after:
            figure(name, after[name] - before[name])
    figure("page_allocation_failures", kernel_log().count("page allocation failure"))
    figure("huge_pages_in_pool", pool)


main()
