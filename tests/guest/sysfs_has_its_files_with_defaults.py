#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""/sys/kernel/mm/zero_page/ comes and goes with the module and shows its defaults."""

import stat

from lib.ksft import check, main, test
from lib.module import DEFAULTS, DIRECTORY, load, read, rmmod


@test
def directory_holds_exactly_these_files():
    """No more, no less, and all are 0644."""
    load()
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in DIRECTORY.iterdir()}
    expected = {name: 0o644 for name in DEFAULTS}
    check(files == expected, f"found {files}")


@test
def files_show_the_defaults():
    """A decimal number, or max, and one newline each."""
    load()
    for name, value in DEFAULTS.items():
        check(read(name) == f"{value}\n", f"{name} shows {read(name)!r}, not {value}")


@test
def rmmod_removes_the_directory():
    """Nothing is left, whether it was enabled or not."""
    for enabled in (0, 1):
        load(enabled=enabled)
        rmmod()
        check(not DIRECTORY.exists(), f"still there after rmmod, enabled={enabled}")


main()
