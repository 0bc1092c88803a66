# SPDX-License-Identifier: GPL-2.0
"""scripts/vm starts a guest once more if QEMU crashed at its boot, and at no other time."""

import os
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from vmtest import invoke, kvm, qemu
from vmtest.failure import EXIT_GUEST
from vmtest.paths import BUILD
from vmtest.results import result

SUITE = "qemu_crash"
# QEMU, which dies of a signal as soon as there is a file `crash`. If there is one already it does
# not let the guest run (-S), as one that KVM runs might be up before that.
QEMU = """\
#!/bin/sh
case "$*" in *-kernel*) ;; *) exec {qemu} "$@" ;; esac
ulimit -c 0
echo start >>{directory}/starts
[ ! -e {directory}/crash ] || set -- "$@" -S
( sleep 0.5
while [ ! -e {directory}/crash ] && kill -0 $$; do sleep 0.1; done
rm {directory}/crash && kill -ABRT $$ ) 2>/dev/null &
exec {qemu} "$@"
"""


class Ended(NamedTuple):
    """A run of scripts/vm: its status, how often QEMU was started, and what was said."""

    status: int
    starts: int
    lines: list


def run(kernel, log, command, at_boot=False):
    """Runs a command in a guest, where it may touch `crash`, or crashes QEMU at its boot."""
    with tempfile.TemporaryDirectory(dir=BUILD) as name:
        directory = Path(name)
        fake = directory / "qemu"
        fake.write_text(QEMU.format(qemu=qemu.binary(), directory=directory))
        fake.chmod(0o755)
        if at_boot:
            (directory / "crash").touch()
        ended = subprocess.run(
            invoke.vm(kernel, "sh", "-c", command, mem="512M", timeout=60),
            cwd=directory, env={**os.environ, "QEMU": str(fake)}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        log.write(ended.stdout)
        starts = (directory / "starts").read_text().count("start")
        return Ended(ended.returncode, starts, ended.stdout.splitlines())


def results(kernel, _parser, log):
    """Returns the results for QEMU with a guest of this kernel."""
    # The answer is cached: it must not come from a QEMU that crashes.
    kvm.works(kernel.image())
    with open(log, "w", encoding="utf-8") as file:
        at_boot = run(kernel, file, "echo ran", at_boot=True)
        later = run(kernel, file, "touch crash; sleep 60")
    again = f"vm: {qemu.CRASHED_AT_BOOT}"
    checks = {
        "a_crash_at_boot_is_tried_again": (
            at_boot, at_boot.status == 0 and at_boot.starts == 2 and again in at_boot.lines
            and at_boot.lines[-1] == "ran"),
        "a_crash_later_is_told": (
            later, later.status == EXIT_GUEST and later.starts == 1 and again not in later.lines
            and any("process died (Aborted);" in line for line in later.lines)),
    }
    return [result(SUITE, name, good,
                   [f"status {ended.status}, {ended.starts} starts", *ended.lines])
            for name, (ended, good) in checks.items()]
