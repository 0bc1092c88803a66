# SPDX-License-Identifier: GPL-2.0
"""The console's log: messages of kernels, and those that are complaints."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

# Messages that a healthy kernel never prints
COMPLAINT = re.compile(
    r"Kernel panic|\bBUG\b:|kernel BUG at|\bWARNING: |\bOops\b:|general protection fault"
    r"|possible (circular|recursive) locking|possible irq lock|inconsistent lock state"
    r"|INFO: possible recursive|suspicious RCU|KASAN:|UBSAN:|KFENCE:"
    r"|hung task|blocked for more than|soft lockup|hard LOCKUP|detected stall"
    r"|Bad page (state|map)|refcount_t:|list_(add|del) corruption"
    r"|scheduling while atomic|sleeping function called|Out of memory and no killable"
)

# KCSAN finds races in any kernel; this one answers for those of its own.
RACE_OF_OTHERS = re.compile(r"BUG: KCSAN: (?!.*(prezero|page_reporting|zero_page))")

# virtme-ng's init logs through the kernel and warns of programs it does not find.
FROM_INIT = re.compile(r"^\[[ .\d]+\] virtme-ng-init: ")


def complaints_in(lines: list[str], *allowed: re.Pattern[str]) -> list[str]:
    """The lines that a healthy kernel does not print."""
    harmless = (FROM_INIT, RACE_OF_OTHERS, *allowed)
    return [line for line in lines
            if COMPLAINT.search(line) and not any(pattern.search(line) for pattern in harmless)]


def read_lines(log: Path) -> list[str]:
    """A log's lines; whatever bytes a dying guest left."""
    if not log.exists():
        return []
    return log.read_text(encoding="utf-8", errors="replace").splitlines()


def quote(lines: list[str]) -> None:
    """Shows lines of a log to the user."""
    for line in lines:
        print(f"  | {line}", file=sys.stderr)


def follow(log: Path, process: subprocess.Popen[bytes]) -> None:
    """Shows the log as it grows, until the process has ended."""
    with open(log, "rb") as file:
        while True:
            ended = process.poll() is not None
            sys.stderr.buffer.write(file.read())
            sys.stderr.flush()
            if ended:
                return
            time.sleep(0.2)
