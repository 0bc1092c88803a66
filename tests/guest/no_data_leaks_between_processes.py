#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""No process sees the data of another, however memory is reused while the worker is active."""

import subprocess
import time
from pathlib import Path

from lib.counters import settle, vmstat
from lib.ksft import check, main, note, test
from lib.memory import FILL, SCRIBBLE, fill, mib_total
from lib.module import load

SECONDS = 20


def write_file(path, mebibytes):
    """Fills page cache, which is allocated without asking for zeros."""
    with open(path, "wb", buffering=0) as file:
        for _ in range(mebibytes):
            file.write(SCRIBBLE)


@test
def every_process_starts_with_zeros():
    """Processes of all kinds check their memory, scribble over it and exit, in parallel."""
    load(enabled=1, delay_millisecs=0, batch_size=0)
    share = mib_total() // 8
    before = vmstat()
    rounds = 0
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        processes = [subprocess.Popen([FILL, str(share), kind, "scribble"],
                                      stdout=subprocess.DEVNULL)
                     for kind in ("4k", "thp", "shmem")]
        file = Path("/dev/shm/scribble")
        write_file(file, share // 2)
        file.unlink()
        for process in processes:
            check(process.wait() == 0, f"{process.args}: status {process.returncode}")
        rounds += 1
    after = vmstat()
    change = {name: after[name] - before[name] for name in after if name.startswith("prezero")}
    note(f"{rounds} rounds, {change}")
    check(change["prezero_hit"] and change["prezero_waste"],
          "zeroed memory went to only one kind of user: the test tests nothing")


@test
def zeroed_page_written_as_file_is_raw_again():
    """A zeroed page that is allocated without __GFP_ZERO and written to is raw once it is free."""
    for _ in range(3):
        settle()
        file = Path("/dev/shm/scribble")
        size = mib_total() // 3
        write_file(file, size)
        file.unlink()
        for kind in ("4k", "thp"):
            check(fill(size, kind)[1] == 0, f"{kind}: file content became process memory")


main()
