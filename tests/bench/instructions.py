# SPDX-License-Identifier: GPL-2.0
"""What allocations cost in instructions, in QEMU, where guest time counts them."""

import bench
from bench import guest

OPTIONS = ("--icount", "--mem", "1G")
ROUNDS = 5
PAIRS = 100000
ORDERS = range(guest.MAX_PAGE_ORDER + 1)
RAW_ORDERS = range(4, guest.MAX_PAGE_ORDER + 1)
PAGES_A_ROUND = (64 << 20) // guest.PAGE_SIZE
CONDITIONS = (f"QEMU -icount shift=0, 1 CPU, 1 GiB; {PAIRS} pairs or 64 MiB a round, "
              f"median of {ROUNDS}; ")

NEVER_ENABLED_TARGET, PAIRS_TARGET, RAW_TARGET, ZEROED_TARGET = 1.005, 1.01, 1.1, 1.3


def sample(before=lambda: None, zero=0):
    """Returns instructions of compound allocations, a list of samples by order."""
    samples = {}
    for order in ORDERS:
        values = samples[order] = []
        for _ in range(ROUNDS):
            before()
            values += bench.run_each("pages", order=order, count=PAGES_A_ROUND >> order, comp=1,
                                     zero=zero)
    return samples


def sample_pairs():
    """Returns instructions of allocating and freeing a page; empties the per-CPU lists then.

    What they keep of one round would serve a third of the next, on the stock kernel and of raw
    pages.
    """
    values = bench.run_each("pages", count=PAIRS, pair=1, rounds=ROUNDS)
    guest.shrink_per_cpu_lists()
    return values


def on_stock(modules):
    """The stock kernel."""
    bench.load_bench(modules)
    return {"stock": {"pairs": sample_pairs(), "raw": sample()}}


def on_patched(modules):
    """The patched kernel, before zero_page was ever enabled, and enabled with all memory zeroed."""
    bench.load_bench(modules)
    bench.load_zero_page(modules)
    result = {"off": {"pairs": sample_pairs(), "raw": sample()}}
    guest.tune(batch_size=4 << 20, delay_millisecs=50, enabled=1)
    bench.wait_zeroed()
    result["on"] = {"pairs": sample_pairs(), "raw": sample(bench.wait_zeroed),
                    "zeroed": sample(bench.wait_zeroed, zero=1)}
    return result


@bench.measurement("Instructions of an allocation (QEMU -icount)", "stock", "patched")
def instructions():
    """Pairs of allocating and freeing order 0, and compound pages, on both kernels."""
    stock = bench.in_guest("stock", on_stock, options=OPTIONS)["stock"]
    ours = bench.in_guest("patched", on_patched, options=OPTIONS)
    figures = []

    def compare(name, stock, ours, conditions, target):
        figures.append(bench.ratio(name, "instructions", stock, ours, CONDITIONS + conditions, target))

    for state, name, pairs_target, raw_target in (
            ("off", "never enabled", NEVER_ENABLED_TARGET, NEVER_ENABLED_TARGET),
            ("on", "enabled and idle", PAIRS_TARGET, RAW_TARGET)):
        compare(f"pairs of order 0, {name}", stock["pairs"], ours[state]["pairs"], name, pairs_target)
        for order in map(str, RAW_ORDERS):
            compare(f"raw compound order {order}, {name}", stock["raw"][order],
                    ours[state]["raw"][order], name, raw_target)
    for order in map(str, ORDERS):
        compare(f"pre-zeroed against stock's raw, order {order}", stock["raw"][order],
                ours["on"]["zeroed"][order], "all free memory zeroed", ZEROED_TARGET)
    return figures
