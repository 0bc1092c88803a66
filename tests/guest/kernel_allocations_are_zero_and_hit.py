#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""vmalloc and large kmalloc with __GFP_ZERO are zero, and served from zeroed pages.

The allocations are made by tests/bench/zero_page_bench.c.
"""

import json
import subprocess
from pathlib import Path

from lib.counters import Counted, check_hits
from lib.ksft import check, main, test
from lib.module import MODULES
from lib.states import start, zero_scribbled_memory

MODULE = MODULES / "zero_page_bench.ko"
RUN = Path("/sys/kernel/debug/zero_page_bench/run")
MIB = 64


def allocate(command):
    """Makes the module allocate MIB MiB, check and overwrite it, and free it."""
    zero_scribbled_memory()
    with Counted() as counted:
        RUN.write_text(f"{command} check=1 dirty=1")
    result = json.loads(RUN.read_text())
    check(result["allocated"] > 0, f"nothing was allocated: {result}")
    check(result["nonzero"] == 0, f"{result['nonzero']} are not zero")
    return counted


@test
def module_is_there():
    """It is loaded for the tests that follow."""
    done = subprocess.run(["insmod", str(MODULE)], capture_output=True, text=True)
    check(done.returncode == 0, done.stderr)
    check(RUN.exists(), f"no {RUN}")
    start()


@test
def vmalloc_is_zero_and_hits():
    """Twice, so that scribbled memory comes back."""
    for _ in range(2):
        counted = allocate(f"vmalloc bytes={MIB << 20}")
        check_hits("vmalloc", counted, "prezero_hit_kernel", MIB)


@test
def large_kmalloc_is_zero_and_hits():
    """Sizes larger than the slabs serve."""
    for _ in range(2):
        counted = allocate(f"kmalloc bytes={1 << 20} count={MIB}")
        check_hits("kmalloc", counted, "prezero_hit_kernel", MIB)


@test
def memory_used_again_at_once_is_zero():
    """The second round gets the memory that the first has overwritten."""
    for command in (f"vmalloc bytes={MIB << 20}", f"kmalloc bytes={1 << 20} count={MIB}"):
        allocate(f"{command} rounds=2")


main()
