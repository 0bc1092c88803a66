# SPDX-License-Identifier: GPL-2.0
"""A guest that is user-mode Linux: a process of the host."""

from __future__ import annotations

import mmap
import os
import shlex
import tempfile
from pathlib import Path

from . import process
from .failure import Failure
from .guest import Guest
from .options import UmlOptions

# The guest's init.  It must not return, that would be a panic, and a file that
# is written through hostfs gets to the host only when it is synced.
INIT = """\
#!/bin/bash
export {environment}
run() {{
	mount -t proc proc /proc && mount -t sysfs sysfs /sys &&
		mount -t debugfs debugfs /sys/kernel/debug && mount -t devtmpfs devtmpfs /dev &&
		ln -s /proc/self/fd /dev/fd && mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /tmp &&
		mkdir /run/host && mount -t hostfs none /run/host || return
	# Bound, since what hostfs wants as an option depends on the version of mount.
	for directory in {shared}; do
		mkdir -p "$directory" && mount --bind "/run/host$directory" "$directory" || return
	done
	umount -l /run/host
	for module in {modules}; do
		insmod "$module" || return
	done
	cd {cwd} || return
	(
		exec </dev/null >/dev/tty1 2>/dev/tty2
		stty -opost <&1 && stty -opost <&2
		{command}
	)
	echo $? >{run}/status
}}
run
sync
exec python3 -c 'import ctypes; ctypes.CDLL(None).reboot({power_off:#x})'
"""
RB_POWER_OFF = 0x4321FEDC


class UmlGuest(Guest):
    """One run."""

    program = "uml"
    options: UmlOptions

    def init(self) -> Path:
        """Writes what the guest's kernel runs."""
        script = self.run_dir / "init"
        script.write_text(INIT.format(
            environment=self.environment(), power_off=RB_POWER_OFF,
            shared=shlex.join(map(str, self.shared_dirs())),
            modules=shlex.join(str(Path(module).absolute()) for module in self.options.module),
            cwd=shlex.quote(os.getcwd()), command=shlex.join(self.options.command),
            run=shlex.quote(str(self.run_dir))), encoding="utf-8")
        script.chmod(0o755)
        return script

    def run(self) -> int | None:
        """Boots; see Guest.run()."""
        def command(out_fd: int, err_fd: int) -> list[str]:
            return [str(self.image), f"mem={self.options.mem}", "rootfstype=hostfs", "rootflags=/",
                    "ro", f"init={self.init()}", "con0=null,fd:1", f"con1=null,fd:{out_fd}",
                    f"con2=null,fd:{err_fd}", "con=null", "oops=panic", "panic=-1", "loglevel=7"]

        return process.run(command, self.console, self.options.timeout,
                           env={**os.environ, "TMPDIR": self.memory_dir()})

    def memory_dir(self) -> str:
        """Where UML may keep the guest's memory: it is a file there, mapped executable."""
        for directory in (os.environ.get("TMPDIR", "/dev/shm"), "/dev/shm", "/tmp",
                          str(self.run_dir)):
            try:
                with tempfile.TemporaryFile(dir=directory) as file:
                    file.truncate(mmap.PAGESIZE)
                    mmap.mmap(file.fileno(), mmap.PAGESIZE,
                              prot=mmap.PROT_READ | mmap.PROT_EXEC).close()
                return directory
            except OSError:
                continue
        raise Failure("UML needs a directory it may map executable files of: "
                      f"{self.run_dir} is noexec, set TMPDIR")
