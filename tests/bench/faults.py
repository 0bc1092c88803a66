# SPDX-License-Identifier: GPL-2.0
"""What a program costs that takes all of its memory anew again and again, with the worker's share."""

import bench
from lib.module import load

ROUNDS, PAGES = 7, 8 * 32768
TARGET = 1.02
# Of the patched kernel: title, and parameters of the module
STATES = {
    "never": ("never enabled", {}),
    "default": ("default knobs", {"enabled": 1}),
    "eager": ("eager knobs", {"enabled": 1, "batch_size": 0, "delay_millisecs": 10}),
}
CONDITIONS = (f"tests/bench/churn.c faults, {PAGES} faults of 4 KiB a round, median of {ROUNDS}; "
              "nothing is done for the per-CPU lists; ")


def sample(name):
    """Reports the seconds of each round."""
    for turn in range(ROUNDS + 1):
        seconds = bench.churn("faults", PAGES, threads=1, mebibytes=64)["seconds"]
        # The first round finds whatever the boot has left.
        if turn:
            bench.tell(name, seconds)


def on_stock():
    """The stock kernel."""
    sample("stock")


def on_patched():
    """Never enabled, and enabled."""
    for name, (_, parameters) in STATES.items():
        load(**parameters)
        sample(name)


def compare(options, conditions):
    """Boots both kernels; returns the figures."""
    stock = bench.in_guest("stock", on_stock, options=options)
    ours = bench.in_guest("patched", on_patched, options=options)
    return [bench.ratio(title, "s", stock["stock"], ours[name], CONDITIONS + conditions, TARGET)
            for name, (title, _) in STATES.items()]


@bench.measurement("Faults of 4 KiB, worker on the same CPU (QEMU -icount)", "stock", "patched")
def one_cpu():
    """The time counts instructions, those of the worker included."""
    return compare(("--icount", "--mem", "1G"), "QEMU -icount shift=0, 1 CPU, 1 GiB")


@bench.measurement("Faults of 4 KiB, 2 CPUs (QEMU)", "stock", "patched")
def two_cpus():
    """The worker has a CPU of its own."""
    return compare(("--cpus", "2", "--mem", "1G"), "QEMU, 2 CPUs, 1 GiB")
