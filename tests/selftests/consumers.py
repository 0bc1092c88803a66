# SPDX-License-Identifier: GPL-2.0
"""What the tests of those who need zeroed memory share: counters that rise, scribbled memory."""

import ctypes
import mmap
import os
import time
import traceback
from pathlib import Path

from guest import (MADV_POPULATE_WRITE, PAGES_PER_MIB, PageFlags, fill, load, settle,
                   shrink_per_cpu_lists, tune, vmstat, wait_until)
from ksft import check, note

CHUNK = 1 << 20
ZEROS = bytes(CHUNK)
SCRIBBLE = b"\xa5" * CHUNK

# Whether to look at pages that are said to be zero
VERIFY = Path("/sys/module/prezero/parameters/verify")

# Share of the pages that have to be hits. Pages in the per-CPU lists are never zeroed.
ENOUGH = 0.8
# Pages that the counter of zeroed ones is behind, and that others take meanwhile
GAUGE_SLACK = 1000


class Counted:
    """How far each counter of /proc/vmstat rises in a `with` block."""

    def __enter__(self):
        self._before = self._after = vmstat()
        return self

    def __exit__(self, *_):
        self._after = vmstat()

    def __getitem__(self, name):
        check(name in self._after, f"/proc/vmstat has no {name}")
        return self._after[name] - self._before[name]

    def __str__(self):
        changes = {name: value - self._before[name] for name, value in self._after.items()
                   if name.startswith("prezero")}
        return ", ".join(f"{name.removeprefix('prezero_')} {value}"
                         for name, value in changes.items() if value)


# The state of free memory

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
        # Somebody frees or zeroes memory right now.
        time.sleep(1)
    raise AssertionError(f"{flagged} pages flagged, the counter says {before} to {after}")


def free_mib():
    """Returns how much memory is free, in MiB."""
    return vmstat()["nr_free_pages"] // PAGES_PER_MIB


def start(delay_millisecs=50):
    """Loads zero_page such that it zeroes whatever is freed, soon."""
    shrink_per_cpu_lists()
    load(enabled=1, delay_millisecs=delay_millisecs, batch_size=0)


def start_verified():
    """The same, sooner; pages said to be zero are looked at when they are allocated."""
    VERIFY.write_text("1")
    start(delay_millisecs=20)


def check_all_zero():
    """Fails unless most of the memory can be used and is zero, and nothing else was said of it."""
    for kind in ("4k", "thp"):
        _, nonzero, _ = fill(free_mib() * 8 // 10, kind, "scribble")
        check(nonzero == 0, f"{nonzero} words of {kind} memory are not zero")
    check(vmstat()["prezero_not_zero"] == 0, "pages said to be zero were not")


def zero_scribbled_memory():
    """Has another process scribble over most of the free memory, and then all of it zeroed."""
    tune(enabled=1)
    fill(free_mib() * 3 // 4, "4k", "scribble")
    settle(quiet=0.7)
    now = vmstat()
    share = now["nr_free_prezeroed"] / now["nr_free_pages"]
    check(share >= 0.9, f"only {share:.1%} of the free memory is zeroed")


def free_raw_last(mebibytes):
    """Zeroes all free memory and then has so much of it used; nothing is zeroed any more."""
    zero_scribbled_memory()
    tune(enabled=0)
    fill(mebibytes, "4k", "scribble")
    raw = raw_mib()
    check(raw >= 0.9 * mebibytes, f"{raw} MiB are raw instead of {mebibytes}")


def stop_in_the_middle(mebibytes):
    """Has most of the free memory used, and zeroed until so much is left raw."""
    tune(enabled=0)
    fill(free_mib() * 9 // 10, "4k", "scribble")
    tune(enabled=1, delay_millisecs=0)
    stopped = wait_until(lambda: raw_mib() <= mebibytes * 1.1, 30, step=0)
    tune(enabled=0, delay_millisecs=50)
    check(stopped is not None and raw_mib() >= mebibytes * 0.7,
          f"{raw_mib()} MiB are raw instead of {mebibytes}")


def raw_mib():
    """Returns how much free memory is not zeroed, in MiB."""
    now = vmstat()
    return (now["nr_free_pages"] - now["nr_free_prezeroed"]) // PAGES_PER_MIB


# Mappings

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


def check_zero(mapping):
    """Fails unless every byte of a mapping of whole MiB is zero."""
    for offset in range(0, len(mapping), CHUNK):
        check(mapping[offset:offset + CHUNK] == ZEROS, f"not zero in MiB {offset // CHUNK}")


def scribble(mapping):
    """Overwrites all of a mapping of whole MiB."""
    for offset in range(0, len(mapping), CHUNK):
        mapping[offset:offset + CHUNK] = SCRIBBLE


def fault(memory):
    """Faults in a mapping, which must be zero, and scribbles on it; returns what was counted."""
    with Counted() as counted:
        memory.madvise(MADV_POPULATE_WRITE)
    check_zero(memory)
    scribble(memory)
    return counted


def check_hits(what, counted, name, mebibytes, enough=ENOUGH):
    """Fails unless the counter `name` rose by enough for so much memory."""
    note(f"{what}: {mebibytes} MiB, {counted}")
    share = counted[name] / (mebibytes * PAGES_PER_MIB)
    check(share >= enough, f"{what}: {name} rose by only {share:.1%} of the pages")


# Processes and files

class Process:
    """A child that calls action(*arguments) and exits, and whose failure is that of the test."""

    def __init__(self, action, *arguments):
        self.name = action.__name__
        self.pid = os.fork()
        if self.pid:
            return
        try:
            action(*arguments)
            os._exit(0)
        except BaseException:  # pylint: disable=broad-except
            note(traceback.format_exc())
        os._exit(1)

    def wait(self):
        """Waits until it has exited."""
        _, status = os.waitpid(self.pid, 0)
        check(status == 0, f"{self.name} failed in another process, wait status {status}")


class Setting:
    """A file that has another content in a `with` block."""

    def __init__(self, path, value):
        self.path, self.value = Path(path), str(value)

    def __enter__(self):
        words = self.path.read_text().split()
        chosen = [word.strip("[]") for word in words if word.startswith("[")]
        self.before = chosen[0] if chosen else words[0]
        self.path.write_text(self.value)

    def __exit__(self, *_):
        self.path.write_text(self.before)
