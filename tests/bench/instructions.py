# SPDX-License-Identifier: GPL-2.0
"""The cost of allocations in instructions, in QEMU, where guest time counts them."""

import bench
from lib.memory import PAGE_SIZE
from lib.module import load, tune
from lib.pages import MAX_PAGE_ORDER
from lib.states import shrink_per_cpu_lists

OPTIONS = ("--icount", "--mem", "1G")
ROUNDS = 5
PAIRS = 100000
ORDERS = range(MAX_PAGE_ORDER + 1)
RAW_ORDERS = range(4, MAX_PAGE_ORDER + 1)
PAGES_A_ROUND = (64 << 20) // PAGE_SIZE
CONDITIONS = (f"QEMU -icount shift=0, 1 CPU, 1 GiB; {PAIRS} pairs or 64 MiB a round, "
              f"median of {ROUNDS}; ")

NEVER_ENABLED_TARGET, PAIRS_TARGET, RAW_TARGET, ZEROED_TARGET = 1.005, 1.01, 1.1, 1.3


def sample(name, before=lambda: None, zero=0):
    """Reports instructions of compound allocations, as NAME.ORDER."""
    for order in ORDERS:
        for _ in range(ROUNDS):
            before()
            bench.tell(f"{name}.{order}",
                       *bench.run_each("pages", order=order, count=PAGES_A_ROUND >> order,
                                       comp=1, zero=zero))


def sample_pairs(name):
    """Reports instructions of allocating and freeing a page; then empties the per-CPU lists.

    The pages they keep from one round would serve a third of the next, on the stock kernel and
    for raw pages.
    """
    bench.tell(name, *bench.run_each("pages", count=PAIRS, pair=1, rounds=ROUNDS))
    shrink_per_cpu_lists()


def on_stock():
    """The stock kernel."""
    bench.load_bench()
    sample_pairs("pairs")
    sample("raw")


def on_patched():
    """The patched kernel, before zero_page was ever enabled, and enabled with all memory zeroed."""
    bench.load_bench()
    load()
    sample_pairs("off.pairs")
    sample("off.raw")
    tune(batch_size=4 << 20, delay_millisecs=50, enabled=1)
    bench.wait_zeroed()
    sample_pairs("on.pairs")
    sample("on.raw", bench.wait_zeroed)
    sample("on.zeroed", bench.wait_zeroed, zero=1)


@bench.measurement("Instructions of an allocation (QEMU -icount)", "stock", "patched")
def instructions():
    """Pairs of allocating and freeing order 0, and compound pages, on both kernels."""
    stock = bench.in_guest("stock", on_stock, options=OPTIONS)
    ours = bench.in_guest("patched", on_patched, options=OPTIONS)
    figures = []

    def compare(name, stock, ours, conditions, target):
        figures.append(bench.ratio(name, "instructions", stock, ours, CONDITIONS + conditions,
                                   target))

    for state, name, pairs_target, raw_target in (
            ("off", "never enabled", NEVER_ENABLED_TARGET, NEVER_ENABLED_TARGET),
            ("on", "enabled and idle", PAIRS_TARGET, RAW_TARGET)):
        compare(f"pairs of order 0, {name}", stock["pairs"], ours[f"{state}.pairs"], name,
                pairs_target)
        for order in RAW_ORDERS:
            compare(f"raw compound order {order}, {name}", stock[f"raw.{order}"],
                    ours[f"{state}.raw.{order}"], name, raw_target)
    for order in ORDERS:
        compare(f"pre-zeroed against stock's raw, order {order}", stock[f"raw.{order}"],
                ours[f"on.zeroed.{order}"], "all free memory zeroed", ZEROED_TARGET)
    return figures
