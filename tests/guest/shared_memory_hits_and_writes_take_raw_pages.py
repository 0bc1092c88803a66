#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Shared memory that is faulted in gets zeroed pages; memory that write(2) fills does not."""

import mmap
import os

from lib.counters import Counted, check_hits, fault, raw_mib
from lib.ksft import check, main, note, test
from lib.memory import (MADV_POPULATE_READ, PAGES_PER_MIB, PAGE_SIZE, SCRIBBLE, anonymous,
                        check_zero, mib_total, scribble)
from lib.process import Process, Setting
from lib.states import free_raw_last, start, stop_in_the_middle, zero_scribbled_memory

MIB = 128
SHMEM_ENABLED = "/sys/kernel/mm/transparent_hugepage/shmem_enabled"


def map_memfd():
    """Maps a new file in memory."""
    file = os.memfd_create("zero_page")
    os.ftruncate(file, MIB << 20)
    memory = mmap.mmap(file, MIB << 20)
    os.close(file)
    return memory


def use(memory):
    """Does the same as fault() and unmaps the mapping; returns what was counted."""
    counted = fault(memory)
    memory.close()
    return counted


@test
def shared_anonymous_memory_hits():
    """Twice, so that scribbled memory comes back."""
    start()
    for _ in range(2):
        zero_scribbled_memory()
        check_hits("shared", use(anonymous(MIB, mmap.MAP_SHARED)), "prezero_hit", MIB)


@test
def memfd_faults_hit():
    """A file made by memfd_create(2), mapped."""
    zero_scribbled_memory()
    check_hits("memfd", use(map_memfd()), "prezero_hit", MIB)


@test
def huge_shared_memory_hits():
    """Huge pages of shared memory are a class of their own."""
    zero_scribbled_memory()
    with Setting(SHMEM_ENABLED, "always"):
        counted = use(map_memfd())
    folios = counted["thp_file_alloc"]
    check(folios >= 0.9 * MIB / 2, f"{folios} huge pages for {MIB} MiB")
    check_hits("huge shared", counted, "prezero_hit_huge", MIB)


def write_file(size):
    """Writes a file in memory; returns what was counted."""
    file = os.memfd_create("zero_page")
    with Counted() as counted:
        for _ in range(size):
            os.write(file, SCRIBBLE)
    note(f"{size} MiB written, {counted}; {raw_mib()} MiB raw are left")
    memory = mmap.mmap(file, size << 20)
    os.close(file)
    check(all(memory[mib << 20:(mib + 1) << 20] == SCRIBBLE for mib in range(size)),
          "the file has another content than was written")
    return counted


@test
def written_files_take_raw_pages():
    """Nothing is a hit, and next to nothing is waste, while there are raw pages."""
    size = mib_total() // 4
    for leave_raw in (free_raw_last, stop_in_the_middle):
        leave_raw(2 * size)
        counted = write_file(size)
        for name in ("prezero_hit", "prezero_waste"):
            check(counted[name] <= 0.05 * size * PAGES_PER_MIB,
                  f"{leave_raw.__name__}: {name} rose by {counted[name]}")


@test
def rest_of_a_partly_written_page_is_zero():
    """Whether the page was pre-zeroed, raw, or allocated by fallocate(2)."""
    words = b"written"
    free_raw_last(mib_total() // 3)
    for size, allocate in ((16, False), (16, True), (mib_total() // 2, False)):
        file = os.memfd_create("zero_page")
        if allocate:
            os.posix_fallocate(file, 0, size << 20)
        os.ftruncate(file, size << 20)
        for offset in range(1000, size << 20, PAGE_SIZE):
            os.pwrite(file, words, offset)
        page = bytes(1000) + words + bytes(PAGE_SIZE - 1000 - len(words))
        memory = mmap.mmap(file, size << 20)
        wrong = [mib for mib in range(size)
                 if memory[mib << 20:(mib + 1) << 20] != page * PAGES_PER_MIB]
        check(not wrong, f"{len(wrong)} of {size} MiB have bytes nobody wrote")
        memory.close()
        os.close(file)


@test
def pages_that_fallocate_provides_are_zero():
    """Faults and fallocate(2) race for the pages of a file, which are zero whoever wins."""
    free_raw_last(MIB)
    for _ in range(8):
        file = os.memfd_create("zero_page")
        os.ftruncate(file, MIB << 18)
        memory = mmap.mmap(file, MIB << 18)
        # The one that is behind finds pages faster than the other one allocates them: they meet.
        allocator = Process(os.posix_fallocate, file, 0, MIB << 18)
        memory.madvise(MADV_POPULATE_READ)
        allocator.wait()
        os.close(file)
        check_zero(memory)
        scribble(memory)
        memory.close()


main()
