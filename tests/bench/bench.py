# SPDX-License-Identifier: GPL-2.0
"""Common code of the measurements: figures, and calls into guests.

A measurement is a function decorated with @measurement in a file of this directory
that tests/bench/run imports. It runs on the host, calls functions of the same file
in guests with in_guest(), and returns figures for the table. Guest functions report
samples with tell(), which in_guest() returns by name.
"""

import inspect
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from statistics import mean, median

from lib.counters import settle, share_zeroed, vmstat, wait_until
from lib.ksft import figure
from lib.module import MODULES
from vmtest.failure import Failure
from vmtest.paths import BUILD, TOP
from vmtest.results import figures, samples

RUN = Path("/sys/kernel/debug/zero_page_bench/run")

# Free memory counts as zeroed when this share of it is; pages in the per-CPU lists may be raw.
ZEROED = 0.98

# Of churn.c: each run does the same
SEED = 1

measurements = []
_told = []


@dataclass
class Row:
    """One row of the table. target is for result, which is computed from stock and value."""

    name: str
    unit: str
    stock: float | None
    value: float
    result: str
    target: str
    met: bool | None
    conditions: str
    samples: dict = field(default_factory=dict)


def ratio(name, unit, stock, ours, conditions, at_most=None):  # pylint: disable=too-many-arguments
    """Compares medians of two lists of samples; met if ours is at_most times stock."""
    values = median(stock), median(ours)
    times = values[1] / values[0] if values[0] else (math.inf if values[1] else 1)
    return Row(name, unit, *values, f"{times:.3f}x", f"<= {at_most}x" if at_most else "",
               times <= at_most if at_most else None, conditions,
               {"stock": stock, "zero_page": ours})


def no_worse(name, unit, stock, ours, conditions):
    """Compares means of two lists of samples that vary more than the allowed difference; met unless
    ours is worse, that is higher, by more than chance explains.

    A permutation test: of all ways to divide the samples into two groups, at least one in 20 has to
    make as large a difference.
    """
    def excess(chosen, every):
        return sum(chosen) / len(chosen) - (sum(every) - sum(chosen)) / (len(every) - len(chosen))

    every = [*stock, *ours]
    found = excess(ours, every)
    ways = [excess(hand, every) for hand in combinations(every, len(ours))]
    chance = sum(way >= found - 1e-9 for way in ways) / len(ways)
    return Row(name, unit, mean(stock), mean(ours), f"p={chance:.2f}", "p >= 0.05",
               chance >= 0.05, conditions, {"stock": stock, "zero_page": ours})


def share(name, part, whole, conditions, at_least=None):
    """A fraction of a total; met if it is at_least that share."""
    value = part / whole
    return Row(name, "%", None, 100 * value, f"{value:.2%}",
               f">= {at_least:.0%}" if at_least else "",
               value >= at_least if at_least else None, conditions,
               {"part": part, "whole": whole})


@dataclass
class Measurement:
    """A function that returns figures, and the kernels it measures."""

    title: str
    kernels: tuple
    function: Callable


def measurement(title, *kernels):
    """Makes a function a measurement of these kernels, with this title."""
    def register(function):
        measurements.append(Measurement(title, kernels, function))
        return function
    return register


# On the host

def progress(text):
    """Prints on stderr what is being done, on the host or in a guest."""
    print(f"    {text}", file=sys.stderr, flush=True)


def in_guest(kernel, function, options=()):
    """Boots a kernel, calls a guest function in it and returns the samples that it reports.

    The kernels uml-stock and uml-patched run with scripts/uml, the others with scripts/vm.
    """
    name = kernel.removeprefix("uml-")
    command = (["scripts/uml", "--kernel", name] if name != kernel
               else ["scripts/vm", "--no-module", "--kernel", name])
    where = Path(inspect.getfile(function)).stem
    command += [*options, "--", str(TOP / "tests/bench/run"), "--guest", where, function.__name__]
    progress(f"{kernel}: {' '.join(command[:command.index('--')])}")
    start = time.monotonic()
    done = subprocess.run(command, cwd=TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          text=True, check=False)
    if done.returncode:
        raise Failure(f"{where}.{function.__name__} on {kernel}: the guest ended "
                      f"with status {done.returncode}")
    progress(f"{kernel}: done in {time.monotonic() - start:.0f} s")
    return samples(done.stdout.splitlines())


def in_turns(boots, functions, options=()):
    """Boots kernels several times, taking turns, so that other load on the machine affects all.

    functions: by kernel, as for in_guest(). Returns the samples of each kernel.
    """
    found = {kernel: {} for kernel in functions}
    for boot in range(boots):
        progress(f"boot {boot + 1} of {boots} of each kernel")
        for kernel, function in functions.items():
            for name, values in in_guest(kernel, function, options).items():
                found[kernel].setdefault(name, []).extend(values)
    return found


# In the guest

def tell(name, *values):
    """Reports samples of that name to the host, once all is measured: printing is work, too."""
    _told.extend((name, value) for value in values)


def call(function):
    """Calls a guest function, and reports its samples."""
    function()
    for name, value in _told:
        figure(name, value)


def load_bench():
    """Loads zero_page_bench.ko."""
    subprocess.run(["insmod", MODULES / "zero_page_bench.ko"], check=True)


def run(operation, **parameters):
    """Makes zero_page_bench.ko run a measurement and returns the result."""
    line = " ".join([operation, *(f"{name}={value}" for name, value in parameters.items())])
    try:
        RUN.write_text(line)
    except OSError as error:
        raise Failure(f"{line}: {error}, see the guest's log") from error
    result = json.loads(RUN.read_text())
    if result["allocated"] != result["count"]:
        raise Failure(f"{line}: only {result['allocated']} could be allocated")
    return result


def run_each(operation, **parameters):
    """Does the same, and returns the nanoseconds for one allocation, round by round."""
    result = run(operation, **parameters)
    return [sample / result["count"] for sample in result["alloc_ns"]]


def churn(load, operations, threads, mebibytes):
    """Runs churn.c; returns its figures."""
    arguments = (load, operations, threads, mebibytes, SEED)
    done = subprocess.run([BUILD / "churn", *map(str, arguments)], stdout=subprocess.PIPE,
                          text=True, check=True)
    return figures(done.stdout.splitlines())


def wait_zeroed(limit=60.0):
    """Waits until free memory is zeroed and the worker is idle."""
    if wait_until(lambda: share_zeroed() >= ZEROED, limit, step=0.02) is None:
        raise Failure(f"only {share_zeroed():.1%} of free memory zeroed within {limit} s")
    settle(quiet=0.1, limit=limit)


def touch_all():
    """Uses nearly all free memory once: the host provides it at the first touch."""
    count = vmstat()["nr_free_pages"] * 9 // 10
    RUN.write_text(f"pages order=0 count={count} dirty=1")
