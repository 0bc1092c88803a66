# SPDX-License-Identifier: GPL-2.0
"""What tests and measurements do in a guest: the module, its files, counters, page flags."""

import ctypes
import errno
import mmap
import os
import random
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
MODULE = TOP / "zero_page.ko"
MODULE_COPY = Path("/run") / MODULE.name
FILL = TOP / "build" / "fill"
DIRECTORY = Path("/sys/kernel/mm/zero_page")

DEFAULTS = {
    "enabled": 0,
    "mini_order": 0,
    "batch_size": 64 << 20,
    "delay_millisecs": 1000,
    "max_zeroed": "max",
}
MAX_PAGE_ORDER = 10
PAGE_SIZE = mmap.PAGESIZE
PAGES_PER_MIB = (1 << 20) // PAGE_SIZE
PAGES_PER_THP = (2 << 20) // PAGE_SIZE

# How much slower than others this guest's kernel is, for what has to be done in time
SLOWER = int(os.environ.get("SLOWER", "1"))

# <asm/unistd_64.h>
SYS_DELETE_MODULE, SYS_FINIT_MODULE = 176, 313
_LIBC = ctypes.CDLL(None, use_errno=True)

# <asm-generic/mman-common.h>
MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_POPULATE_WRITE = 14, 15, 23


# The module

def _syscall(number, *arguments):
    """Makes a system call libc has no function for; returns 0 or the errno as a word."""
    if _LIBC.syscall(number, *arguments) == 0:
        return 0
    return errno.errorcode[ctypes.get_errno()]


def insmod(**parameters):
    """Does what insmod does, only faster; returns 0 or the errno as a word."""
    words = " ".join(f"{name}={value}" for name, value in parameters.items())
    # Read from the host each time, it would take longer than all the rest.
    if not MODULE_COPY.exists():
        shutil.copyfile(MODULE, MODULE_COPY)
    with open(MODULE_COPY, "rb") as file:
        return _syscall(SYS_FINIT_MODULE, file.fileno(), words.encode(), 0)


def loaded():
    """Whether zero_page is loaded."""
    return Path("/sys/module/zero_page").exists()


def rmmod():
    """Unloads zero_page if it is loaded."""
    if loaded():
        result = _syscall(SYS_DELETE_MODULE, b"zero_page", os.O_NONBLOCK)
        if result:
            raise AssertionError(f"rmmod: {result}")


def load(**parameters):
    """Loads zero_page afresh, with `parameters`."""
    rmmod()
    result = insmod(**parameters)
    if result:
        raise AssertionError(f"insmod {parameters}: {result}")


def read(name):
    """Returns the text of the file `name` of zero_page's directory."""
    return (DIRECTORY / name).read_text()


def write(name, text):
    """Writes a file of zero_page's directory in one go; returns 0 or the errno as a word."""
    file = os.open(DIRECTORY / name, os.O_WRONLY)
    try:
        data = text if isinstance(text, bytes) else str(text).encode()
        written = os.write(file, data)
        return 0 if written == len(data) else f"{written} of {len(data)} bytes written"
    except OSError as error:
        return errno.errorcode[error.errno]
    finally:
        os.close(file)


def tune(**values):
    """Writes values to zero_page's files; all of them must be accepted."""
    for name, value in values.items():
        result = write(name, value)
        if result:
            raise AssertionError(f"writing {value!r} to {name}: {result}")


def kernel_log():
    """Returns the kernel's log."""
    return subprocess.run(["dmesg"], capture_output=True, text=True, check=True).stdout


# Counters

def vmstat():
    """Returns /proc/vmstat as a dictionary."""
    lines = Path("/proc/vmstat").read_text().splitlines()
    return {name: int(value) for name, value in (line.split() for line in lines)}


def zeroed():
    """Returns the number of pages zeroed in advance since boot."""
    return vmstat()["prezero_zeroed"]


def share_zeroed():
    """Returns the share of free memory that is zeroed."""
    counters = vmstat()
    # nr_free_pages is without the per-CPU lists, nr_free_prezeroed is with them.
    return min(1.0, counters["nr_free_prezeroed"] / counters["nr_free_pages"])


def wait_until(condition, seconds, step=0.05):
    """Waits until condition() holds; returns how long that took, None if it never did."""
    start, seconds = time.monotonic(), seconds * SLOWER
    while True:
        if condition():
            return time.monotonic() - start
        if time.monotonic() - start > seconds:
            return None
        time.sleep(step)


