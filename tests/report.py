# SPDX-License-Identifier: GPL-2.0
"""Shows results of `make test` to people."""

import sys
from collections import Counter

RED, GREEN, YELLOW, BOLD, PLAIN = (
    (f"\033[{code}m" for code in (31, 32, 33, 1, 0)) if sys.stdout.isatty() else [""] * 5)
COLOURS = {"passed": GREEN, "failed": RED, "skipped": YELLOW}


def show(results):
    """Prints a line for each suite and the details of what did not pass."""
    suites = {}
    for result in results:
        suites.setdefault(result.suite or result.name, []).append(result)
    for suite, members in suites.items():
        counts = Counter(result.status for result in members)
        worst = next(status for status in ("failed", "skipped", "passed") if counts[status])
        number = f"  ({len(members)} tests)" if len(members) > 1 else ""
        print(f"  {COLOURS[worst]}{worst:8}{PLAIN}{suite}{number}")
        for result in members:
            if result.status == "passed":
                continue
            print(f"    {COLOURS[result.status]}{result.status}{PLAIN} {result.name}")
            for line in result.details[-20:]:
                print(f"      {line}")
