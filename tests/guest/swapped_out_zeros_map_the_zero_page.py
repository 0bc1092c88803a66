#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Reading zero-filled pages that were swapped out maps the zero page, where that is allowed."""

import ctypes
import fcntl
import mmap
import os
import struct
import time
from pathlib import Path

from lib.cgroup import Cgroup
from lib.counters import TIMEOUT_SCALE, Counted, vmstat
from lib.ksft import Skip, check, main, note, test
from lib.memory import (MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_POPULATE_READ, PAGE_SIZE,
                        PAGEMAP_SOFT_DIRTY, address, check_zero, frames, pagemap)
from lib.process import Process, Setting
from lib.swap import MADV_PAGEOUT, Swap, ZeroPages, page_out, status_kib, swapped, written

MIB = 20
PAGES = (MIB << 20) // PAGE_SIZE
# <asm-generic/mman-common.h>
MADV_MERGEABLE = 12
# <linux/userfaultfd.h>, <asm/unistd_64.h>
SYS_USERFAULTFD, UFFD_USER_MODE_ONLY = 323, 1
UFFDIO_API, UFFDIO_REGISTER, UFFD_API = 0xc018aa3f, 0xc020aa00, 0xaa
MODE_MISSING = 1
KSM = Path("/sys/kernel/mm/ksm")
THP = Path("/sys/kernel/mm/transparent_hugepage")
SECONDS = 8


def content(index):
    """Returns the first byte that page `index` gets: every other page stays zero."""
    return index % 251 + 1 if index % 2 else 0


