#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Whichever allocation fails, loading and enabling either work or leave nothing behind.

Makes the first, the second, ... allocation of a system call fail until none is left, on a kernel
with fault injection. kmemleak looks for lost memory.
"""

import shutil
import subprocess
import time
from pathlib import Path

from lib.counters import settle, share_zeroed
from lib.ksft import Skip, check, main, note, test
from lib.module import (DIRECTORY, MODULE, MODULE_COPY, kernel_log, load, loaded, read, rmmod,
                        tune, write)
from lib.pages import check_gauge
from lib.states import check_all_zero
from vmtest.paths import BUILD

FAIL_NTH = BUILD / "fail_nth"
DEBUG = Path("/sys/kernel/debug")
KMEMLEAK = DEBUG / "kmemleak"
KINDS = ("failslab", "fail_page_alloc")
# Far more than any call makes
MOST = 20000


def prepare():
    """Enables failures for all kinds of allocations."""
    for name in KINDS:
        if not (DEBUG / name).exists():
            raise Skip(f"no {name}: needs the debug kernel")
        (DEBUG / name / "ignore-gfp-wait").write_text("N")
        (DEBUG / name / "verbose").write_text("0")
    (DEBUG / "fail_page_alloc/min-order").write_text("0")
    (DEBUG / "fail_page_alloc/ignore-gfp-highmem").write_text("N")
    shutil.copyfile(MODULE, MODULE_COPY)


def fail_each(command, nothing_left, undo):
    """Makes one allocation after the other fail in a system call; returns how many it makes.

    A call that fails must return ENOMEM and leave nothing behind, which `nothing_left` checks. A
    call that succeeds is undone.
    """
    needed = 0
    with subprocess.Popen([FAIL_NTH, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as process:
        for number in range(1, MOST):
            print(number, file=process.stdin, flush=True)
            result, left = process.stdout.readline().split()
            if result == "0":
                undo()
            else:
                check(left == "0", f"{result} although nothing has failed")
                check(result == "ENOMEM", f"allocation {number} fails: {result}")
                nothing_left(number)
                needed += 1
            if left != "0":
                note(f"{command[0]}: {number - 1} allocations, {needed} of them needed")
                check(number > 1, "there is nothing to fail")
                return needed
    raise AssertionError(f"there is no end after {MOST} allocations")


def check_no_leak():
    """Fails if kmemleak finds anything that was allocated since it was cleared."""
    # It does not report objects younger than five seconds, and marks in one scan what it
    # reports after the next.
    time.sleep(6)
    for _ in range(2):
        KMEMLEAK.write_text("scan")
    found = KMEMLEAK.read_text()
    check(not found, found)


@test
def failed_loading_leaves_nothing_behind():
    """insmod with zeroing enabled from the start."""
    prepare()
    # Memory that is allocated once and kept must not be mistaken for a leak.
    load(enabled=1)
    rmmod()
    KMEMLEAK.write_text("clear")

    def nothing_left(number):
        check(not loaded(), f"allocation {number} fails: it is loaded")
        check(not DIRECTORY.exists(), f"allocation {number} fails: there are files")
        check(not (DEBUG / "zero_page").exists(), f"allocation {number} fails: debugfs has files")

    needed = fail_each(("insmod", MODULE_COPY, "enabled=1"), nothing_left, rmmod)
    check(needed > 20, f"only {needed} were needed")
    load(enabled=1, delay_millisecs=10, batch_size=0)
    settle()
    check(share_zeroed() > 0.5, "it does not work any more")
    rmmod()
    check_no_leak()


@test
def failed_enabling_leaves_it_disabled():
    """Writing 1 to the file."""
    prepare()
    load()
    KMEMLEAK.write_text("clear")

    def nothing_left(number):
        check(read("enabled") == "0\n", f"allocation {number} fails: it says enabled")

    check(fail_each(("write", DIRECTORY / "enabled", "1"), nothing_left,
                    lambda: tune(enabled=0)) > 0, "none was needed")
    tune(enabled=1)
    rmmod()
    check_no_leak()


@test
def disabling_needs_no_memory():
    """Writing 0 fails only if the file system gets no buffer, and then changes nothing."""
    prepare()
    load(enabled=1)

    def still_enabled(number):
        check(read("enabled") == "1\n", f"allocation {number} fails: it does not say enabled")

    buffers = fail_each(("write", DIRECTORY / "mini_order", "0"), still_enabled, lambda: None)
    needed = fail_each(("write", DIRECTORY / "enabled", "0"), still_enabled,
                       lambda: tune(enabled=1))
    check(needed <= buffers, f"{needed} allocations are needed, {buffers} for any file")


@test
def unloading_needs_no_memory():
    """It cannot fail."""
    prepare()
    load(enabled=1)
    KMEMLEAK.write_text("clear")

    def unloaded():
        check(not loaded() and not DIRECTORY.exists(), "something is left of it")
        load(enabled=1)

    check(fail_each(("rmmod", "zero_page"), lambda number: None, unloaded) == 0, "it has failed")
    rmmod()
    check_no_leak()


@test
def zeroing_while_allocations_fail():
    """One in twenty allocations fails for a while, everywhere; then everything works again."""
    prepare()
    load(enabled=1, delay_millisecs=1, batch_size=0)
    try:
        for name in KINDS:
            (DEBUG / name / "times").write_text("-1")
            (DEBUG / name / "probability").write_text("5")
        end = time.monotonic() + 20
        results = {}
        while time.monotonic() < end:
            for value in (0, 1):
                try:
                    result = write("enabled", value)
                except OSError as error:
                    result = error.strerror
                results[value, result] = results.get((value, result), 0) + 1
    finally:
        for name in KINDS:
            (DEBUG / name / "probability").write_text("0")
    note(results)
    tune(enabled=0)
    tune(enabled=1)
    check_all_zero()
    settle()
    check(share_zeroed() > 0.5, "nothing is zeroed")
    check_gauge()
    check("BUG" not in kernel_log(), "the kernel complains")
    rmmod()
    check_no_leak()


main()
