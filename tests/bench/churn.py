# SPDX-License-Identifier: GPL-2.0
"""What zeroing costs those who allocate and free single pages all the time: trips to zone->lock,
large blocks that are broken up, and page blocks that become unmovable."""

from pathlib import Path

import bench
from lib.counters import Counted
from lib.module import load

CPUS, MEBIBYTES = 4, 700
OPTIONS = ("--mem", "1G", "--cpus", str(CPUS))
# Operations a thread, so that each load takes about as long
LOADS = {"interleaved": 15_000, "bursts": 20_000, "processes": 4_000}
# Blocks differ from boot to boot, so boot often, in turns.
BOOTS = 6
LARGE_ORDER = 9
TRIPS_TARGET = 1.05
CONDITIONS = (f"QEMU, 1 GiB, {CPUS} CPUs, {MEBIBYTES} MiB of which two thirds are in use; the worker "
              f"runs 10 times a second; {BOOTS} boots of each kernel, taking turns; ")


def small_blocks():
    """Returns the percentage of free memory that is in blocks of less than LARGE_ORDER."""
    pages = [0, 0]
    for line in Path("/proc/buddyinfo").read_text().splitlines():
        for order, blocks in enumerate(line.split("zone", 1)[1].split()[1:]):
            pages[order < LARGE_ORDER] += int(blocks) << order
    return 100 * pages[1] / sum(pages)


def unmovable_blocks():
    """Returns the number of page blocks that are unmovable or reclaimable."""
    lines = Path("/proc/pagetypeinfo").read_text().splitlines()
    start = next(number for number, line in enumerate(lines)
                 if line.startswith("Number of blocks type"))
    types = lines[start].split("type", 1)[1].split()
    wanted = [types.index(name) for name in ("Unmovable", "Reclaimable")]
    counts = [line.split("zone", 1)[1].split()[1:] for line in lines[start + 1:] if "zone" in line]
    return sum(int(row[column]) for row in counts for column in wanted)


def churn(*events):
    """Runs all loads; reports LOAD.WHAT, and the events of /proc/vmstat as LOAD.EVENT."""
    for name, operations in LOADS.items():
        with Counted() as counted:
            told = bench.churn(name, operations, CPUS, MEBIBYTES)
            bench.tell(f"{name}.small", small_blocks())
        bench.tell(f"{name}.seconds", told["seconds"])
        bench.tell(f"{name}.moved", told["refilled"] + told["drained"])
        bench.tell(f"{name}.unmovable", unmovable_blocks())
        for event in events:
            bench.tell(f"{name}.{event}", counted[event])


def on_patched():
    """The worker runs all the time."""
    load(enabled=1, batch_size=4 << 20, delay_millisecs=100)
    churn("prezero_hit", "prezero_miss")


def compare(what, *append):
    """Boots both kernels in turns; returns the figures."""
    told = bench.in_turns(BOOTS, {"stock": churn, "patched": on_patched},
                          options=(*OPTIONS, *append))
    stock, ours = told["stock"], told["patched"]
    rows, conditions = [], CONDITIONS + f"tests/bench/churn.c{what}"
    for name in LOADS:
        def both(key, name=name):
            return stock[f"{name}.{key}"], ours[f"{name}.{key}"]

        rows += [
            bench.ratio(f"{name}{what}: pages to and from per-CPU lists", "pages", *both("moved"),
                        conditions, TRIPS_TARGET),
            bench.no_worse(f"{name}{what}: free memory below 2 MiB", "%", *both("small"),
                           conditions),
            bench.no_worse(f"{name}{what}: unmovable page blocks", "", *both("unmovable"),
                           conditions),
            bench.ratio(f"{name}{what}: time", "s", *both("seconds"), conditions),
        ]
        hits, misses = (sum(ours[f"{name}.prezero_{event}"]) for event in ("hit", "miss"))
        rows.append(bench.share(f"{name}{what}: hits", hits, hits + misses, conditions))
    return rows


@bench.measurement("Churn of single pages (QEMU, 4 CPUs)", "stock", "patched")
def plain():
    """As most systems boot."""
    return compare("")


@bench.measurement("Churn of single pages with init_on_alloc=1 (QEMU, 4 CPUs)", "stock", "patched")
def init_on_alloc():
    """Each allocation asks for zeros."""
    return compare(", init_on_alloc=1", "--append", "init_on_alloc=1")
