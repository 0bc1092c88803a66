# SPDX-License-Identifier: GPL-2.0
"""A guest in QEMU that sees the host's files.

virtme-ng makes the QEMU command line and is the guest's init.  It is not left in charge of QEMU,
though: it would neither end a guest that hangs nor keep the console log, and it needs udev in the
guest to separate COMMAND's output from the console.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

from . import gdb, init, process, qemu
from .console import quote, read_lines
from .failure import EXIT_GUEST, Failure
from .guest import Guest
from .options import QemuOptions
from .paths import CACHE, COMMANDS

# With a cache, as the host's files do not change meanwhile: without one, every start of a program
# reads it again.  The rest is virtme-ng's.
ROOT_FLAGS = "rootflags=version=9p2000.L,trans=virtio,access=any,msize=512000,cache=loose"


class VirtmeGuest(Guest):
    """One run in QEMU, with KVM or emulated."""

    program = "vm"
    options: QemuOptions

    def __init__(self, options: QemuOptions, kvm: bool) -> None:
        super().__init__(options)
        self.kvm = kvm
        self.gdb_socket = self.run_dir / "gdb"

    def module(self) -> Path | None:
        """The zero_page.ko that is loaded first, if any."""
        wanted, module = self.options.module, self.kernel.modules() / "zero_page.ko"
        if wanted is None:
            wanted = self.kernel.ours and module.exists()
        if not wanted:
            return None
        if self.kernel.name == "stock":
            raise Failure("the stock kernel cannot load zero_page.ko: leave --module out")
        if not module.exists():
            how = f"modules-{self.kernel.name}" if self.kernel.ours else "KDIR=<its tree>"
            raise Failure(f"{module} is not built: run make {how}")
        return module

    def qemu_command(self, out_fd: int = -1, err_fd: int = -1) -> list[str]:
        """QEMU's command line: virtme-ng's, and our ports for COMMAND's output."""
        options = self.options
        virtme = CACHE / "tools/venv/bin/virtme-run"
        if not virtme.exists():
            raise Failure(f"{virtme} is missing: run scripts/setup.sh")
        command = [str(virtme), "--dry-run", "--show-command", "--qemu-bin", qemu.binary(),
                   "--kimg", str(self.image), "--mods", "none", "--force-9p",
                   "--disable-microvm", "--disable-monitor", "--memory", options.mem,
                   "--cpus", "1" if options.icount else str(options.cpus)]
        script = str(init.write(self.run_dir, self.environment(),
                                None if options.shell else options.command,
                                self.module(), options.module_args))
        if options.shell:
            command += ["--shell", script]
        else:
            command += ["--script-sh", shlex.quote(script)]
        # Programs expect to write there; what they write stays in the guest.
        command += ["--overlay-rwdir=/etc", "--overlay-rwdir=/tmp"]
        command += [f"--rwdir={path}={path}" for path in self.shared_dirs()]
        command += [f"--kopt={argument}" for argument in self.kernel_arguments()]
        if not self.kvm:
            command.append("--disable-kvm")
        command += [f"-q={argument}" for argument in self.qemu_extras(out_fd, err_fd)]
        shown = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, check=False,
                               env={**os.environ, "PATH": COMMANDS, "TMPDIR": str(self.run_dir)})
        lines = [line for line in shown.stdout.splitlines() if " -kernel " in line]
        if shown.returncode or not lines:
            raise Failure(f"virtme-run failed: {(shown.stderr or shown.stdout).strip()}",
                          EXIT_GUEST)
        return shlex.split(lines[-1])

    def kernel_arguments(self) -> list[str]:
        """The kernel's command line; its warnings must reach the log."""
        arguments = ["loglevel=7", ROOT_FLAGS, *self.kernel.command_line()]
        if self.options.gdb:
            arguments += gdb.KERNEL_ARGUMENTS
        for more in self.options.append:
            arguments += shlex.split(more)
        return arguments

    def qemu_extras(self, out_fd: int, err_fd: int) -> list[str]:
        """Our part of QEMU's command line."""
        options = self.options
        extras = qemu.accelerator(self.kvm)
        if options.nodes > 1:
            extras += qemu.nodes(options.nodes, options.cpus, options.mem)
        if options.icount:
            extras += ["-icount", "shift=0,sleep=off"]
        if options.gdb:
            extras += gdb.qemu_arguments(self.gdb_socket, options.gdb_wait)
        if not options.shell:
            extras += ["-set", f"chardev.console.path={self.console}",
                       "-device", "virtio-serial-pci,id=vm"]
            for name, file in (("out", out_fd), ("err", err_fd)):
                extras += ["-chardev", f"file,id=vm.{name},path=/proc/self/fd/{file}", "-device",
                           f"virtserialport,bus=vm.0,name=vm.{name},chardev=vm.{name}"]
        for more in options.qemu:
            extras += shlex.split(more)
        return extras

    def run(self) -> int | None:
        """Boots, once more if QEMU crashed."""
        ended = self.boot()
        if qemu.crashed_at_boot(ended, read_lines(self.console)):
            self.say(qemu.CRASHED_AT_BOOT)
            quote(read_lines(self.qemu_log))
            self.console.rename(self.run_dir / "console.crashed.log")
            ended = self.boot()
        return ended

    def boot(self) -> int | None:
        """Boots once; QEMU's status, None after the timeout."""
        def command(out_fd: int, err_fd: int) -> list[str]:
            arguments = self.qemu_command(out_fd, err_fd)
            if self.options.verbose:
                self.say(shlex.join(arguments))
            return arguments

        self.console.touch()
        if self.options.gdb:
            self.say(gdb.advice(self.gdb_socket, self.kernel.tree()))
        return process.run(command, self.qemu_log, self.options.timeout,
                           shown=self.console if self.options.verbose else None)

    def shell(self) -> int:
        """Gives the terminal to the guest; kernel messages still go to the log."""
        if self.options.gdb:
            self.say(gdb.advice(self.gdb_socket, self.kernel.tree()))
        with open(self.console, "wb") as log:
            ended = subprocess.run(self.qemu_command(), stderr=log, check=False)
        self.complaints()
        self.say(f"console log: {self.console}")
        return ended.returncode
