# SPDX-License-Identifier: GPL-2.0
"""QEMU's gdb stub: the guest's kernel under a debugger."""

from __future__ import annotations

from pathlib import Path

# The addresses in vmlinux are those of the kernel that runs; after a panic it is there to look at.
KERNEL_ARGUMENTS = ("nokaslr", "panic=0")


def qemu_arguments(socket: Path, wait: bool) -> list[str]:
    """QEMU's arguments for the stub; with `wait` the guest starts when gdb continues it.

    A socket in a directory of ours, not a port: access to the stub is access to the guest, which
    can write to this checkout.
    """
    return ["-gdb", f"unix:path={socket},server=on,wait=off", *(["-S"] if wait else [])]


def advice(socket: Path, tree: Path) -> str:
    """How to attach to it, in one line; `tree` is where the kernel was built.

    With its symbols gdb stops at a panic, by a hardware breakpoint as the kernel's code may not be
    there yet, and has the commands that were built with it, if any.
    """
    attach = f"-ex 'target remote {socket}'"
    vmlinux = tree / "vmlinux"
    if not vmlinux.exists():
        return f"attach with: gdb {attach}"
    return (f"attach with: gdb -iex 'add-auto-load-safe-path {tree}' {attach} "
            f"-ex 'hbreak panic' {vmlinux}")
