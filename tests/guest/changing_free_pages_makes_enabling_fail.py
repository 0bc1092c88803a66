#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Where the kernel itself writes to free pages, enabling fails and the log says why.

Boots with one of OBSTACLES on the kernel's command line.
"""

from pathlib import Path

from lib.counters import vmstat
from lib.ksft import Skip, check, main, test
from lib.memory import fill
from lib.module import insmod, kernel_log, load, loaded, read, rmmod, write

OBSTACLES = ("page_poison=1", "init_on_free=1", "debug_pagealloc=on")

# Two names for the same number
NOT_SUPPORTED = ("EOPNOTSUPP", "ENOTSUP")


def obstacle():
    """Returns the name of the one that is on the command line."""
    words = Path("/proc/cmdline").read_text().split()
    for word in OBSTACLES:
        if word in words:
            return word.partition("=")[0]
    raise Skip(f"none of {', '.join(OBSTACLES)} on the kernel's command line")


@test
def writing_enabled_says_eopnotsupp():
    """The file still shows 0, and the log names the obstacle."""
    name = obstacle()
    load()
    lines = len(kernel_log().splitlines())
    result = write("enabled", "1\n")
    check(result in NOT_SUPPORTED, f"writing 1 gives {result}")
    check(read("enabled") == "0\n", f"enabled shows {read('enabled')!r}")
    log = kernel_log().splitlines()[lines:]
    check(any(name in line for line in log), f"{name} is not in the log: {log}")


@test
def loading_enabled_fails_cleanly():
    """insmod zero_page.ko enabled=1 is refused as well."""
    obstacle()
    rmmod()
    result = insmod(enabled=1)
    check(result in NOT_SUPPORTED, f"insmod: {result}")
    check(not loaded(), "the module is left")


@test
def nothing_is_zeroed_and_memory_is_zero():
    """Everything else is as without the module."""
    obstacle()
    check(fill(64, "4k")[1] == 0 and fill(64, "thp")[1] == 0, "memory is not zero")
    check(vmstat()["prezero_zeroed"] == 0, "pages were zeroed")


main()