def half_filled(mebibytes=MIB):
    """Maps memory in which every other page is not zero."""
    memory = written(mebibytes)
    for index in range(1, len(memory) // PAGE_SIZE, 2):
        memory[index * PAGE_SIZE] = content(index)
    return memory


def check_content(memory, expected=content):
    """Fails unless each page of a mapping begins with what is expected and is zero behind that."""
    rest = bytes(PAGE_SIZE - 1)
    for index in range(len(memory) // PAGE_SIZE):
        page = memory[index * PAGE_SIZE:(index + 1) * PAGE_SIZE]
        check(page[0] == expected(index) and page[1:] == rest, f"page {index} has other content")


def write_each_page(memory):
    """Writes to each page of a mapping that is zero and checks all of it."""
    for index in range(len(memory) // PAGE_SIZE):
        memory[index * PAGE_SIZE] = index % 255 + 1
    check_content(memory, lambda index: index % 255 + 1)


class SwapCgroup(Cgroup):
    """A cgroup whose processes swap, in a `with` block."""

    def swap(self):
        """Returns how many bytes of swap are charged to it."""
        return int((self.path / "memory.swap.current").read_text())

    def empty_swap_cache(self):
        """Removes from memory what has been written to swap."""
        for _ in range(50):
            if vmstat()["nr_swapcached"] <= 128:
                return
            try:
                (self.path / "memory.reclaim").write_text("1M swappiness=200")
            except OSError:
                # There was less memory than that.
                time.sleep(0.05)
        check(False, f"{vmstat()['nr_swapcached']} pages stay in the swap cache")


@test
def reading_zeros_takes_no_memory():
    """20 MiB of zeros are read back without a page of their own, and can be written to."""
    memory = written(MIB)
    with Swap():
        page_out(memory)
        before = status_kib("RssAnon")
        with ZeroPages() as zero_pages:
            for offset in range(0, len(memory), PAGE_SIZE):
                check(memory[offset] == 0, f"offset {offset} is not zero")
        grown = status_kib("RssAnon") - before
        note(f"{MIB} MiB: {zero_pages.mapped} times the zero page, {grown} KiB more resident")
        # Of this mapping: what else of the process was swapped out may be back as well.
        check(len(set(frames(memory))) == 1, "there are other pages than the zero page")
        check(zero_pages.mapped == PAGES, f"the zero page was mapped {zero_pages.mapped} times")
        check(swapped(memory) == 0, f"{swapped(memory)} pages are still swapped out")
        check(status_kib("VmSwap") < 1024, f"{status_kib('VmSwap')} KiB count as swapped out")
        check_zero(memory)
        write_each_page(memory)
        check(len(set(frames(memory))) == PAGES, "pages that were written to are shared")
        page_out(memory)
        check_content(memory, lambda index: index % 255 + 1)


@test
def only_zeros_are_taken_for_zeros():
    """With every other page filled, half of the pages are read from swap."""
    memory = half_filled()
    with Swap():
        page_out(memory)
        with ZeroPages() as zero_pages:
            check_content(memory)
        check(zero_pages.mapped == PAGES // 2,
              f"the zero page was mapped {zero_pages.mapped} times")
        # The zero page is not swapped out again.
        page_out(memory, enough=0.5)
        check_content(memory)
        # Pages that were zero no longer are, and vice versa.
        for index in range(PAGES):
            memory[index * PAGE_SIZE] = content(index + 1)
        page_out(memory)
        check_content(memory, lambda index: content(index + 1))


@test
def writing_first_swaps_in():
    """A write to a zero-filled page that was swapped out reads it in, and maps no zero page."""
    memory = written(MIB)
    with Swap():
        page_out(memory)
        with Counted() as counted:
            write_each_page(memory)
        check(counted["swpin_zero_page"] == 0,
              f"the zero page was mapped {counted['swpin_zero_page']} times")
        check(counted["swpin_zero"] >= PAGES, f"only {counted['swpin_zero']} zeros were read")


@test
def private_mappings_of_files_get_pages():
    """What a process wrote to its copy of a file is swapped in as a page."""
    file = os.memfd_create("zero_page")
    os.ftruncate(file, 2 << 20)
    memory = mmap.mmap(file, 2 << 20, mmap.MAP_PRIVATE)
    os.close(file)
    for offset in range(0, len(memory), PAGE_SIZE):
        memory[offset] = 0
    with Swap():
        page_out(memory)
        with ZeroPages() as zero_pages:
            check_zero(memory)
        check(zero_pages.mapped == 0, f"the zero page was mapped {zero_pages.mapped} times")
    memory.close()


@test
def khugepaged_finds_pages_if_it_must_not_add_any():
    """With max_ptes_none=0, the zero page would keep khugepaged from collapsing a range.

    Also where it leaves memory alone now: a program may ask for huge pages later.
    """
    def mapped(advice):
        memory = written(MIB, advice)
        with Swap():
            page_out(memory)
            with ZeroPages() as zero_pages:
                check_zero(memory)
        memory.close()
        return zero_pages.mapped

    with Setting(THP / "enabled", "madvise"):
        check(mapped(MADV_NOHUGEPAGE) == PAGES, "the zero page was not mapped")
        with Setting(THP / "khugepaged/max_ptes_none", 0):
            for advice in (MADV_HUGEPAGE, MADV_NOHUGEPAGE):
                check(mapped(advice) == 0, "the zero page was mapped where khugepaged may collapse")


@test
def readahead_leaves_zeros_out():
    """With other pages read in order, from either kind of disk, no memory is allocated for zeros.

    On a rotational disk, neighbours on the disk are read ahead; otherwise, those in memory.
    """
    def child(rotational):
        group.enter()
        memory = written(4)
        pages = range(len(memory) // PAGE_SIZE)
        filled = [index for index in pages if index % 8]
        for index in filled:
            memory[index * PAGE_SIZE] = 1
        page_out(memory)
        group.empty_swap_cache()
        with Counted() as counted:
            for index in filled:
                check(memory[index * PAGE_SIZE] == 1, f"page {index} is wrong")
        note(f"rotational {rotational}: {counted['swap_ra']} read ahead, "
             f"{counted['swpin_zero']} zeros filled in")
        check(counted["swap_ra"] >= len(filled) // 4, "there is no readahead to be tested")
        # Some margin for other activity in the guest.
        check(counted["swpin_zero"] <= 16, f"{counted['swpin_zero']} zeros filled in")
        check_content(memory, lambda index: int(index % 8 != 0))

    for rotational in (0, 1):
        swap = Swap("/dev/vda")
        with (Setting("/sys/block/vda/queue/rotational", rotational), swap, SwapCgroup() as group):
            Process(child, rotational).wait()


@test
def fork_shares_nothing_but_zeros():
    """Parent and child read and write their own memory, in either order."""
    memory = half_filled()

    def child():
        for index in range(0, PAGES, 4):
            memory[index * PAGE_SIZE] = 99
        check_content(memory, lambda index: content(index) if index % 4 else 99)

    with Swap():
        page_out(memory)
        process = Process(child)
        check_content(memory)
        process.wait()
        check_content(memory)
        page_out(memory, enough=0.5)
        check_content(memory)


@test
def ksm_keeps_its_accounts():
    """Zero pages mapped by KSM are distinguished from those mapped for swapped-out pages."""
    if not KSM.exists():
        raise Skip("no KSM")

    def scan():
        scans = int((KSM / "full_scans").read_text())
        while int((KSM / "full_scans").read_text()) < scans + 3:
            time.sleep(0.05)
        return int((KSM / "ksm_zero_pages").read_text())

    with (Setting(KSM / "use_zero_pages", 1), Setting(KSM / "pages_to_scan", 100000),
          Setting(KSM / "sleep_millisecs", 5), Swap()):
        (KSM / "run").write_text("1")
        # Few enough that all filled pages differ: otherwise they would be merged.
        memory, other = half_filled(1), half_filled(1)
        memory.madvise(MADV_MERGEABLE)
        merged = scan()
        check(merged == len(memory) // PAGE_SIZE // 2, f"KSM has merged {merged} pages")
        check_content(memory)
        page_out(memory, enough=0.5)
        page_out(other)
        other.madvise(MADV_MERGEABLE)
        with ZeroPages() as zero_pages:
            check_content(memory)
            check_content(other)
        check(zero_pages.mapped == merged, f"the zero page was mapped {zero_pages.mapped} times")
        check(scan() == merged, f"KSM counts {scan()} zero pages instead of {merged}")
        write_each_page(other)
        other.close()
        check(scan() == merged, f"KSM counts {scan()} zero pages instead of {merged}")
        (KSM / "run").write_text("2")
        left = int((KSM / "ksm_zero_pages").read_text())
        check(left == 0, f"KSM counts {left} zero pages when there should be none")
        check_content(memory)
        (KSM / "run").write_text("0")


@test
def userfaultfd_gets_pages_of_its_own():
    """In a range registered with userfaultfd, only pages that were swapped out are mapped."""
    memory = half_filled(4)
    fd = ctypes.CDLL(None, use_errno=True).syscall(SYS_USERFAULTFD, os.O_CLOEXEC | UFFD_USER_MODE_ONLY)
    if fd < 0:
        raise Skip("no userfaultfd")
    fcntl.ioctl(fd, UFFDIO_API, struct.pack("QQQ", UFFD_API, 0, 0))
    fcntl.ioctl(fd, UFFDIO_REGISTER,
                struct.pack("QQQQ", address(memory), len(memory), MODE_MISSING, 0))
    with Swap():
        page_out(memory)
        with ZeroPages() as zero_pages:
            check_content(memory)
        check(zero_pages.mapped == 0, f"the zero page was mapped {zero_pages.mapped} times")
        # In the swap cache now, with slots that say zero, which must no longer be trusted.
        for index in range(len(memory) // PAGE_SIZE):
            memory[index * PAGE_SIZE] = content(index + 1)
        os.close(fd)
        page_out(memory)
        check_content(memory, lambda index: content(index + 1))


@test
def huge_pages_swap_in_with_their_content():
    """Huge pages that were swapped out whole come back correctly, and can be written to."""
    with Setting(THP / "enabled", "always"), Swap():
        memory = written(8, MADV_HUGEPAGE)
        memory[5 << 20] = 1
        with Counted() as counted:
            page_out(memory)
        note(f"{counted['thp_swpout']} huge pages swapped out")
        with ZeroPages() as zero_pages:
            check(memory[5 << 20] == 1, "what was written is lost")
            memory[5 << 20] = 0
            check_zero(memory)
        note(f"the zero page was mapped {zero_pages.mapped} times")
        write_each_page(memory)


@test
def soft_dirty_is_kept():
    """A page that was written to is still known to have been after it was read from swap."""
    memory = written(2)
    Path("/proc/self/clear_refs").write_text("4")
    memory[0] = 1
    if not pagemap(memory)[0] & PAGEMAP_SOFT_DIRTY:
        raise Skip("no soft-dirty tracking")
    memory[0] = 0
    with Swap():
        page_out(memory)
        check_zero(memory)
        check(swapped(memory) == 0, "something is still swapped out")
        dirty = [bool(entry & PAGEMAP_SOFT_DIRTY) for entry in pagemap(memory)]
        check(dirty[0], "the page that was written to is clean")
        check(not any(dirty[1:]), f"{sum(dirty[1:])} other pages are dirty")


@test
def cgroups_get_their_swap_back():
    """Zeros that were read no longer count as swap of the cgroup."""
    def child():
        group.enter()
        memory = written(MIB)
        page_out(memory)
        check(group.swap() >= MIB << 20, f"only {group.swap()} bytes of swap are charged")
        check_zero(memory)
        check(group.swap() < 1 << 20, f"{group.swap()} bytes of swap are still charged")

    with Swap(), SwapCgroup() as group:
        Process(child).wait()


@test
def cgroups_count_zeros_both_ways():
    """What memory.stat counts as swpout_zero comes back as swpin_zero, read or written."""
    def child(use):
        group.enter()
        memory = written(MIB)
        before = group.stat("swpout_zero"), group.stat("swpin_zero"), vmstat()["swpin_zero"]
        page_out(memory)
        use(memory)
        out, back = group.stat("swpout_zero") - before[0], group.stat("swpin_zero") - before[1]
        check(out >= PAGES, f"only {out} zeros were counted on their way out")
        check(back == out, f"{out} zeros out, {back} back in the cgroup")
        total = vmstat()["swpin_zero"] - before[2]
        check(total >= out, f"{out} zeros out, {total} back in /proc/vmstat")

    for use in (check_zero, write_each_page):
        with Swap(), SwapCgroup() as group:
            Process(child, use).wait()


@test
def swapoff_may_race_with_readers():
    """Swap comes and goes while processes read, write and swap out; content stays intact."""
    swap = Swap()
    end = time.monotonic() + SECONDS * TIMEOUT_SCALE

    def reader(number):
        memory = half_filled(4)
        turn = 0
        while time.monotonic() < end:
            memory.madvise(MADV_PAGEOUT)
            if number % 2:
                memory.madvise(MADV_POPULATE_READ)
            check_content(memory)
            index = turn * 7 % (len(memory) // PAGE_SIZE)
            memory[index * PAGE_SIZE] = 7
            memory[index * PAGE_SIZE] = content(index)
            turn += 1

    before = vmstat()["swpin_zero_page"]
    readers = [Process(reader, number) for number in range(4)]
    turns = 0
    while time.monotonic() < end:
        swap.on()
        time.sleep(0.2)
        swap.off()
        turns += 1
    for process in readers:
        process.wait()
    note(f"swapoff {turns} times, the zero page mapped {vmstat()['swpin_zero_page'] - before} times")
    check(turns >= 2, f"swapoff came only {turns} times")
    check(vmstat()["swpin_zero_page"] > before, "no zeros were read")


main()
