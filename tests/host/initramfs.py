# SPDX-License-Identifier: GPL-2.0
"""Guests that have everything they need in memory, for tests in which a file system served by the
host would not survive. Their inits are in tests/host/inits.
"""

import shutil
import subprocess

from vmtest import kvm, qemu
from vmtest.console import complaints_in
from vmtest.paths import BUILD, TOP
from vmtest.results import figure

INITS = TOP / "tests/host/inits"
SECONDS = 120


class Guest:
    """A guest with the init of that name; `files` are the other files in its root."""

    def __init__(self, kernel, name, directory, files=()):
        self.image, self.seconds = kernel.image(), SECONDS * kernel.timeout_scale
        self.arguments = " ".join(kernel.command_line())
        self.initramfs = directory / "initramfs"
        root = directory / "root"
        (root / "bin").mkdir(parents=True)
        for file in (kernel.modules() / "zero_page.ko", BUILD / "fill", INITS / "common.sh",
                     *files):
            shutil.copy(file, root)
        shutil.copy(INITS / name, root / "init")
        shutil.copy(shutil.which("busybox"), root / "bin")
        with open(self.initramfs, "wb") as file:
            names = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
            subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=root, input=names.encode(),
                           stdout=file, check=True)

    def boot(self, disk, arguments, log):
        """Boots with `arguments` on the kernel's command line until the guest powers off.

        Returns the figures that it reported, as pairs, and warnings of its kernel.
        """
        command = [qemu.binary(), "-m", "1G", "-smp", "2", "-nodefaults", "-display", "none",
                   "-serial", "stdio", "-no-reboot", *qemu.accelerator(kvm.works(self.image)),
                   "-kernel", str(self.image), "-initrd", str(self.initramfs),
                   "-drive", f"file={disk},if=virtio,format=raw,cache=unsafe",
                   "-append", f"console=ttyS0 {self.arguments} {arguments}"]
        ended, lines = self.run(command, log)
        if qemu.crashed_at_boot(ended, lines):
            log.write(f"{qemu.CRASHED_AT_BOOT}\n")
            ended, lines = self.run(command, log)
        trouble = [f"ended after {self.seconds} seconds"] if ended is None else []
        trouble += complaints_in(lines)
        if trouble:
            trouble += lines[-15:]
        return list(filter(None, map(figure, lines))), trouble

    def run(self, command, log):
        """Runs a command; returns its status, None after the timeout, and what it printed."""
        try:
            ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, timeout=self.seconds, check=False)
            status, printed = ended.returncode, ended.stdout
        except subprocess.TimeoutExpired as expired:
            status, printed = None, expired.stdout or b""
        text = printed.decode(errors="replace")
        log.write(text)
        return status, text.splitlines()
