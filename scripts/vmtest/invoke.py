# SPDX-License-Identifier: GPL-2.0
"""The command lines that programs use to run scripts/vm and read its output."""

from __future__ import annotations

from collections.abc import Iterable

from .kernel import Kernel
from .paths import BUILD, TOP

VM = str(TOP / "scripts/vm")
# Options for a guest that reads large files as the host's, see tests/Makefile
FILES = ("--qemu", f"-virtfs local,path={BUILD / 'files'},mount_tag=files,"
                   "security_model=none,readonly=on")


def vm(kernel: Kernel, *command: str, mem: str = "1G", timeout: float = 600,
       options: Iterable[str] = ()) -> list[str]:
    """A guest in which `command` loads zero_page itself, if at all."""
    return [VM, "--kernel", kernel.name, "--no-module", "--mem", mem,
            "--timeout", f"{timeout * kernel.timeout_scale:g}", *options, "--", *command]
