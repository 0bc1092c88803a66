# SPDX-License-Identifier: GPL-2.0
"""scripts/vm starts a guest once more if QEMU crashed at its boot, and at no other time."""

import os
import subprocess
import tempfile
from pathlib import Path

from initramfs import TOP, vm
from ktap import Result

SUITE = "qemu_crash"
# QEMU, which dies of a signal as soon as there is a file `crash`. If there is one already it does
# not let the guest run (-S), as one that KVM runs might be up before that.
QEMU = """\
#!/bin/sh
case "$*" in *-kernel*) ;; *) exec {qemu} "$@" ;; esac
ulimit -c 0
echo start >>{folder}/starts
[ ! -e {folder}/crash ] || set -- "$@" -S
( sleep 0.5
while [ ! -e {folder}/crash ] && kill -0 $$; do sleep 0.1; done
rm {folder}/crash && kill -ABRT $$ ) 2>/dev/null &
exec {qemu} "$@"
"""


def run(kernel, folder, command, log):
    """Runs a command in a guest; returns its status, how often QEMU was started, and what it said."""
    qemu = folder / "qemu"
    qemu.write_text(QEMU.format(qemu=vm.qemu_binary(), folder=folder))
    qemu.chmod(0o755)
    ended = subprocess.run(
        ["scripts/vm", "--kernel", kernel.name, "--no-module", "--mem", "512M", "--share", folder,
         "--timeout", "60", "--", "sh", "-c", command],
        cwd=TOP, env={**os.environ, "QEMU": str(qemu)}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    log.write(ended.stdout)
    starts = (folder / "starts").read_text().count("start")
    return ended.returncode, starts, ended.stdout.splitlines()


def results(kernel, log):
    """Returns what is to be shown of QEMU with a guest of this kernel."""
    log.parent.mkdir(parents=True, exist_ok=True)
    # What is found out once must not be found out of a QEMU that crashes.
    vm.kvm_works(vm.kernel_image(kernel.name))
    found = []
    with open(log, "w", encoding="utf-8") as file:
        for name, at_once, command, expected in (
                ("a_crash_at_boot_is_tried_again", True, "echo ran", (0, 2, True)),
                ("a_crash_later_is_told", False, "touch {folder}/crash; sleep 60",
                 (vm.EXIT_GUEST, 1, False))):
            with tempfile.TemporaryDirectory(dir=TOP / "build") as folder:
                folder = Path(folder)
                if at_once:
                    (folder / "crash").touch()
                status, starts, lines = run(kernel, folder, command.format(folder=folder), file)
            told = f"vm: {vm.CRASHED_AT_BOOT}" in lines
            good = (status, starts, told) == expected and (
                any("process died (Aborted);" in line for line in lines) if status
                else lines[-1] == "ran")
            found.append(Result(SUITE, name, "passed" if good else "failed",
                                [f"status {status}, {starts} starts", *lines]))
    return found
