# SPDX-License-Identifier: GPL-2.0
"""How commands end: what they say when they cannot do their job, and exit statuses."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

EXIT_USAGE = 2
EXIT_TIMEOUT = 124
EXIT_GUEST = 125


class Failure(Exception):
    """What to tell the user, and the exit status that goes with it."""

    def __init__(self, message: str, status: int = EXIT_USAGE) -> None:
        super().__init__(message)
        self.status = status


def finish(name: str, run: Callable[[], int]) -> int:
    """Runs a command of that name; returns its exit status."""
    try:
        return run()
    except Failure as failure:
        print(f"{name}: {failure}", file=sys.stderr)
        return failure.status
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
