# SPDX-License-Identifier: GPL-2.0
"""Guests that have all they need in memory, for tests that the file system of others, which the
host serves, does not survive. Their inits are in tests/initramfs.
"""

import re
import shutil
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
SECONDS = 120


def _vm():
    """Returns scripts/vm, which knows what QEMU needs on this machine, as a module."""
    loader = SourceFileLoader("vm", str(TOP / "scripts/vm"))
    module = module_from_spec(spec_from_loader("vm", loader))
    sys.modules["vm"] = module
    loader.exec_module(module)
    return module


vm = _vm()


class Guest:
    """A guest with a kernel, as tests/run has them, and the init of that name.

    `files` are what it has in its root besides.
    """

    def __init__(self, kernel, name, directory, files=()):
        self.kernel, self.seconds = vm.kernel_image(kernel.name), SECONDS * kernel.slower
        self.words = " ".join(vm.kernel_args(kernel.name))
        self.initramfs = directory / "initramfs"
        root = directory / "root"
        (root / "bin").mkdir(parents=True)
        for file in ("zero_page.ko", "build/fill", "tests/initramfs/common.sh", *files):
            shutil.copy(TOP / file, root)
        shutil.copy(TOP / "tests/initramfs" / name, root / "init")
        shutil.copy(shutil.which("busybox"), root / "bin")
        with open(self.initramfs, "wb") as file:
            names = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
            subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=root, input=names.encode(),
                           stdout=file, check=True)

    def boot(self, disk, words, log):
        """Boots with `words` on the kernel's command line until the guest powers off.

        Returns pairs of words and numbers that it told, and complaints of its kernel.
        """
        command = [vm.qemu_binary(), "-m", "1G", "-smp", "2", "-nodefaults", "-display", "none",
                   "-serial", "stdio", "-no-reboot", *vm.accelerator(vm.kvm_works(self.kernel)),
                   "-kernel", str(self.kernel), "-initrd", str(self.initramfs),
                   "-drive", f"file={disk},if=virtio,format=raw,cache=unsafe",
                   "-append", f"console=ttyS0 {self.words} {words}"]
        ended, text = self.run(command)
        log.write(text)
        if vm.crashed_at_boot(ended, text.splitlines()):
            log.write(f"{vm.CRASHED_AT_BOOT}\n")
            ended, text = self.run(command)
            log.write(text)
        lines = text.splitlines()
        trouble = [f"ended after {self.seconds} seconds"] if ended is None else []
        trouble += vm.complaints_in(lines)
        if trouble:
            trouble += lines[-15:]
        return [(name, int(value)) for name, value in
                re.findall(r"guest: (\w+) (\d+)", text)], trouble

    def run(self, command):
        """Runs a command; returns its status, None after the timeout, and what it printed."""
        try:
            ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, timeout=self.seconds, check=False)
            status, printed = ended.returncode, ended.stdout
        except subprocess.TimeoutExpired as expired:
            status, printed = None, expired.stdout or b""
        return status, printed.decode(errors="replace")
