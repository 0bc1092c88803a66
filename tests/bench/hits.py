# SPDX-License-Identifier: GPL-2.0
"""How much of the memory that user space allocates is zeroed ahead of allocation."""

import time
from pathlib import Path

import bench
from lib import memory
from lib.counters import vmstat
from lib.memory import PAGES_PER_MIB, mib_total
from lib.module import load

OPTIONS = ("--mem", "2G")
KINDS = {"4k": "4 KiB pages", "thp": "huge pages (THP)", "hugetlb": "hugetlb pages"}
SHARE_FILLED = 0.75
MIB_PER_HUGE_PAGE = 2
TARGET = 0.97
# Pools have counters of their own; a series without them has no hits there.
COUNTERS = {"hugetlb": ("prezero_hit_hugetlb", "prezero_miss_hugetlb")}
POOL_QUIET_SECONDS = 3

NR_HUGEPAGES = Path("/proc/sys/vm/nr_hugepages")


def reserve(mebibytes):
    """Sets the size of the hugetlb pool, or empties it."""
    pages = mebibytes // MIB_PER_HUGE_PAGE
    NR_HUGEPAGES.write_text(str(pages))
    if int(NR_HUGEPAGES.read_text()) != pages:
        raise bench.Failure(f"the guest could not reserve {mebibytes} MiB for hugetlb")


def wait_pool_zeroed():
    """Waits until the free pages of pools are zeroed, if the series does that."""
    last = None
    while (now := vmstat().get("prezero_zeroed_hugetlb", 0)) != last:
        last = now
        time.sleep(POOL_QUIET_SECONDS)


def fill(kind, mebibytes):
    """Fills this much memory with all free memory zeroed; reports pages wanted, hits and misses."""
    if kind == "hugetlb":
        reserve(mebibytes)
        wait_pool_zeroed()
    else:
        bench.wait_zeroed()
    before = vmstat()
    seconds, nonzero, huge_kib = memory.fill(mebibytes, kind)
    after = vmstat()
    if nonzero:
        raise bench.Failure(f"{kind}: {nonzero} words of new memory are not zero")
    if kind != "4k" and huge_kib < mebibytes << 9:
        raise bench.Failure(f"{kind}: the guest gave only {huge_kib >> 10} MiB of {mebibytes} "
                            "in huge pages")
    hits, misses = (after.get(name, 0) - before.get(name, 0)
                    for name in COUNTERS.get(kind, ("prezero_hit", "prezero_miss")))
    # Other code may have asked for zeros as well, and memory that does not come from the allocator
    # is no hit.
    wanted = max(mebibytes * PAGES_PER_MIB, hits + misses)
    for name, value in (("wanted", wanted), ("hits", hits), ("misses", misses),
                        ("mib", mebibytes), ("seconds", seconds)):
        bench.tell(f"{kind}.{name}", value)


def fills():
    """Fills most of the memory, one kind after the other."""
    load(enabled=1, batch_size=0, delay_millisecs=100)
    mebibytes = int(mib_total() * SHARE_FILLED) // MIB_PER_HUGE_PAGE * MIB_PER_HUGE_PAGE
    for kind in KINDS:
        fill(kind, mebibytes)


@bench.measurement("Hits (QEMU, 2 GiB, all free memory zeroed, 75 % filled)", "patched")
def hit_rates():
    """Fills by 4 KiB faults, THP and hugetlb."""
    figures, told = [], bench.in_guest("patched", fills, options=OPTIONS)
    for kind, title in KINDS.items():
        (hits,), (wanted,) = told[f"{kind}.hits"], told[f"{kind}.wanted"]
        figure = bench.share(f"hits of pages wanted, {title}", hits, wanted,
                             "QEMU, 2 GiB, 2 CPUs, one fill after the other", TARGET)
        figure.samples = {name: values for name, values in told.items()
                          if name.startswith(f"{kind}.")}
        figures.append(figure)
    return figures
