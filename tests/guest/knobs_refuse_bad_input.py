#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Bad input gives EINVAL and changes nothing, in no file, enabled or not."""

from lib.ksft import check, main, test
from lib.module import DEFAULTS, load, read, write
from lib.pages import MAX_PAGE_ORDER

# Not a number for any knob
BAD = (
    "\n", "\n\n", " ", "x", "yes", "on", "Y", "true", "null",
    "-1", "-0", "+1", "0x1", "0b1", "1e1", "1.0", "1,0", "1_0", "1k", "1K", "1 2",
    " 1", "1 ", "1\t", "1\n\n", "1\n2", "\n1", "1\r\n", "1;", "1x", "x1",
    "\0", "1\0", "1\n\0", b"\xff", b"1\xff", "١", "MAX", "max ", "maximum", "ma", "max\n\n",
    str(1 << 64), str((1 << 64) + 1), "9" * 100, "1" * 4000,
)
# Only max_zeroed has more than 32 bits.
MORE_THAN_32_BITS = (
    "max", str((1 << 32) - 1), str(1 << 32), str((1 << 32) + 1), str(1 << 63),
)

# Out of the range of one knob
TOO_LARGE = {
    "enabled": ("2", "10", "4294967294", *MORE_THAN_32_BITS),
    "mini_order": (str(MAX_PAGE_ORDER + 1), "64", "4294967294", *MORE_THAN_32_BITS),
    "batch_size": MORE_THAN_32_BITS,
    "delay_millisecs": MORE_THAN_32_BITS,
}


def state():
    """Returns what all files show."""
    return {name: read(name) for name in DEFAULTS}


def refused(name, **parameters):
    """Checks that `name` accepts no bad value and that none changes anything."""
    load(**parameters)
    before = state()
    for text in (*BAD, *TOO_LARGE.get(name, ())):
        result = write(name, text)
        check(result == "EINVAL", f"{name} gives {result} for {text[:40]!r}")
        check(state() == before, f"{text[:40]!r} to {name} made {before} {state()}")
    # A write of 0 bytes does not reach the module.
    check(write(name, "") == 0 and state() == before, f"nothing to {name} changed {before}")


@test
def enabled_refuses_bad_input():
    """Bad input neither starts nor stops zeroing."""
    refused("enabled")
    refused("enabled", enabled=1)


@test
def mini_order_refuses_bad_input():
    """Also whatever exceeds MAX_PAGE_ORDER."""
    refused("mini_order", mini_order=3)
    refused("mini_order", mini_order=3, enabled=1)


@test
def batch_size_refuses_bad_input():
    """Also 2^32-1, which is more than the largest allowed."""
    refused("batch_size", batch_size=12345)
    refused("batch_size", batch_size=12345, enabled=1)


@test
def delay_millisecs_refuses_bad_input():
    """Also 2^32-1, which is more than the largest allowed."""
    refused("delay_millisecs", delay_millisecs=54321)
    refused("delay_millisecs", delay_millisecs=54321, enabled=1)


@test
def max_zeroed_refuses_bad_input():
    """Also 2^64, which is more than the largest allowed."""
    refused("max_zeroed", max_zeroed=98765)
    refused("max_zeroed", max_zeroed=98765, enabled=1)


main()
