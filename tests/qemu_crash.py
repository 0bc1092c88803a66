# SPDX-License-Identifier: GPL-2.0
"""scripts/vm starts a guest once more if QEMU crashed at its boot, and at no other time."""

import os
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

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


class Ended(NamedTuple):
    """A run of scripts/vm: its status, how often QEMU was started, and what was said."""

    status: int
    starts: int
    lines: list


def run(kernel, log, command, at_boot=False):
    """Runs a command in a guest, in the folder where it may touch `crash`, or crashes it at boot."""
    with tempfile.TemporaryDirectory(dir=TOP / "build") as name:
        folder = Path(name)
        qemu = folder / "qemu"
        qemu.write_text(QEMU.format(qemu=vm.qemu_binary(), folder=folder))
        qemu.chmod(0o755)
        if at_boot:
            (folder / "crash").touch()
        ended = subprocess.run(
            [TOP / "scripts/vm", "--kernel", kernel.name, "--no-module", "--mem", "512M",
             "--timeout", "60", "--", "sh", "-c", command],
            cwd=folder, env={**os.environ, "QEMU": str(qemu)}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        log.write(ended.stdout)
        starts = (folder / "starts").read_text().count("start")
        return Ended(ended.returncode, starts, ended.stdout.splitlines())


def results(kernel, log):
    """Returns what is to be shown of QEMU with a guest of this kernel."""
    log.parent.mkdir(parents=True, exist_ok=True)
    # The answer is kept: it must not come of a QEMU that crashes.
    vm.kvm_works(vm.kernel_image(kernel.name))
    with open(log, "w", encoding="utf-8") as file:
        at_boot = run(kernel, file, "echo ran", at_boot=True)
        later = run(kernel, file, "touch crash; sleep 60")
    again = f"vm: {vm.CRASHED_AT_BOOT}"
    checks = {
        "a_crash_at_boot_is_tried_again": (
            at_boot, at_boot.status == 0 and at_boot.starts == 2 and again in at_boot.lines
            and at_boot.lines[-1] == "ran"),
        "a_crash_later_is_told": (
            later, later.status == vm.EXIT_GUEST and later.starts == 1 and again not in later.lines
            and any("process died (Aborted);" in line for line in later.lines)),
    }
    return [Result(SUITE, name, "passed" if good else "failed",
                   [f"status {ended.status}, {ended.starts} starts", *ended.lines])
            for name, (ended, good) in checks.items()]
