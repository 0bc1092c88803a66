# SPDX-License-Identifier: GPL-2.0
"""The options of a run of a guest, as on the command line."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Options:
    """Of any guest."""

    command: list[str] = field(default_factory=list)
    kernel: str = "patched"
    mem: str = "2G"
    share: list[str] = field(default_factory=list)
    allow: list[str] = field(default_factory=list)
    # None: as long as it takes
    timeout: float | None = 600


@dataclass
class QemuOptions(Options):
    """Of a guest in QEMU."""

    cpus: int = 2
    nodes: int = 1
    # Whether to load zero_page.ko first; None: if it is built for that kernel
    module: bool | None = None
    module_args: str = ""
    icount: bool = False
    append: list[str] = field(default_factory=list)
    qemu: list[str] = field(default_factory=list)
    verbose: bool = False
    shell: bool = False
    gdb: bool = False
    # Whether the guest starts only when gdb says so
    gdb_wait: bool = False


@dataclass
class UmlOptions(Options):
    """Of a guest that is user-mode Linux."""

    # Paths of modules to load first
    module: list[str] = field(default_factory=list)
