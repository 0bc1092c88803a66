#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""A virtio balloon that reports free pages gets the large blocks; small ones are zeroed."""

from lib.balloon import DRIVER, device, small_blocks
from lib.counters import settle, share_zeroed, vmstat, wait_until, zeroed
from lib.ksft import check, main, note, test
from lib.memory import PAGES_PER_MIB, Memory, fill
from lib.module import insmod, load, read, rmmod, tune
from lib.states import shrink_per_cpu_lists

ZEROING = {"enabled": 1, "delay_millisecs": 20, "batch_size": 0}


def scatter(mebibytes):
    """Leaves this much memory free in single pages; returns the object that keeps it free."""
    memory = Memory(2 * mebibytes)
    for index in range(0, 2 * mebibytes * PAGES_PER_MIB, 2):
        memory.free_page(index)
    return memory


@test
def both_can_be_registered():
    """Whether zeroing is enabled by a file or at load time, and again."""
    device()
    load()
    for _ in range(3):
        tune(enabled=1)
        check(read("enabled") == "1\n", f"enabled shows {read('enabled')!r}")
        tune(enabled=0)
    rmmod()
    result = insmod(enabled=1)
    check(result == 0, f"insmod: {result}")


@test
def small_blocks_are_zeroed():
    """Memory that is free in single pages is zeroed soon."""
    device()
    shrink_per_cpu_lists()
    load(**ZEROING)
    settle()
    before = zeroed()
    memory = scatter(64)
    took = wait_until(lambda: zeroed() - before >= 56 * PAGES_PER_MIB, 20)
    note(f"{(zeroed() - before) // PAGES_PER_MIB} of 64 MiB zeroed")
    check(took is not None, f"only {(zeroed() - before) // PAGES_PER_MIB} of 64 MiB were zeroed")
    memory.free()


@test
def large_blocks_are_left_to_the_balloon():
    """However much is free, no more is zeroed than the memory in small blocks."""
    device()
    shrink_per_cpu_lists()
    load(**ZEROING)
    before = zeroed()
    fill(400, "thp", "scribble")
    settle()
    done = zeroed() - before
    zero, small, free = vmstat()["nr_free_prezeroed"], small_blocks(), vmstat()["nr_free_pages"]
    note(f"{free} pages free, {small} of them in small blocks, {zero} zero")
    # Some margin for pages that have merged since.
    check(done <= 100 * PAGES_PER_MIB, f"{done // PAGES_PER_MIB} MiB were zeroed")
    check(zero <= small + 16 * PAGES_PER_MIB, f"{zero} pages are zero, {small} may be")


@test
def memory_is_zero_whatever_the_host_did():
    """Memory that was reported, zeroed or neither is zero when it is allocated."""
    device()
    load(**ZEROING)
    for _ in range(3):
        for kind in ("4k", "thp"):
            _, nonzero, _ = fill(500, kind, "scribble")
            check(nonzero == 0, f"{nonzero} words of {kind} memory are not zero")
        memory = scatter(48)
        settle(quiet=0.3)
        memory.free()


@test
def balloon_may_come_and_go():
    """The driver can be unbound and bound while zeroing is enabled; without it all is zeroed."""
    name = device()
    load(**ZEROING)
    for _ in range(3):
        (DRIVER / "unbind").write_text(name)
        tune(enabled=1)
        check(wait_until(lambda: share_zeroed() >= 0.8, 30),
              "without a balloon not everything is zeroed")
        (DRIVER / "bind").write_text(name)
        check((DRIVER / name).exists(), "the balloon does not come back")
    # All memory that was zeroed before is reported, and no longer counts as zeroed.
    check(wait_until(lambda: vmstat()["nr_free_prezeroed"] <= small_blocks() + 64 * PAGES_PER_MIB,
                     60, step=1), f"{vmstat()['nr_free_prezeroed']} pages are still taken for zero")
    _, nonzero, _ = fill(500, "4k", "scribble")
    check(nonzero == 0, f"{nonzero} words are not zero")


main()
