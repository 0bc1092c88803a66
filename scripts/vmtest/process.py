# SPDX-License-Identifier: GPL-2.0
"""The process that is a guest: started with two pipes, ended with all that it started."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from .console import follow


def run(command: Callable[[int, int], list[str]], log: Path, timeout: float | None, *,
        shown: Path | None = None, env: Mapping[str, str] | None = None) -> int | None:
    """Runs a guest and passes on what COMMAND prints; its status, None after the timeout.

    `command` makes the command line, given the descriptors that COMMAND's stdout and stderr go
    to.  What the process itself prints is appended to `log`; `shown` is a log to show as it grows.
    """
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    arguments = command(out_write, err_write)
    with open(log, "ab") as file:
        process = subprocess.Popen(  # pylint: disable=consider-using-with
            arguments, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=env,
            pass_fds=(out_write, err_write), start_new_session=True, preexec_fn=die_with_parent)
    os.close(out_write)
    os.close(err_write)
    pumps = [threading.Thread(target=pump, args=pair, daemon=True)
             for pair in ((out_read, 1), (err_read, 2))]
    for thread in pumps:
        thread.start()
    if shown:
        threading.Thread(target=follow, args=(shown, process), daemon=True).start()
    try:
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        return None
    finally:
        end_session(process)
        for thread in pumps:
            thread.join()


def end_session(process: subprocess.Popen[bytes]) -> None:
    """Ends a process and those of its session: the processes of a UML guest are the host's."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def die_with_parent() -> None:
    """In the child: no guest outlives us, however we end."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def pump(source: int, target: int) -> None:
    """Copies all of source to target, and drains it if target is gone."""
    while data := os.read(source, 65536):
        try:
            while data:
                data = data[os.write(target, data):]
        except OSError:
            data = b""
    os.close(source)
