#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The module can be loaded and unloaded at any time, without losing memory."""

import random
import subprocess
import threading
import time
from pathlib import Path

from lib.counters import vmstat
from lib.ksft import check, main, note, test
from lib.memory import FILL, fill
from lib.module import load, rmmod, tune

CYCLES = 200
LOAD_MIB = 32
# What may be missing in the end, in pages: less than one lost block of the largest order.
SLACK = 800


class Load(threading.Thread):
    """Allocates and frees memory until told to stop; remembers a failure."""

    def __init__(self, kind):
        super().__init__()
        self.kind, self.stop, self.rounds, self.failure = kind, threading.Event(), 0, None
        self.start()

    def run(self):
        while not self.stop.is_set() and not self.failure:
            done = subprocess.run([FILL, str(LOAD_MIB), self.kind, "scribble"],
                                  stdout=subprocess.DEVNULL)
            if done.returncode:
                self.failure = f"fill {self.kind}: status {done.returncode}"
            self.rounds += 1

    def finish(self):
        """Stops it and raises its failure."""
        self.stop.set()
        self.join()
        check(not self.failure, self.failure)
        check(self.rounds > 0, f"no load of kind {self.kind} was there")


def look():
    """Returns how many pages are accounted for, free or used, and how many of these are in slabs.

    Used pages have to be counted as well: threads leave stacks behind, some in huge pages.
    """
    now = vmstat()
    lines = [line.split() for line in Path("/proc/zoneinfo").read_text().splitlines()]
    per_cpu = sum(int(words[1]) for words in lines if words[0] == "count:")
    used = sum(now[name] for name in ("nr_anon_pages", "nr_file_pages", "nr_page_table_pages",
                                      "nr_slab_unreclaimable", "nr_slab_reclaimable"))
    return {"known": now["nr_free_pages"] + per_cpu + used, "slab": now["nr_slab_unreclaimable"]}


def usage():
    """Returns the same once the system is idle.

    Per-CPU lists shrink when they are idle. Pages that leave them between the reading of the two
    files are in neither: of several readings, the largest is right.
    """
    Path("/proc/sys/vm/drop_caches").write_text("3")
    looks = []
    for _ in range(10):
        time.sleep(0.3)
        looks.append(look())
    return max(looks, key=lambda one: one["known"])


@test
def reloading_under_load_loses_nothing():
    """200 times, enabled and active, while other processes allocate, check, scribble and free."""
    # Warm up: some memory stays allocated after the first use.
    load(enabled=1, delay_millisecs=0, batch_size=0)
    fill(LOAD_MIB, "4k")
    rmmod()
    before = usage()

    loads = [Load("4k"), Load("thp")]
    zeroed = vmstat()["prezero_zeroed"]
    start = time.monotonic()
    for _ in range(CYCLES):
        load(enabled=1, delay_millisecs=0, batch_size=0, mini_order=random.randrange(11))
        # Sometimes during the first pass, sometimes before or after it
        time.sleep(random.uniform(0, 0.05))
        if random.randrange(2):
            tune(enabled=0)
        rmmod()
    seconds = time.monotonic() - start
    zeroed = vmstat()["prezero_zeroed"] - zeroed
    for one in loads:
        one.finish()

    after = usage()
    note(f"{CYCLES} cycles in {seconds:.0f} s beside {[one.rounds for one in loads]} fills, "
         f"{zeroed} pages zeroed; before {before}, after {after}")
    check(zeroed > 0, "nothing was zeroed meanwhile: the test tests nothing")
    check(before["known"] - after["known"] <= SLACK, "pages are gone")
    check(after["slab"] - before["slab"] <= SLACK, "slabs have grown")


main()
