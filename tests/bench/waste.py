# SPDX-License-Identifier: GPL-2.0
"""Work done in vain: zeroed pages given to users that need no zeros, and pages cleared twice.

The guest tests of the same subject report these figures, and check them with a margin for noise.
"""

import subprocess

import bench
from vmtest import invoke
from vmtest.kernel import KERNELS
from vmtest.results import samples

# By test file: what it reports, and what each sample means
TESTS = {
    "page_cache_takes_raw_pages.py": (
        "waste_percent",
        (("zeroed pages among those read into the page cache, raw ones freed last", 2, "%"),
         ("zeroed pages among those read into the page cache, half of all zeroed", 2, "%")),
    ),
    "partly_raw_blocks_cost_only_their_raw_pages.py": (
        "cleared_per_dirtied",
        (("pages cleared for each one dirtied, all but single pages", 1.05, "x"),
         ("pages cleared for each one dirtied, single pages in zeroed blocks", 1.05, "x"),
         ("pages cleared for each one dirtied, scattered pages, time and again", 1.05, "x")),
    ),
}


def told():
    """Runs the tests in a guest; returns the samples that they report."""
    bench.progress("patched: guest tests")
    done = subprocess.run(
        invoke.vm(KERNELS["patched"], "tests/guest/run.sh", *TESTS, options=invoke.FILES),
        cwd=bench.TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    return samples(done.stdout.splitlines())


@bench.measurement("Work in vain (QEMU, 1 GiB)", "patched")
def waste():
    """The figures of two guest tests."""
    found, figures = told(), []
    for file, (name, rows) in TESTS.items():
        values = found.get(name, [])
        if len(values) != len(rows):
            raise bench.Failure(f"{file} told {len(values)} figures instead of {len(rows)}")
        for value, (title, at_most, unit) in zip(values, rows):
            figures.append(bench.Row(title, unit, None, value, f"{value:g}{unit}",
                                     f"<= {at_most}{unit}", value <= at_most,
                                     f"tests/guest/{file}"))
    return figures
