#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""/sys/kernel/debug/zero_page/ shows what has been done since the module was loaded."""

import errno
import os
import stat
import time
from pathlib import Path

from lib.counters import settle, zeroed
from lib.ksft import check, main, test
from lib.memory import PAGES_PER_MIB, PAGE_SIZE, Memory
from lib.module import insmod, load, rmmod, tune
from lib.states import shrink_per_cpu_lists

FACTS = Path("/sys/kernel/debug/zero_page")
NAMES = ("blocks_reported", "blocks_failed", "pages_cleared", "pages_skipped",
         "nanoseconds_clearing")


def facts():
    """Returns what the files show as a dictionary."""
    return {name: int((FACTS / name).read_text()) for name in NAMES}


def work(pages):
    """Zeroes free memory, at least `pages`; returns by how much the files and vmstat grew."""
    before, zeroed_before, start = facts(), zeroed(), time.monotonic_ns()
    tune(enabled=1)
    settle()
    # Waits for the worker, after which nothing is counted any more.
    tune(enabled=0)
    passed = time.monotonic_ns() - start
    grown = {name: value - before[name] for name, value in facts().items()}
    grown["vmstat"], grown["passed"] = zeroed() - zeroed_before, passed
    check(grown["vmstat"] >= pages, f"only {grown['vmstat']} pages were zeroed")
    return grown


def agree(grown):
    """Checks what holds whatever has been zeroed."""
    check(grown["pages_cleared"] == grown["vmstat"], f"prezero_zeroed differs: {grown}")
    check(0 < grown["blocks_reported"] <= grown["pages_cleared"] + grown["pages_skipped"],
          f"that many blocks do not fit: {grown}")
    check(grown["blocks_failed"] == 0, f"blocks failed: {grown}")
    check(0 < grown["nanoseconds_clearing"] <= grown["passed"],
          f"more time than has passed, or none: {grown}")


@test
def directory_holds_exactly_the_five_files():
    """No more, no less, and all are 0444."""
    load()
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in FACTS.iterdir()}
    check(files == {name: 0o444 for name in NAMES}, f"found {files}")


@test
def facts_begin_at_zero():
    """One decimal number and a newline each."""
    load()
    for name in NAMES:
        text = (FACTS / name).read_text()
        check(text == "0\n", f"{name} shows {text!r}")


@test
def facts_cannot_be_written():
    """Not even by root."""
    load()
    for name in NAMES:
        try:
            file = os.open(FACTS / name, os.O_WRONLY)
            try:
                os.write(file, b"1")
            finally:
                os.close(file)
            result = "no error"
        except OSError as error:
            result = errno.errorcode[error.errno]
        check(result in ("EACCES", "EPERM"), f"writing {name}: {result}")
    check(not any(facts().values()), f"now they are {facts()}")


@test
def facts_agree_with_vmstat():
    """pages_cleared grows by what prezero_zeroed does."""
    shrink_per_cpu_lists()
    load(delay_millisecs=0)
    Memory(128).free()
    agree(work(100 * PAGES_PER_MIB))


@test
def pages_zeroed_already_are_skipped():
    """Only raw pages are cleared when they merge with zeroed ones."""
    memory = Memory(64)
    half = memory.size // PAGE_SIZE // 2
    for index in range(half):
        memory.free_page(2 * index)
    agree(work(half // 2))
    # Each of these has a zeroed page for a neighbour.
    memory.free()
    grown = work(half // 2)
    agree(grown)
    check(grown["pages_skipped"] >= half // 2, f"not even {half // 2} were skipped: {grown}")


@test
def facts_stay_while_disabled():
    """Disabling and enabling neither reduces nor increases the counts."""
    before = facts()
    Memory(64).free()
    check(facts() == before, f"{before} became {facts()} while disabled")
    grown = work(32 * PAGES_PER_MIB)
    agree(grown)


@test
def loading_again_begins_at_zero():
    """The counts of an earlier load are reset."""
    load()
    check(not any(facts().values()), f"they begin with {facts()}")


@test
def rmmod_removes_the_directory():
    """Nothing is left, whether it was enabled or not, nor by a load that is refused."""
    for enabled in (0, 1):
        load(enabled=enabled)
        rmmod()
        check(not FACTS.exists(), f"still there after rmmod, enabled={enabled}")
    check(insmod(enabled=2) == "EINVAL", "enabled=2 was not refused")
    check(not FACTS.exists(), "still there after a load that was refused")


@test
def a_file_may_be_open_when_the_module_goes():
    """An open file does not pin the module, shows nothing after unloading, and can be closed."""
    load()
    files = [os.open(FACTS / name, os.O_RDONLY) for name in NAMES]
    check(all(os.read(file, 64) == b"0\n" for file in files), "they do not show 0")
    rmmod()
    for file in files:
        try:
            result = os.read(file, 64)
        except OSError as error:
            result = errno.errorcode[error.errno]
        check(result == "EIO", f"reading afterwards gives {result}")
        os.close(file)


main()
