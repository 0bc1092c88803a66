#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Beside a virtio balloon that reports free pages, enabling says EBUSY. Boots with one."""

from pathlib import Path

from guest import DIRECTORY, insmod, load, loaded, read, rmmod, vmstat, write
from ksft import Skip, check, main, test

# VIRTIO_BALLOON_F_REPORTING
REPORTING = 5


def balloon_reports():
    """Whether there is a balloon that reports free pages."""
    return any((device / "features").read_text()[REPORTING] == "1"
               for device in Path("/sys/bus/virtio/drivers/virtio_balloon").glob("virtio*"))


@test
def writing_enabled_says_ebusy():
    """Every time, and it keeps showing 0."""
    if not balloon_reports():
        raise Skip("no balloon with free page reporting")
    load()
    for _ in range(3):
        result = write("enabled", "1\n")
        check(result == "EBUSY", f"writing 1 gives {result}")
        check(read("enabled") == "0\n", f"enabled shows {read('enabled')!r}")
    check(vmstat()["prezero_zeroed"] == 0, "pages were zeroed")


@test
def the_other_files_still_work():
    """What cannot be enabled can still be set up, disabled and removed."""
    if not balloon_reports():
        raise Skip("no balloon with free page reporting")
    load()
    write("enabled", "1")
    for name, value in {"mini_order": 5, "batch_size": 1, "delay_millisecs": 2, "enabled": 0}.items():
        check(write(name, value) == 0, f"{name} refuses {value}")
        check(read(name) == f"{value}\n", f"{name} shows {read(name)!r}")
    rmmod()


@test
def loading_enabled_fails_cleanly():
    """insmod zero_page.ko enabled=1 says EBUSY and leaves nothing behind."""
    if not balloon_reports():
        raise Skip("no balloon with free page reporting")
    rmmod()
    result = insmod(enabled=1)
    check(result == "EBUSY", f"insmod: {result}")
    check(not loaded() and not DIRECTORY.exists(), "something is left")


main()
