# SPDX-License-Identifier: GPL-2.0
"""Work done in vain: zeroed pages given to those who need none, and pages cleared twice.

The guest tests of the same subject print these figures, and check them with room for noise.
"""

import re
import subprocess

import bench

FILES = bench.TOP / "build/files"
TESTS = {
    "page_cache_takes_raw_pages.py": (
        re.compile(r"([\d.]+)% waste$"),
        (("zeroed pages among those read into the page cache, raw ones freed last", 2, "%"),
         ("zeroed pages among those read into the page cache, half of all zeroed", 2, "%")),
    ),
    "partly_raw_blocks_cost_only_their_raw_pages.py": (
        re.compile(r"dirtied: ([\d.]+)$"),
        (("pages cleared for each one dirtied, all but single pages", 1.05, "x"),
         ("pages cleared for each one dirtied, single pages in zeroed blocks", 1.05, "x"),
         ("pages cleared for each one dirtied, scattered pages, time and again", 1.05, "x")),
    ),
}


def output():
    """Runs the tests in a guest; returns the lines they print."""
    bench.progress("patched: guest tests")
    done = subprocess.run(
        ["scripts/vm", "--kernel", "patched", "--no-module", "--mem", "1G", "--qemu",
         f"-virtfs local,path={FILES},mount_tag=files,security_model=none,readonly=on",
         "--", "tests/selftests/run_in_guest.sh", *TESTS],
        cwd=bench.TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    return done.stdout.splitlines()


@bench.measurement("Work in vain (QEMU, 1 GiB)", "patched")
def waste():
    """The figures of two guest tests."""
    lines, figures = output(), []
    for file, (pattern, rows) in TESTS.items():
        found = [float(match[1]) for match in map(pattern.search, lines) if match]
        if len(found) != len(rows):
            raise bench.Failure(f"{file} printed {len(found)} figures instead of {len(rows)}")
        for value, (name, at_most, unit) in zip(found, rows):
            figures.append(bench.Figure(name, unit, None, value, f"{value:g}{unit}",
                                        f"<= {at_most}{unit}", value <= at_most,
                                        f"tests/selftests/{file}"))
    return figures
