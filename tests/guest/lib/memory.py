# SPDX-License-Identifier: GPL-2.0
"""Memory of processes: allocating it, checking it, scribbling on it, freeing it."""

import ctypes
import mmap
import os
import subprocess
from pathlib import Path

from vmtest.paths import BUILD
from vmtest.results import figures

from .ksft import check

FILL = BUILD / "fill"
PAGE_SIZE = mmap.PAGESIZE
PAGES_PER_MIB = (1 << 20) // PAGE_SIZE
PAGES_PER_THP = (2 << 20) // PAGE_SIZE

# <asm-generic/mman-common.h>
MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_POPULATE_READ, MADV_POPULATE_WRITE = 14, 15, 22, 23

# Documentation/admin-guide/mm/pagemap.rst
PAGEMAP_PRESENT, PAGEMAP_SWAPPED, PAGEMAP_SOFT_DIRTY = 1 << 63, 1 << 62, 1 << 55
PAGEMAP_FRAME = (1 << 55) - 1

CHUNK = 1 << 20
ZEROS = bytes(CHUNK)
SCRIBBLE = b"\xa5" * CHUNK


def mib_total():
    """Returns the guest's memory in MiB."""
    return int(Path("/proc/meminfo").read_text().split()[1]) >> 10


def fill(mebibytes, kind, *extra):
    """Runs fill.c; returns seconds, words that were not zero, KiB in THP."""
    done = subprocess.run([str(FILL), str(mebibytes), kind, *extra],
                          capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise AssertionError(f"fill {mebibytes} {kind}: {done.stderr.strip()}")
    told = figures(done.stdout.splitlines())
    return told["seconds"], told["nonzero"], told["huge_kib"]


def anonymous(mebibytes, flags=mmap.MAP_PRIVATE):
    """Maps memory, none of it present yet."""
    return mmap.mmap(-1, mebibytes << 20, flags | mmap.MAP_ANONYMOUS)


def address(mapping):
    """Returns where a mapping is."""
    # As long as there is a view, the mapping cannot be closed.
    view = ctypes.c_char.from_buffer(mapping)
    found = ctypes.addressof(view)
    del view
    return found


def pagemap(mapping):
    """Returns the entry of each page of a mapping in /proc/self/pagemap."""
    with open("/proc/self/pagemap", "rb", buffering=0) as file:
        data = os.pread(file.fileno(), len(mapping) // PAGE_SIZE * 8,
                        address(mapping) // PAGE_SIZE * 8)
    return memoryview(data).cast("Q")


def frames(mapping):
    """Returns the page frame number of each page of a mapping, all of which are present."""
    entries = pagemap(mapping)
    check(all(entry & PAGEMAP_PRESENT for entry in entries), "some pages are not present")
    return [entry & PAGEMAP_FRAME for entry in entries]


def check_zero(mapping):
    """Fails unless every byte of a mapping of whole MiB is zero."""
    for offset in range(0, len(mapping), CHUNK):
        check(mapping[offset:offset + CHUNK] == ZEROS, f"not zero in MiB {offset // CHUNK}")


def scribble(mapping):
    """Overwrites all of a mapping of whole MiB."""
    for offset in range(0, len(mapping), CHUNK):
        mapping[offset:offset + CHUNK] = SCRIBBLE


class Memory:
    """Anonymous memory of this process, present and written to."""

    def __init__(self, mebibytes, huge=False):
        self.size = mebibytes << 20
        self.map = mmap.mmap(-1, self.size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.map.madvise(MADV_HUGEPAGE if huge else MADV_NOHUGEPAGE)
        self.map.madvise(MADV_POPULATE_WRITE)

    def free(self):
        """Frees all of it."""
        self.map.close()

    def free_page(self, index, count=1):
        """Frees `count` pages, starting with page `index`."""
        self.map.madvise(mmap.MADV_DONTNEED, index * PAGE_SIZE, count * PAGE_SIZE)

    def frames(self):
        """Returns the page frame number of each page."""
        return frames(self.map)
