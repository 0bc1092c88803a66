# SPDX-License-Identifier: GPL-2.0
"""Code shared by tests with a virtio balloon. Their guest has one that reports free pages."""

from pathlib import Path

from .ksft import Skip

DRIVER = Path("/sys/bus/virtio/drivers/virtio_balloon")
# VIRTIO_BALLOON_F_REPORTING
REPORTING = 5
# Smallest order of the blocks that are reported: that of a pageblock
ORDER = 9


def device():
    """Returns the name of a balloon that reports free pages."""
    for path in DRIVER.glob("virtio*"):
        if (path / "features").read_text()[REPORTING] == "1":
            return path.name
    raise Skip("no balloon with free page reporting")


def small_blocks():
    """Returns how many free pages are in blocks that are too small to be reported."""
    pages = 0
    for line in Path("/proc/buddyinfo").read_text().splitlines():
        counts = map(int, line.split()[4:])
        pages += sum(count << order for order, count in enumerate(counts) if order < ORDER)
    return pages
