#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Load-time parameters do the same as the files; with a bad one the module is not loaded."""

from lib.counters import wait_until, zeroed
from lib.ksft import check, main, test
from lib.module import DEFAULTS, DIRECTORY, insmod, kernel_log, load, loaded, read, rmmod
from lib.pages import MAX_PAGE_ORDER
from lib.states import VERIFY

BAD = {
    "enabled": ("2", "-1", "yes"),
    "mini_order": (str(MAX_PAGE_ORDER + 1), "-1", "nine"),
    "batch_size": (str((1 << 32) - 1), str(1 << 32), "-1"),
    "delay_millisecs": (str((1 << 32) - 1), str(1 << 32), "soon"),
    "max_zeroed": (str(1 << 64), "-1", "all"),
    "verify": ("2", "-1", "yes"),
}


@test
def good_parameters_show_in_the_files():
    """All of them at once."""
    wanted = {"enabled": 1, "mini_order": 9, "batch_size": 4096, "delay_millisecs": 77,
              "max_zeroed": 1 << 33}
    load(**wanted)
    for name, value in wanted.items():
        check(read(name) == f"{value}\n", f"{name} shows {read(name)!r}, not {value}")


@test
def missing_parameters_are_defaults():
    """If one is given, the others have their defaults."""
    load(mini_order=4)
    for name, value in {**DEFAULTS, "mini_order": 4}.items():
        check(read(name) == f"{value}\n", f"{name} shows {read(name)!r}, not {value}")


@test
def enabled_zeroes_without_a_write():
    """insmod zero_page.ko enabled=1 is enough."""
    before = zeroed()
    load(enabled=1, delay_millisecs=0, batch_size=0)
    check(wait_until(lambda: zeroed() > before, 20), "nothing was zeroed within 20 s")


@test
def numbers_are_those_of_other_modules():
    """Octal and hexadecimal, unlike in the files; a parameter that is given twice is an error."""
    for value in ("9", "011", "0x9"):
        load(mini_order=value)
        check(read("mini_order") == "9\n", f"mini_order={value} shows {read('mini_order')!r}")
    rmmod()
    result = insmod(mini_order="9 mini_order=9")
    check(result == "EEXIST", f"insmod with mini_order twice: {result}")
    check(not DIRECTORY.exists() and not loaded(), "something is left")


@test
def bad_parameters_refuse_to_load():
    """EINVAL, a line in the log that names the parameter, and nothing left behind."""
    rmmod()
    for name, values in BAD.items():
        for value in values:
            lines = len(kernel_log().splitlines())
            result = insmod(**{name: value})
            check(not loaded(), f"loads with {name}={value}")
            check(result == "EINVAL", f"insmod {name}={value}: {result}")
            log = kernel_log().splitlines()[lines:]
            check(any("zero_page" in line and name in line for line in log),
                  f"no line about {name}={value} in the log: {log}")
            check(not DIRECTORY.exists(), f"files are left after {name}={value}")


@test
def a_bad_parameter_keeps_the_others_from_applying():
    """Nothing is zeroed by enabled=1, and nothing verified by verify=1, beside a bad one."""
    rmmod()
    before, verify = zeroed(), VERIFY.read_text()
    for bad in ({"enabled": 1, "delay_millisecs": 0, "batch_size": 0, "verify": 2},
                {"verify": 1, "enabled": 2}):
        for _ in range(20):
            check(insmod(**bad) == "EINVAL", f"insmod {bad} is not refused")
    check(zeroed() == before, f"{zeroed() - before} pages were zeroed")
    check(VERIFY.read_text() == verify, "pages are verified")


main()
