#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Reading files does not use up zeroed pages while there are raw ones.

Boots with a directory of the host as the 9p file system "files"; it is mounted here such that its
files are cached, and contains a large file, "hole".
"""

import subprocess
from pathlib import Path

from lib.counters import Counted, raw_mib
from lib.ksft import check, figure, main, note, test
from lib.memory import CHUNK, MADV_POPULATE_WRITE, PAGES_PER_MIB, anonymous, check_zero, mib_total
from lib.module import tune
from lib.states import free_raw_last, start, stop_in_the_middle, zero_scribbled_memory

FILES = Path("/run/files")
AT_MOST = 0.02


def cached_mib():
    """Returns how much page cache there is, in MiB."""
    return next(int(line.split()[1]) for line in Path("/proc/meminfo").read_text().splitlines()
                if line.startswith("Cached:")) >> 10


def read_file(mebibytes):
    """Reads the large file from its start."""
    buffer = bytearray(CHUNK)
    with open(FILES / "hole", "rb", buffering=0) as file:
        for _ in range(mebibytes):
            check(file.readinto(buffer) == CHUNK, "the file is too small")


def drop_caches():
    """Frees all page cache that can be freed."""
    Path("/proc/sys/vm/drop_caches").write_text("3")


def check_reading(leave_raw):
    """Reads half as much as there is memory, with more raw pages than that."""
    drop_caches()
    size = mib_total() // 2
    leave_raw(mib_total() * 6 // 10)
    cached = cached_mib()
    with Counted() as counted:
        read_file(size)
    cached = cached_mib() - cached
    share = counted["prezero_waste"] / (size * PAGES_PER_MIB)
    note(f"{size} MiB read, {cached} MiB cached, {raw_mib()} MiB raw left, {counted}")
    figure("waste_percent", f"{100 * share:.2f}")
    check(cached >= 0.95 * size, f"only {cached} of {size} MiB are in the page cache")
    check(share <= AT_MOST, f"{share:.2%} of the pages read were zeroed in vain")


@test
def raw_pages_freed_last_are_taken():
    """Raw pages are where the allocator looks first anyway."""
    FILES.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "9p", "-o", "trans=virtio,version=9p2000.L,cache=loose,"
                    "msize=512000,ro", "files", FILES], check=True)
    start()
    check_reading(free_raw_last)


@test
def raw_pages_anywhere_are_taken():
    """Zeroing was stopped halfway, so that raw and zeroed blocks are as the worker left them."""
    check_reading(stop_in_the_middle)


@test
def page_cache_that_is_dropped_is_raw():
    """Data that was read does not show up in the memory of a process."""
    drop_caches()
    memory = anonymous(mib_total() * 6 // 10)
    memory.madvise(MADV_POPULATE_WRITE)
    check_zero(memory)


@test
def reading_goes_on_without_raw_pages():
    """Zeroed pages are used when nothing else is left; that is counted as waste."""
    zero_scribbled_memory()
    tune(enabled=0)
    size = mib_total() // 3
    with Counted() as counted:
        read_file(size)
    note(counted)
    check(counted["prezero_waste"] >= 0.5 * size * PAGES_PER_MIB, "no waste: from where is it?")


main()
