#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Writers on all files at the same time leave sane values and a module that works."""

import random
import subprocess
import threading
import time

from lib.counters import settle, wait_until, zeroed
from lib.ksft import check, main, note, test
from lib.memory import FILL, PAGES_PER_MIB, Memory
from lib.module import load, read, rmmod, tune, write
from lib.pages import check_gauge
from lib.states import shrink_per_cpu_lists

SECONDS = 15

# Good values, and what must be refused
VALUES = {
    "enabled": (("0", "1"), ("2", "on")),
    "mini_order": (tuple(map(str, range(11))), ("11", "-1")),
    "batch_size": (("0", "4096", "67108864"), ("4294967295", "")),
    "delay_millisecs": (("0", "1", "20"), ("4294967295", "1s")),
    "max_zeroed": (("0", "33554432", "max"), ("18446744073709551616", "most")),
}


class Writer(threading.Thread):
    """Writes good and bad values to one file, and reads it, until `end`."""

    def __init__(self, name, end):
        super().__init__()
        self.name, self.end, self.writes, self.failure = name, end, 0, None
        self.start()

    def step(self):
        """Writes once; returns what was wrong."""
        good, bad = VALUES[self.name]
        text = random.choice(good + bad)
        result = write(self.name, text + "\n")
        if result != (0 if text in good else "EINVAL"):
            return f"{self.name}: writing {text!r} gives {result}"
        shown = read(self.name).strip()
        if shown not in good:
            return f"{self.name} shows {shown!r}"
        return None

    def run(self):
        while time.monotonic() < self.end and not self.failure:
            self.failure = self.step()
            self.writes += 1


@test
def concurrent_writes_keep_valid_values():
    """Two writers per file, while processes check and scribble over memory."""
    load(enabled=1, delay_millisecs=0, batch_size=0)
    end = time.monotonic() + SECONDS
    writers = [Writer(name, end) for name in VALUES for _ in range(2)]
    fills = 0
    while time.monotonic() < end:
        for kind in ("4k", "thp"):
            done = subprocess.run([FILL, "96", kind, "scribble"], stdout=subprocess.DEVNULL)
            check(done.returncode == 0, f"fill {kind}: status {done.returncode}")
            fills += 1
    for writer in writers:
        writer.join()
        check(not writer.failure, writer.failure)
    note(f"{sum(writer.writes for writer in writers)} writes beside {fills} fills")


@test
def zeroing_works_afterwards():
    """With good settings the worker zeroes memory, and the module can be unloaded."""
    tune(enabled=0, mini_order=0, batch_size=0, delay_millisecs=0, max_zeroed="max")
    tune(enabled=1)
    settle()
    # Otherwise freed pages stay in per-CPU lists, which the worker does not process.
    shrink_per_cpu_lists()
    memory = Memory(64)
    before = zeroed()
    memory.free()
    check(wait_until(lambda: zeroed() - before >= 48 * PAGES_PER_MIB, 20), "nothing is zeroed")
    check_gauge()
    rmmod()


main()
