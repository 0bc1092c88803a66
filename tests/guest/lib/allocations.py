# SPDX-License-Identifier: GPL-2.0
"""Allocations of the kernel with __GFP_ZERO, made by tests/bench/zero_page_bench.c."""

import json
import subprocess
from pathlib import Path

from .counters import Counted
from .ksft import check
from .module import MODULES

MODULE = MODULES / "zero_page_bench.ko"
RUN = Path("/sys/kernel/debug/zero_page_bench/run")


def load_allocator():
    """Loads the module that makes them."""
    done = subprocess.run(["insmod", str(MODULE)], capture_output=True, text=True)
    check(done.returncode == 0, done.stderr)
    check(RUN.exists(), f"no {RUN}")


def allocate(command):
    """Allocates memory, which must be zero, overwrites it, and frees it; returns what was counted."""
    with Counted() as counted:
        RUN.write_text(f"{command} check=1 dirty=1")
    result = json.loads(RUN.read_text())
    check(result["allocated"] > 0, f"nothing was allocated: {result}")
    check(result["nonzero"] == 0, f"{result['nonzero']} are not zero")
    return counted
