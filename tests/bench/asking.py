# SPDX-License-Identifier: GPL-2.0
"""What it costs to ask for zeroed memory where it does not help: what is zeroed is in another zone,
a memory cgroup is full, or another thread is faster."""

import ctypes
import mmap
import os
import subprocess
import threading
import time
from pathlib import Path

import bench
from lib import memory
from lib.cgroup import Cgroup
from lib.counters import Counted
from lib.hugetlb import HUGE, MAP_HUGETLB
from lib.memory import (CHUNK, MADV_HUGEPAGE, MADV_POPULATE_WRITE, PAGES_PER_MIB, address,
                        anonymous)
from lib.module import load, tune
from lib.process import Setting
from vmtest import invoke

# Movable memory has a zone of its own, which comes first for user space.
MOVABLE_MIB = 512
OPTIONS = ("--icount", "--mem", "1G", "--append", f"movablecore={MOVABLE_MIB}M", *invoke.FILES)
ROUNDS, MIB, LIMIT_MIB, THREADS = 7, 256, 64, 4
OFFSETS = range(0, MIB << 20, HUGE.mib << 20)
TARGET = 1.01
CONDITIONS = f"QEMU -icount shift=0, 1 CPU, 1 GiB; {MIB} MiB, median of {ROUNDS}; "
FILES = Path("/run/files")
THP = Path("/sys/kernel/mm/transparent_hugepage")


def reserve():
    """Reserves surplus folios of hugetlb, which need not be zero yet."""
    anonymous(MIB, mmap.MAP_PRIVATE | MAP_HUGETLB).close()


def fault():
    """Faults in huge pages."""
    pages = anonymous(MIB)
    pages.madvise(MADV_HUGEPAGE)
    pages.madvise(MADV_POPULATE_WRITE)
    pages.close()


def touch(mapping):
    """Writes to each huge page; other threads may run meanwhile."""
    start = address(mapping)
    for offset in OFFSETS:
        ctypes.memset(start + offset, 1, 1)


def touch_sparse():
    """Touches memory that may have huge pages, if they can be had without reclaim."""
    pages = anonymous(MIB)
    touch(pages)
    pages.close()


def fill_hole():
    """Faults in the same huge pages of a file from several threads."""
    file = os.memfd_create("hole")
    os.ftruncate(file, MIB << 20)
    pages = mmap.mmap(file, MIB << 20)
    os.close(file)
    threads = [threading.Thread(target=touch, args=(pages,)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pages.close()


def sample(name, function, event=None):
    """Reports microseconds per huge page; `event` must have happened for nearly each of them."""
    with Counted() as counted:
        for turn in range(ROUNDS + 1):
            start = time.monotonic()
            function()
            # The first round is slower, on any kernel.
            if turn:
                bench.tell(name, 1e6 * (time.monotonic() - start) / len(OFFSETS))
    bench.progress(f"{name}: {counted}")
    expected = (ROUNDS + 1) * len(OFFSETS)
    if event and counted[event] < 0.9 * expected:
        raise bench.Failure(f"{name}: {event} rose by {counted[event]} instead of {expected}")
    return counted


def fill_cgroup(group):
    """Enters a cgroup and fills it with page cache."""
    (group.path / "memory.max").write_text(str(LIMIT_MIB << 20))
    group.enter()
    FILES.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "9p", "-o", "trans=virtio,version=9p2000.L,cache=loose,"
                    "msize=512000,ro", "files", FILES], check=True)
    with open(FILES / "hole", "rb", buffering=0) as file:
        for _ in range(2 * LIMIT_MIB):
            file.read(CHUNK)
    used = int((group.path / "memory.current").read_text())
    if used < 0.9 * (LIMIT_MIB << 20):
        raise bench.Failure(f"only {used >> 20} of {LIMIT_MIB} MiB of page cache")


def sample_raw():
    """Where movable memory is raw. What is zeroed is in other zones."""
    memory.fill(MOVABLE_MIB, "4k", "scribble")
    (HUGE.directory / "nr_overcommit_hugepages").write_text(str(len(OFFSETS)))
    counted = [sample("reserve", reserve, "htlb_buddy_alloc_success"),
               sample("fault", fault, "thp_fault_alloc")]
    with Setting(THP / "shmem_enabled", "always"):
        counted.append(sample("hole", fill_hole, "thp_file_alloc"))
    return counted


def sample_limit():
    """Where zeroed memory is at hand, but cannot be charged."""
    with Setting(THP / "enabled", "always"), Cgroup() as group:
        fill_cgroup(group)
        sample("limit", touch_sparse, "thp_fault_fallback_charge")
        group.leave()


def on_stock():
    """The stock kernel."""
    sample_raw()
    sample_limit()


def on_patched():
    """Zeroing is enabled, but not now."""
    load(enabled=1, batch_size=0, delay_millisecs=50)
    bench.wait_zeroed()
    tune(enabled=0)
    for counted in sample_raw():
        if counted["prezero_hit"] > 0.1 * ROUNDS * MIB * PAGES_PER_MIB:
            raise bench.Failure(f"zeroed pages have been allocated: {counted}")
    tune(enabled=1)
    bench.wait_zeroed()
    tune(enabled=0)
    sample_limit()


@bench.measurement("Asking for zeroed memory in vain (QEMU -icount)", "stock", "patched")
def asking():
    """Huge pages of all kinds, by what stands in the way of zeroed ones."""
    stock = bench.in_guest("stock", on_stock, options=OPTIONS)
    ours = bench.in_guest("patched", on_patched, options=OPTIONS)
    return [bench.ratio(name, "us", stock[key], ours[key], CONDITIONS + conditions, TARGET)
            for key, name, conditions in (
                ("reserve", "hugetlb pages reserved by mmap()",
                 "the zone that comes first is raw, others are zeroed"),
                ("fault", "THP faults",
                 "the zone that comes first is raw, others are zeroed"),
                ("hole", f"huge pages of a memfd, {THREADS} threads on each",
                 "the zone that comes first is raw, others are zeroed"),
                ("limit", "THP faults that cannot be charged",
                 f"all memory is zeroed; memory cgroup with {LIMIT_MIB} MiB of page cache"))]
