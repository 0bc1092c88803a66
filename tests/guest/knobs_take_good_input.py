#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Every knob accepts its whole range, with or without a newline, enabled or not."""

from lib.ksft import check, main, test
from lib.module import load, read, write
from lib.pages import MAX_PAGE_ORDER

GOOD = {
    "mini_order": (0, 1, 9, MAX_PAGE_ORDER),
    "batch_size": (0, 1, 4095, 1 << 31, (1 << 32) - 2),
    "delay_millisecs": (0, 1, 1 << 31, (1 << 32) - 2),
    "max_zeroed": (0, 1, 4096, (1 << 32) + 1, (1 << 64) - 1, "max"),
    "enabled": (1, 1, 0, 0, 1, 0),
}


def accepted(name, text, shown):
    """Checks that `name` accepts `text` and then shows `shown`."""
    result = write(name, text)
    check(result == 0, f"{name} refuses {text!r}: {result}")
    check(read(name) == f"{shown}\n", f"{name} shows {read(name)!r} after {text!r}")


def whole_range(**parameters):
    """Checks every good value of every knob."""
    load(**parameters)
    for name, values in GOOD.items():
        for value in values:
            accepted(name, f"{value}\n", value)
            accepted(name, str(value), value)


@test
def each_value_of_the_range_while_disabled():
    """Boundaries and values between them."""
    whole_range()


@test
def each_value_of_the_range_while_enabled():
    """The same, each applied to an active reporter."""
    whole_range(enabled=1)


@test
def leading_zeros_are_decimal():
    """010 is ten, not eight."""
    load()
    accepted("mini_order", "010\n", 10)
    accepted("batch_size", "00000000000000064\n", 64)


main()
