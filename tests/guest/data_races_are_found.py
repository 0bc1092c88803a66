#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The kernel that detects data races finds one, so that its silence elsewhere is meaningful."""

import subprocess
from pathlib import Path

from lib.counters import wait_until
from lib.ksft import check, main, test
from lib.module import MODULES, kernel_log

MODULE = MODULES / "zero_page_race.ko"
REPORT = "BUG: KCSAN: data-race in race_on_purpose"


@test
def kcsan_is_enabled():
    """KCSAN is not only built in, but enabled."""
    state = Path("/sys/kernel/debug/kcsan").read_text().splitlines()[0]
    check(state == "enabled: 1", state)


@test
def a_race_on_purpose_is_reported():
    """Two threads that increment the same variable are reported."""
    subprocess.run(["insmod", str(MODULE)], check=True)
    try:
        check(wait_until(lambda: REPORT in kernel_log(), 30) is not None, "no report")
    finally:
        subprocess.run(["rmmod", MODULE.stem], check=True)


main()
