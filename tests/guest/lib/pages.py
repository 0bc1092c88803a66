# SPDX-License-Identifier: GPL-2.0
"""Physical pages: their flags and their content."""

import mmap
import random
import time
from contextlib import contextmanager

from .counters import vmstat
from .memory import PAGE_SIZE

MAX_PAGE_ORDER = 10
# Pages by which the counter of zeroed pages lags, and that other tasks allocate meanwhile
GAUGE_SLACK = 1000


class PageFlags:
    """A snapshot of /proc/kpageflags."""

    LRU, SLAB, BUDDY, ANON, HWPOISON, PGTABLE = 5, 7, 10, 12, 19, 26
    PRIVATE, PRIVATE_2, PREZEROED = 35, 36, 43

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


def check_gauge():
    """Fails unless as many pages have the flag as the counter says, sooner or later."""
    for _ in range(5):
        # The snapshot takes some memory itself.
        before = vmstat()["nr_free_prezeroed"]
        flags = PageFlags()
        after = vmstat()["nr_free_prezeroed"]
        flagged = flags.count(flags.PREZEROED)
        if after - GAUGE_SLACK <= flagged <= before + GAUGE_SLACK:
            return
        # Memory is being freed or zeroed right now.
        time.sleep(1)
    raise AssertionError(f"{flagged} pages flagged, the counter says {before} to {after}")


def free_zeroed_frames(count, chance=random, order=MAX_PAGE_ORDER):
    """Returns the numbers of `count` free zeroed pages, chosen at random.

    Only in blocks of 2^order pages, so that allocations of single pages, as by this process, get
    others.
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
    """Maps a page of memory, regardless of who owns it."""
    # Mapped, so that KASAN does not see the access.
    with (open("/dev/mem", "r+b", buffering=0) as memory,
          mmap.mmap(memory.fileno(), PAGE_SIZE, offset=frame * PAGE_SIZE) as page):
        yield page
