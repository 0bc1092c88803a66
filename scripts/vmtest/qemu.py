# SPDX-License-Identifier: GPL-2.0
"""QEMU itself: which one, its arguments on this machine, and whether it crashed.

The environment variable QEMU selects a qemu-system-x86_64 other than the one in the path.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess

from .console import complaints_in
from .failure import Failure
from .paths import COMMANDS

CRASHED_AT_BOOT = "QEMU crashed while the guest booted; starting it once more"


def binary() -> str:
    """The path of QEMU."""
    name = os.environ.get("QEMU") or "qemu-system-x86_64"
    path = shutil.which(name, path=COMMANDS)
    if not path:
        raise Failure(f"no program {name}: run scripts/setup.sh, or see whether $QEMU is right")
    return path


def version() -> tuple[int, ...]:
    """Its version, major and minor."""
    shown = subprocess.run([binary(), "--version"], stdout=subprocess.PIPE, text=True,
                           check=True, env={**os.environ, "PATH": COMMANDS}).stdout
    found = re.search(r"version (\d+)\.(\d+)", shown)
    return tuple(map(int, found.groups())) if found else (0, 0)


def accelerator(kvm: bool) -> list[str]:
    """The arguments for the processor."""
    if kvm:
        return ["-machine", "q35,accel=kvm"]
    # Emulated rep stos goes byte by byte, far from what a real machine
    # does; without erms and fsrm the kernel clears 8 bytes an instruction.
    # With la57 KASAN may complain of an interrupt early at boot: it takes
    # addresses for wild while identify_cpu() has the features cleared.
    arguments = ["-machine", "q35", "-cpu", "max,-erms,-fsrm,-la57"]
    # Before 8.1, translating code that another thread patches (static
    # branches) raced with it: a boot in ten or so died of an int3.
    if version() < (8, 1):
        arguments += ["-accel", "tcg,thread=single"]
    return arguments


def nodes(count: int, cpus: int, mem: str) -> list[str]:
    """The arguments for NUMA nodes, each of which is a socket."""
    mebibytes = int(mem[:-1]) * {"M": 1, "G": 1024}[mem[-1]] // count
    share = cpus // count
    arguments = ["-smp", f"{cpus},sockets={count}"]
    for node in range(count):
        arguments += ["-object", f"memory-backend-ram,id=node{node},size={mebibytes}M", "-numa",
                      f"node,memdev=node{node},cpus={node * share}-{(node + 1) * share - 1}"]
    return arguments


def crashed_at_boot(status: int | None, console: list[str]) -> bool:
    """Whether QEMU itself crashed before the guest ran a program, so that another try is fair.

    QEMU 10.0 does so once in some hundred boots, when a processor moves a device in memory while
    another runs (its issue 1921).  A guest that hangs or panics is never taken for this.
    """
    return (status in (-signal.SIGABRT, -signal.SIGSEGV) and not complaints_in(console)
            and not any("as init process" in line for line in console))
