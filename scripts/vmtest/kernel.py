# SPDX-License-Identifier: GPL-2.0
"""Our kernels: their names, their command lines, and what is built for them."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .failure import Failure
from .paths import BUILD, TOP

BUILD_KERNEL = TOP / "scripts/kernel/build.sh"

# What every kernel gets.  oops: end at the first one.  tsc: the watchdog of clocks waits for
# another processor with interrupts off.  Until stop_machine() has made the TSC the clock, time is
# jiffies, so that its timeout may never come and a boot in 400 hung: watchdog_wait_seq() of
# Linux 7.3, in kernel/time/clocksource.c.
ARGUMENTS = ("oops=panic", "panic=-1", "tsc=nowatchdog")


@dataclass(frozen=True)
class Kernel:
    """A kernel that guests boot."""

    # One of ours, or the path of a built tree or of an image
    name: str
    # Additional arguments on its command line
    arguments: str = ""
    # Factor by which everything may take longer
    timeout_scale: int = 1

    def command_line(self) -> list[str]:
        """The arguments it is booted with."""
        return [*ARGUMENTS, *shlex.split(self.arguments)]

    @property
    def ours(self) -> bool:
        """Whether scripts/kernel/build.sh makes it."""
        return self.name in KERNELS

    def tree(self) -> Path:
        """The directory it was built in."""
        return _built(self.name) if self.ours else Path(self.name).absolute()

    def source(self) -> Path:
        """Its sources; built out of tree, the directory of the objects has a link to them."""
        link = self.tree() / "source"
        return link if link.exists() else self.tree()

    def image(self) -> Path:
        """The file to boot."""
        tree = self.tree()
        file = "linux" if self.name.startswith("uml-") else "arch/x86/boot/bzImage"
        image = tree / file if tree.is_dir() else tree
        if not image.is_file():
            raise Failure(f"no kernel image {image}: build that kernel, or name one of ours")
        return image

    def modules(self) -> Path:
        """Where the modules for it are: those for a kernel of a user are at the top."""
        return BUILD / "modules" / self.name if self.ours else TOP


# While KCSAN waits for a race an emulated processor does a tenth of what a real one would.
KERNELS = {kernel.name: kernel for kernel in (
    Kernel("patched"),
    Kernel("stock"),
    Kernel("debug", "page_owner=on", timeout_scale=8),
    Kernel("kcsan", "kcsan.skip_watch=2000 kcsan.udelay_task=200 kcsan.udelay_interrupt=50",
           timeout_scale=8),
    Kernel("uml-patched"),
    Kernel("uml-stock"),
)}

# Those with the series, which tests run on
TESTED = ("patched", "debug", "kcsan")


def find(name: str) -> Kernel:
    """The kernel of that name or path."""
    return KERNELS.get(name) or Kernel(name)


@cache
def _built(name: str) -> Path:
    """The directory of a kernel of ours, which must have been built."""
    found = subprocess.run([BUILD_KERNEL, "--path", name], capture_output=True, text=True,
                           check=False)
    if found.returncode:
        raise Failure(found.stderr.strip().removeprefix("zero_page: error: "))
    return Path(found.stdout.strip())
