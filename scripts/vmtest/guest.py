# SPDX-License-Identifier: GPL-2.0
"""A guest that runs a command: the common part of all kinds of guests, and the result."""

from __future__ import annotations

import fcntl
import os
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

    # The program that runs it, for messages
    program: str

    def __init__(self, options: Options) -> None:
        self.options = options
        self.kernel = kernel.find(options.kernel)
        self.image = self.kernel.image()
        self.run_dir = new_run_dir()

    @property
    def console(self) -> Path:
        """Everything the guest's kernel printed."""
        return self.run_dir / "console.log"

    @property
    def qemu_log(self) -> Path:
        """What QEMU itself printed, if it is QEMU that runs the guest."""
        return self.run_dir / "qemu.log"

    def say(self, message: str) -> None:
        """One line for the user."""
        print(f"{self.program}: {message}", file=sys.stderr, flush=True)

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

    def complaints(self) -> list[str]:
        """What the guest's kernel complained of; the user is told."""
        found = complaints_in(read_lines(self.console), *map(re.compile, self.options.allow))
        if found:
            self.say("the guest's kernel complained:")
            quote(found[:20])
        return found

    def judge(self, ended: int | None) -> int:
        """The exit status of a run, and on failure what led to it."""
        status = self.status()
        lines = read_lines(self.console)
        complaints = self.complaints()
        words = read_lines(self.qemu_log)
        if words and not status.isdigit():
            self.say("QEMU said:")
            quote(words[-20:])
        if ended is None and not status:
            result = EXIT_TIMEOUT
            self.say(f"ended after {self.options.timeout:g} seconds; "
                     "the last lines of the console:")
            quote(lines[-20:])
        elif status.isdigit():
            result = int(status) or (EXIT_GUEST if complaints else 0)
        else:
            result = EXIT_GUEST
            reason = status.removeprefix("setup: ") or (
                f"the guest's process died ({signal.strsignal(-ended)})"
                if ended and ended < 0 else "the guest ended before COMMAND did")
            self.say(f"{reason}; the last lines of the console:")
            quote(lines[-20:])
        if result and (complaints or not status.isdigit()):
            self.say(f"console log: {self.console}")
        return result


def new_run_dir() -> Path:
    """A directory for the traces of this run, locked until we end; old ones make room."""
    runs = LOGS / "vm"
    runs.mkdir(parents=True, exist_ok=True)
    # One at a time, or a new directory might be taken for an old one before it is locked.
    turn = lock(runs)
    # By name, which begins with the time.
    for old in sorted(runs.iterdir())[:-RUNS_KEPT]:
        try:
            os.close(lock(old, fcntl.LOCK_NB))
        except BlockingIOError:
            # The run goes on.
            continue
        shutil.rmtree(old, ignore_errors=True)
    run_dir = Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), dir=runs))
    lock(run_dir)
    os.close(turn)
    return run_dir


def lock(directory: Path, flags: int = 0) -> int:
    """Locks a directory; the lock is held as long as the descriptor that is returned is open."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | flags)
    except BlockingIOError:
        os.close(descriptor)
        raise
    return descriptor
