#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""vmalloc and large kmalloc with __GFP_ZERO are zero, and served from zeroed pages."""

from lib.allocations import allocate, load_allocator
from lib.counters import check_hits
from lib.ksft import main, test
from lib.states import start, zero_scribbled_memory

MIB = 64


@test
def the_test_module_is_loaded():
    """It is loaded for the tests that follow."""
    load_allocator()
    start()


@test
def vmalloc_is_zero_and_hits():
    """Twice, so that scribbled memory comes back."""
    for _ in range(2):
        zero_scribbled_memory()
        counted = allocate(f"vmalloc bytes={MIB << 20}")
        check_hits("vmalloc", counted, "prezero_hit_kernel", MIB)


@test
def large_kmalloc_is_zero_and_hits():
    """Sizes larger than the slabs serve."""
    for _ in range(2):
        zero_scribbled_memory()
        counted = allocate(f"kmalloc bytes={1 << 20} count={MIB}")
        check_hits("kmalloc", counted, "prezero_hit_kernel", MIB)


@test
def memory_used_again_at_once_is_zero():
    """The second round gets the memory that the first has overwritten."""
    for command in (f"vmalloc bytes={MIB << 20}", f"kmalloc bytes={1 << 20} count={MIB}"):
        zero_scribbled_memory()
        allocate(f"{command} rounds=2")


main()
