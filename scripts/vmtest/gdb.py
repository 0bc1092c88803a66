# SPDX-License-Identifier: GPL-2.0
"""QEMU's gdb stub: the guest's kernel under a debugger."""

from __future__ import annotations

from pathlib import Path

# The addresses in vmlinux are those of the kernel that runs.
KERNEL_ARGUMENTS = ("nokaslr",)


def qemu_arguments(socket: Path, wait: bool) -> list[str]:
    """QEMU's arguments for the stub; with `wait` the guest starts when gdb continues it.

    A socket in a directory of ours, not a port: access to the stub is access to the guest, which
    can write to this checkout.
    """
    return ["-gdb", f"unix:path={socket},server=on,wait=off", *(["-S"] if wait else [])]


def advice(socket: Path, tree: Path) -> str:
    """How to attach to it, in one line; `tree` is where the kernel was built."""
    vmlinux = tree / "vmlinux"
    file = f" {vmlinux}" if vmlinux.exists() else ""
    return f"attach with: gdb -ex 'target remote {socket}'{file}"
