# SPDX-License-Identifier: GPL-2.0
"""Swap to zram, and which pages of a process are there, for tests of swapping."""

import subprocess
import time
from pathlib import Path

from .counters import vmstat
from .ksft import Skip, check
from .memory import (MADV_NOHUGEPAGE, MADV_POPULATE_WRITE, PAGE_SIZE, PAGEMAP_SWAPPED, anonymous,
                     pagemap)

# <asm-generic/mman-common.h>
MADV_PAGEOUT = 21

ZRAM = Path("/sys/block/zram0")


class Swap:
    """Swap on a device, in a `with` block; on zram unless another is named."""

    def __init__(self, device="/dev/zram0", mebibytes=256):
        self.device = device
        if device == "/dev/zram0":
            (ZRAM / "reset").write_text("1")
            (ZRAM / "disksize").write_text(f"{mebibytes}M")
        elif not Path(device).exists():
            raise Skip(f"no {device}")
        subprocess.run(["mkswap", "-q", device], check=True, stdout=subprocess.DEVNULL)

    def on(self):
        """Starts to swap."""
        subprocess.run(["swapon", self.device], check=True)

    def off(self):
        """Swaps everything in."""
        subprocess.run(["swapoff", self.device], check=True)

    def __enter__(self):
        self.on()
        return self

    def __exit__(self, *_):
        self.off()


def status_kib(name):
    """Returns a field of /proc/self/status, in KiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise AssertionError(f"/proc/self/status has no {name}")


def swapped(memory):
    """Returns how many pages of a mapping are swapped out."""
    return sum(bool(entry & PAGEMAP_SWAPPED) for entry in pagemap(memory))


def written(mebibytes, advice=MADV_NOHUGEPAGE):
    """Maps anonymous memory and populates it with private pages full of zeros."""
    memory = anonymous(mebibytes)
    memory.madvise(advice)
    memory.madvise(MADV_POPULATE_WRITE)
    return memory


def page_out(memory, enough=1.0):
    """Swaps a mapping out, or at least this share of it."""
    pages = len(memory) // PAGE_SIZE
    for _ in range(50):
        memory.madvise(MADV_PAGEOUT)
        if swapped(memory) >= enough * pages:
            return
        # Some may still be in another processor's batch for the LRU lists, which this empties.
        Path("/proc/sys/vm/compact_memory").write_text("1")
        time.sleep(0.02)
    check(False, f"only {swapped(memory)} of {pages} pages were swapped out")


class ZeroPages:
    """How often the zero page was mapped for a page that was swapped out, in a `with` block."""

    def __enter__(self):
        self.before = self.after = vmstat()
        check("swpin_zero_page" in self.before, "/proc/vmstat has no swpin_zero_page")
        return self

    def __exit__(self, *_):
        self.after = vmstat()

    @property
    def mapped(self):
        """How often."""
        return self.after["swpin_zero_page"] - self.before["swpin_zero_page"]
