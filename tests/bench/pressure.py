# SPDX-License-Identifier: GPL-2.0
"""Fallbacks and failures under memory pressure, without zero_page and with it."""

import subprocess

import bench
from vmtest import invoke
from vmtest.kernel import KERNELS
from vmtest.results import figures

# Rates differ by a factor of five from one boot of the same kernel to the next. So boot many times,
# in turns, and test whether there is a difference at all.
BOOTS = 6
CONDITIONS = (f"QEMU, 1 GiB, 2 CPUs, tests/bench/pressure_guest.py; mean of {BOOTS} boots of each, "
              "taking turns; p: chance that kernels without a difference differ as much")
# Each event and the event it is a share of
RATES = {
    "THP faults that fell back": ("thp_fault_fallback", ("thp_fault_fallback", "thp_fault_alloc")),
    "compactions that failed": ("compact_fail", ("compact_fail", "compact_success")),
}


def boot(kernel, *arguments):
    """Runs the load in a guest; returns its counts."""
    bench.progress(f"{kernel} {' '.join(arguments)}")
    done = subprocess.run(
        invoke.vm(KERNELS[kernel], "tests/bench/pressure_guest.py", *arguments),
        cwd=bench.TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise bench.Failure(f"pressure_guest.py on {kernel} ended with status {done.returncode}")
    return figures(done.stdout.splitlines())


@bench.measurement("Under memory pressure (QEMU, 1 GiB)", "stock", "patched")
def pressure():
    """The same load on the stock kernel, and with zero_page enabled."""
    stock, ours = [], []
    for _ in range(BOOTS):
        stock.append(boot("stock"))
        ours.append(boot("patched", "enabled"))

    def rates(runs, part, whole):
        return [100 * run[part] / max(sum(run[name] for name in whole), 1) for run in runs]

    rows = [bench.no_worse(name, "%", rates(stock, *of), rates(ours, *of), CONDITIONS)
            for name, of in RATES.items()]
    for name in ("page_allocation_failures", "oom_kill"):
        values = [sum(run[name] for run in runs) for runs in (stock, ours)]
        rows.append(bench.Row(name.replace("_", " "), "", *values, f"{values[1]}",
                              f"<= {values[0]}", values[1] <= values[0], CONDITIONS))
    rows.append(bench.ratio("seconds", "s", [run["seconds"] for run in stock],
                            [run["seconds"] for run in ours], CONDITIONS))
    return rows