def settle(quiet=1.0, limit=60.0):
    """Waits until nothing has been zeroed for `quiet` seconds."""
    last, since = zeroed(), time.monotonic()
    start, limit = since, limit * SLOWER
    while time.monotonic() - since < quiet:
        if time.monotonic() - start > limit:
            raise AssertionError(f"zeroing does not come to rest within {limit} s")
        time.sleep(quiet / 10)
        now = zeroed()
        # A few pages come and go all the time.
        if now - last > PAGES_PER_MIB:
            last, since = now, time.monotonic()


# Memory

def shrink_per_cpu_lists():
    """Has the per-CPU lists hold next to nothing, so that what is freed gets to the buddy lists."""
    Path("/proc/sys/vm/percpu_pagelist_high_fraction").write_text("10000")


class Memory:
    """Anonymous memory of this process, present and written to."""

    def __init__(self, mebibytes, huge=False):
        self.size = mebibytes << 20
        self.map = mmap.mmap(-1, self.size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.map.madvise(MADV_HUGEPAGE if huge else MADV_NOHUGEPAGE)
        self.map.madvise(MADV_POPULATE_WRITE)

    def free(self):
        """Gives all of it back."""
        self.map.close()

    def free_page(self, index, count=1):
        """Gives `count` pages back, starting with page `index`."""
        self.map.madvise(mmap.MADV_DONTNEED, index * PAGE_SIZE, count * PAGE_SIZE)

    def frames(self):
        """Returns the page frame number of each page."""
        # As long as there is a view, the mapping cannot be closed.
        view = ctypes.c_char.from_buffer(self.map)
        address = ctypes.addressof(view)
        del view
        with open("/proc/self/pagemap", "rb", buffering=0) as file:
            data = os.pread(file.fileno(), self.size // PAGE_SIZE * 8, address // PAGE_SIZE * 8)
        return [entry & ((1 << 55) - 1) for entry in memoryview(data).cast("Q")]


def fill(mebibytes, kind, *extra):
    """Runs tests/selftests/fill.c; returns seconds, words that were not zero, KiB in THP."""
    done = subprocess.run([str(FILL), str(mebibytes), kind, *extra],
                          capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise AssertionError(f"fill {mebibytes} {kind}: {done.stderr.strip()}")
    words = done.stdout.split()
    return float(words[1]), int(words[3]), int(words[5])


def mib_total():
    """Returns the guest's memory in MiB."""
    return int(Path("/proc/meminfo").read_text().split()[1]) >> 10


# Page flags

class PageFlags:
    """A snapshot of /proc/kpageflags."""

    LRU, SLAB, BUDDY, ANON, HWPOISON, PGTABLE, PRIVATE, PREZEROED = 5, 7, 10, 12, 19, 26, 35, 43

    def __init__(self):
        chunks = []
        with open("/proc/kpageflags", "rb", buffering=0) as file:
            while chunk := file.read(1 << 20):
                chunks.append(chunk)
        self.data = b"".join(chunks)

    def bits(self, flag):
        """Returns a byte for each page: 1 if it has `flag`."""
        mask = 1 << flag % 8
        return self.data[flag // 8::8].translate(bytes(bool(byte & mask) for byte in range(256)))

    def count(self, *flags):
        """Returns the number of pages that have all of `flags`."""
        both = int.from_bytes(b"\1" * (len(self.data) // 8), "little")
        for flag in flags:
            both &= int.from_bytes(self.bits(flag), "little")
        return both.bit_count()


def free_zeroed_frames(count, chance=random, order=MAX_PAGE_ORDER):
    """Returns the numbers of `count` free zeroed pages, chosen at random.

    In blocks of 2^order pages only: who takes single pages, such as this process, gets others.
    """
    flags = PageFlags()
    both = bytes(map(int.__and__, flags.bits(flags.PREZEROED), flags.bits(flags.BUDDY)))
    block = 1 << order
    firsts = [first for first in range(0, len(both) - block + 1, block)
              if all(both[first:first + block])]
    frames = {chance.choice(firsts) + chance.randrange(block) for _ in range(count * 2)}
    return chance.sample(sorted(frames), count)


@contextmanager
def physical_page(frame):
    """Maps a page of memory, whoever has it."""
    # Mapped, for KASAN to be none the wiser.
    with (open("/dev/mem", "r+b", buffering=0) as memory,
          mmap.mmap(memory.fileno(), PAGE_SIZE, offset=frame * PAGE_SIZE) as page):
        yield page
