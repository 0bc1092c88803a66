# SPDX-License-Identifier: GPL-2.0
"""A guest that runs a command: the common part of all kinds of guests, and the result."""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from . import kernel
from .console import complaints_in, quote, read_lines
from .failure import EXIT_GUEST, EXIT_TIMEOUT, Failure
from .options import Options
from .paths import COMMANDS, LOGS, TOP

RUNS_KEPT = 40


class Guest:
    """One run: what to boot, and where its traces go."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.kernel = kernel.find(options.kernel)
        self.image = self.kernel.image()
        self.run_dir = new_run_dir()

    @property
    def console(self) -> Path:
        """Everything the guest's kernel printed."""
        return self.run_dir / "console.log"

    def environment(self) -> str:
        """What COMMAND finds in its environment, for a shell."""
        values = {"HOME": "/root", "PATH": COMMANDS, "LANG": "C.UTF-8",
                  "ZERO_PAGE_MODULES": self.kernel.modules(),
                  "TIMEOUT_SCALE": self.kernel.timeout_scale}
        return " ".join(f"{name}={shlex.quote(str(value))}" for name, value in values.items())

    def shared_dirs(self) -> list[Path]:
        """Writable directories, outermost first and none inside another."""
        wanted = []
        for directory in (Path.cwd(), TOP, self.run_dir, *map(Path, self.options.share)):
            if not directory.is_dir():
                raise Failure(f"--share {directory}: no such directory")
            wanted.append(directory.resolve())
        shared: list[Path] = []
        for directory in sorted(set(wanted), key=lambda path: len(path.parts)):
            # The root itself stays read-only: it is the host's.
            if directory != Path("/") and not any(directory.is_relative_to(above)
                                                  for above in shared):
                shared.append(directory)
        return shared

    def run(self) -> int | None:
        """Boots and runs COMMAND; the status of the guest's process, None after the timeout."""
        raise NotImplementedError

    def status(self) -> str:
        """COMMAND's exit status, or what failed before it; empty if the guest reported neither."""
        try:
            return (self.run_dir / "status").read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""

    def judge(self, ended: int | None) -> int:
        """The exit status of a run, and on failure what led to it."""
        status = self.status()
        lines = read_lines(self.console)
        complaints = complaints_in(lines, *map(re.compile, self.options.allow))
        if complaints:
            say("the guest's kernel complained:")
            quote(complaints[:20])
        if ended is None and not status:
            result = EXIT_TIMEOUT
            say(f"ended after {self.options.timeout:g} seconds; the last lines of the console:")
            quote(lines[-20:])
        elif status.isdigit():
            result = int(status) or (EXIT_GUEST if complaints else 0)
        else:
            result = EXIT_GUEST
            reason = status.removeprefix("setup: ") or (
                f"the guest's process died ({signal.strsignal(-ended)})"
                if ended and ended < 0 else "the guest ended before COMMAND did")
            say(f"{reason}; the last lines of the console:")
            quote((read_lines(self.run_dir / "qemu.log") + lines)[-20:])
        if result and (complaints or not status.isdigit()):
            say(f"console log: {self.console}")
        return result


def say(message: str) -> None:
    """One line for the user."""
    print(f"vm: {message}", file=sys.stderr, flush=True)


def new_run_dir() -> Path:
    """A directory for the traces of this run; old ones make room."""
    runs = LOGS / "vm"
    runs.mkdir(parents=True, exist_ok=True)
    for old in sorted(runs.iterdir(), key=lambda path: path.stat().st_mtime)[:-RUNS_KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), dir=runs))
