# SPDX-License-Identifier: GPL-2.0
"""Other processes, and settings that last for a while."""

import os
import traceback
from pathlib import Path

from .ksft import check, note


class Process:
    """A child that calls action(*arguments) and exits; if it fails, the test fails."""

    def __init__(self, action, *arguments):
        self.name = action.__name__
        self.pid = os.fork()
        if self.pid:
            return
        try:
            action(*arguments)
            os._exit(0)
        except BaseException:  # pylint: disable=broad-except
            note(traceback.format_exc())
        os._exit(1)

    def wait(self):
        """Waits until it has exited."""
        _, status = os.waitpid(self.pid, 0)
        check(status == 0, f"{self.name} failed in another process, wait status {status}")


class Setting:
    """A file that has different content in a `with` block."""

    def __init__(self, path, value):
        self.path, self.value = Path(path), str(value)

    def __enter__(self):
        words = self.path.read_text().split()
        chosen = [word.strip("[]") for word in words if word.startswith("[")]
        self.before = chosen[0] if chosen else words[0]
        self.path.write_text(self.value)

    def __exit__(self, *_):
        self.path.write_text(self.before)
