# SPDX-License-Identifier: GPL-2.0
"""Pools of hugetlb."""

from pathlib import Path

from .ksft import check
from .memory import PAGES_PER_MIB

# <asm-generic/mman-common.h>, <linux/mman.h>
MAP_HUGETLB, MAP_HUGE_1GB = 0x40000, 30 << 26
HIT, MISS, ZEROED = "prezero_hit_hugetlb", "prezero_miss_hugetlb", "prezero_zeroed_hugetlb"


class Pool:
    """The pool of a size."""

    def __init__(self, kib):
        self.directory = Path(f"/sys/kernel/mm/hugepages/hugepages-{kib}kB")
        self.mib = kib >> 10
        self.pages = self.mib * PAGES_PER_MIB

    def get(self, name):
        """Returns a number from its directory."""
        return int((self.directory / name).read_text())

    def resize(self, folios):
        """Sets how many folios it has."""
        try:
            (self.directory / "nr_hugepages").write_text(str(folios))
        except OSError as error:
            raise AssertionError(
                f"none of {self.mib} MiB at run time, is CONFIG_CMA set? {error}") from error
        check(self.get("nr_hugepages") == folios, f"{self.get('nr_hugepages')}, not {folios}")


HUGE, GIGANTIC = Pool(2 << 10), Pool(1 << 20)
