# SPDX-License-Identifier: GPL-2.0
"""What allocations cost at the machine's own speed, in user-mode Linux."""

import time

import bench
from lib.memory import PAGE_SIZE
from lib.module import load, tune
from lib.pages import MAX_PAGE_ORDER

ORDERS = range(MAX_PAGE_ORDER + 1)
KINDS = ("raw", "zeroed")
MEMORY = "1G"
# The kernels take turns, so that other load on the machine affects both. Where the host
# places a guest's memory matters more, so many boots are better than many rounds.
BOOTS, ROUNDS = 12, 2
PAGES_A_ROUND = (256 << 20) // PAGE_SIZE
# Pairs before each sample, of the same page, so that the allocator's code is in the caches: it
# was last used by the code that cleared memory, which differs. Of a page, as freed pages are raw:
# a block of the measured size would be the next one to be allocated, and cleared.
WARM_UP = 1000

ZEROED_TARGET, RAW_TARGET, RAW_TARGET_ORDERS = 1.3, 1.1, range(4, 11)
CONDITIONS = (f"UML, {MEMORY}, compound, 256 MiB a round, page structures not cached; median of "
              f"{BOOTS} boots of {ROUNDS} rounds, kernels taking turns; ")


def clear_and_rest():
    """Does what the worker does: clears memory, and then leaves the processor idle for a while."""
    bench.run("pages", order=MAX_PAGE_ORDER, count=PAGES_A_ROUND >> MAX_PAGE_ORDER,
              zero=1, comp=1)
    time.sleep(0.05)


def sample(state, before):
    """Reports nanoseconds per allocation, as STATE.KIND.ORDER."""
    # In the first round, code and data are not cached: it does not count.
    for turn in range(ROUNDS + 1):
        for order in ORDERS:
            for kind in KINDS:
                before()
                bench.run("pages", count=WARM_UP, pair=1, comp=1)
                values = bench.run_each("pages", order=order, count=PAGES_A_ROUND >> order,
                                        zero=int(kind == "zeroed"), comp=1, cold=1)
                if turn:
                    bench.tell(f"{state}.{kind}.{order}", *values)


def on_stock():
    """The stock kernel."""
    bench.load_bench()
    bench.touch_all()
    sample("stock", clear_and_rest)


def on_patched():
    """The patched kernel, before zero_page was ever enabled, and enabled with all memory zeroed."""
    bench.load_bench()
    bench.touch_all()
    load()
    sample("off", clear_and_rest)
    tune(batch_size=4 << 20, delay_millisecs=50, enabled=1)
    sample("on", bench.wait_zeroed)


@bench.measurement("Cost of an allocation, at native speed (user-mode Linux)",
                   "uml-stock", "uml-patched")
def cost():
    """Raw and zeroed allocations of every order, on both kernels."""
    told = bench.in_turns(BOOTS, {"uml-stock": on_stock, "uml-patched": on_patched},
                          options=("--mem", MEMORY))
    samples = {**told["uml-stock"], **told["uml-patched"]}

    figures = []
    for name, stock, ours, conditions in (
            ("pre-zeroed against stock's raw", "stock.raw", "on.zeroed", "all free memory zeroed"),
            ("raw, enabled and idle", "stock.raw", "on.raw", "all free memory zeroed"),
            ("raw, never enabled", "stock.raw", "off.raw", "zero_page never enabled"),
            ("pre-zeroed against stock's zeroed", "stock.zeroed", "on.zeroed",
             "all free memory zeroed")):
        for order in ORDERS:
            target = None
            if name == "pre-zeroed against stock's raw":
                target = ZEROED_TARGET
            elif name == "raw, enabled and idle" and order in RAW_TARGET_ORDERS:
                target = RAW_TARGET
            figures.append(bench.ratio(f"{name}, order {order}", "ns",
                                       samples[f"{stock}.{order}"], samples[f"{ours}.{order}"],
                                       CONDITIONS + conditions, target))
    return figures
