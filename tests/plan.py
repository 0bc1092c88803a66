# SPDX-License-Identifier: GPL-2.0
"""Which guests are booted for `make test`, and which files of tests/guest run in each."""

from dataclasses import dataclass

from vmtest import invoke
from vmtest.paths import BUILD

# The disk a guest swaps to, unless it uses zram; see tests/Makefile
DISK = ("--qemu", f"-drive file={BUILD / 'disk'},if=virtio,format=raw,cache=unsafe")
# Reports free pages, without waiting 2 s for more of them
BALLOON = ("--qemu", "-device virtio-balloon-pci,free-page-reporting=on",
           "--append", "page_reporting.page_reporting_delay_ms=100")


@dataclass
class Guest:
    """One boot and the test files that run in it, in this order."""

    title: str
    files: tuple
    options: tuple = ()
    timeout: int = 420


GUESTS = (
    Guest("guest: files and parameters", (
        "unused_module_counts_nothing.py",  # first: needs a fresh boot
        "sysfs_has_its_files_with_defaults.py",
        "knobs_take_good_input.py",
        "knobs_refuse_bad_input.py",
        "load_parameters_apply_or_refuse.py",
    )),
    Guest("guest: what each knob does", (
        "enabled_starts_and_stops_zeroing.py",
        "mini_order_selects_blocks.py",
        "batch_size_sets_when_the_worker_wakes.py",
        "delay_sets_when_a_pass_starts.py",
        "debugfs_tells_what_was_done.py",
    )),
    Guest("guest: a limit on two nodes", (
        "max_zeroed_is_a_limit.py",  # alone: needs memory that is not zeroed yet
    ), ("--nodes", "2")),
    Guest("guest: memory is zero and nothing leaks", (
        "zeroed_memory_is_zero_and_hits.py",
        "allocated_pages_are_not_flagged.py",
        "no_data_leaks_between_processes.py",
    # With this, the allocator checks the flags of every page: a free page may have PG_zero, an
    # allocated one may not.
    ), ("--append", "check_pages=1")),
    Guest("guest: who gets zeroed memory", (
        "mthp_is_zero_and_hits.py",
        "huge_zero_folio_is_shared_and_hits.py",
        "shared_memory_hits_and_writes_take_raw_pages.py",
        "page_tables_hit.py",
        "kernel_allocations_are_zero_and_hit.py",
        "hugetlb_is_zero_and_hits.py",
        "hugetlb_pool_leaks_nothing_under_load.py",
    )),
    Guest("guest: what zeroing costs", (
        "page_cache_takes_raw_pages.py",
        "partly_raw_blocks_cost_only_their_raw_pages.py",
        "tracepoints_tell_what_happens.py",
    ), invoke.FILES),
    Guest("guest: huge pages of 1 GiB", (
        "gigantic_hugetlb_is_zero_and_hits.py",
    ), ("--mem", "4G", "--append", "hugepagesz=1G hugepages=1")),
    Guest("guest: huge pages of 1 GiB from CMA", (
        "gigantic_hugetlb_from_cma_is_zero.py",
    ), ("--mem", "4G", "--append", "hugetlb_cma=1G")),
    Guest("guest: reloading and writing under load", (
        "module_reloads_200_times_under_load.py",
        "parallel_writers_keep_knobs_sane.py",
    )),
    Guest("guest: zeros that were swapped out", (
        "swapped_out_zeros_map_the_zero_page.py",
    ), DISK),
    Guest("guest: beside a balloon that reports free pages", (
        "balloon_and_zeroing_coexist.py",
    ), BALLOON),
    Guest("guest: on a host that provides reported pages as zeros", (
        "host_zeros_hit_without_clearing.py",
    ), (*BALLOON, "--append", "virtio_balloon.reported_zero=1")),
    Guest("guest: on a host that cannot discard what is reported", (
        "host_that_keeps_content_is_found_out.py",
    ), (*BALLOON, "--append", "virtio_balloon.reported_zero=1", "--mem", "512M",
        "--qemu", "-overcommit mem-lock=on")),
    Guest("guest: zeroed memory that is not zero", (
        "verify_finds_what_is_not_zero.py",
    # The kernel has to complain about what the test corrupts.
    ), ("--allow", "BUG: page marked as zero is not zero")),
    Guest("guest: memory that fails", (
        "poisoned_memory_stays_out.py",
    )),
    Guest("guest: contiguous memory", (
        "contiguous_memory_is_taken_and_given_back.py",
    ), ("--append", "cma=256M")),
    Guest("guest: memory that comes and goes", (
        "memory_is_added_and_removed.py",
    ), ("--qemu", "-m 1G,slots=1,maxmem=2G -object memory-backend-ram,id=dimm,size=256M "
                  "-device pc-dimm,memdev=dimm")),
    Guest("guest: free pages are poisoned", (
        "changing_free_pages_makes_enabling_fail.py",
    ), ("--append", "page_poison=1")),
    Guest("guest: free pages are zeroed when freed", (
        "changing_free_pages_makes_enabling_fail.py",
    ), ("--append", "init_on_free=1")),
)


# In addition, by kernel
MORE_GUESTS = {
    "debug": (
        Guest("guest: free pages are unmapped", (
            "changing_free_pages_makes_enabling_fail.py",
        ), ("--append", "debug_pagealloc=on")),
        Guest("guest: allocations fail", (
            "failed_allocations_leave_nothing_behind.py",
        ), ("--allow", "page allocation failure"), timeout=600),
    ),
    "kcsan": (
        Guest("guest: data races are found", (
            "data_races_are_found.py",
        ), ("--allow", "KCSAN: data-race in race_on_purpose")),
    ),
}


def guests(kernel):
    """Returns what is booted with a kernel."""
    return (*GUESTS, *MORE_GUESTS.get(kernel.name, ()))


def planned_files():
    """Returns the names of all test files that run somewhere."""
    return {file for boots in (GUESTS, *MORE_GUESTS.values())
            for guest in boots for file in guest.files}
