# SPDX-License-Identifier: GPL-2.0
"""What allocations cost in instructions, in QEMU, where guest time counts them."""

import bench
from bench import guest

OPTIONS = ("--icount", "--mem", "1G")
ROUNDS = 5
PAIRS = 100000
ORDERS = range(4, guest.MAX_PAGE_ORDER + 1)
PAGES_A_ROUND = (64 << 20) // guest.PAGE_SIZE
CONDITIONS = (f"QEMU -icount shift=0, 1 CPU, 1 GiB; {PAIRS} pairs or 64 MiB a round, "
              f"median of {ROUNDS}; ")

NEVER_ENABLED_TARGET, PAIRS_TARGET, RAW_TARGET = 1.005, 1.01, 1.1


def sample(before=lambda: None):
    """Returns instructions by what was done, a list of samples each."""
    before()
    samples = {"pairs of order 0": bench.run_each("pages", count=PAIRS, pair=1, rounds=ROUNDS)}
    for order in ORDERS:
        values = samples[f"raw compound order {order}"] = []
        for _ in range(ROUNDS):
            before()
            values += bench.run_each("pages", order=order, count=PAGES_A_ROUND >> order, comp=1)
    return samples


def on_stock(modules):
    """The stock kernel."""
    bench.load_bench(modules)
    return {"stock": sample()}


def on_patched(modules):
    """The patched kernel, before zero_page was ever enabled, and enabled with all memory zeroed."""
    bench.load_bench(modules)
    bench.load_zero_page(modules)
    result = {"off": sample()}
    guest.tune(batch_size=4 << 20, delay_millisecs=50, enabled=1)
    result["on"] = sample(before=bench.wait_zeroed)
    return result


@bench.measurement("Instructions of an allocation (QEMU -icount)", "stock", "patched")
def instructions():
    """Pairs of allocating and freeing order 0, and raw high orders, on both kernels."""
    samples = {**bench.in_guest("stock", on_stock, options=OPTIONS),
               **bench.in_guest("patched", on_patched, options=OPTIONS)}
    figures = []
    for state, name in (("off", "never enabled"), ("on", "enabled and idle")):
        for what, stock in samples["stock"].items():
            target = NEVER_ENABLED_TARGET
            if state == "on":
                target = PAIRS_TARGET if what.startswith("pairs") else RAW_TARGET
            figures.append(bench.ratio(f"{what}, {name}", "instructions", stock,
                                       samples[state][what], CONDITIONS + name, target))
    return figures
