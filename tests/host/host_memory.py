# SPDX-License-Identifier: GPL-2.0
"""How much memory the host provides for a guest that zeroes free memory and reports it.

The figure is the resident size of QEMU, the guest is host_memory_guest.py.
"""

import re
import subprocess
import tempfile
from pathlib import Path

from plan import BALLOON
from vmtest import invoke
from vmtest.paths import TOP
from vmtest.results import figure, result

SUITE = "host_memory"
# In addition to the small blocks: memory the guest allocates meanwhile, and QEMU itself
SLACK_MIB = 16
# Memory that the guest uses and frees
USED_MIB = 600


def resident_mib(pid):
    """Returns the resident size of a process, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s*(\d+)", status)[1]) / 1024


def measure(kernel, log):
    """Boots the guest; returns its exit status, and by phase resident size and bound, in MiB."""
    phases, bound = {}, 0
    with tempfile.TemporaryDirectory() as directory, open(log, "w", encoding="utf-8") as file:
        pid = Path(directory) / "pid"
        guest = subprocess.Popen(
            invoke.vm(kernel, "tests/host/host_memory_guest.py", timeout=180,
                      options=(*BALLOON, "--qemu", f"-pidfile {pid}")),
            cwd=TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=file, text=True)
        for line in guest.stdout:
            file.write(line)
            key, value = figure(line) or ("", "")
            if key == "kib_in_small_blocks":
                bound = value / 1024
            elif key == "phase":
                phases[value] = resident_mib(int(pid.read_text())), bound
                file.write(f"host: {phases[value][0]:.0f} MiB resident\n")
    return guest.wait(), phases


def results(kernel, _parser, log):
    """Returns the results for a guest with this kernel."""
    status, phases = measure(kernel, log)
    names = ("used", "reporting", "both", "zeroing")
    details = [f"{name}: {size:.0f} MiB resident, {bound:.0f} MiB free in small blocks"
               for name, (size, bound) in phases.items()]
    if status or tuple(phases) != names:
        return [result(SUITE, "guest_ends", False, [f"status {status}", *details])]

    (used, _), (reporting, _), (both, bound), (zeroing, _) = (phases[name] for name in names)
    checks = {
        "reporting_gives_memory_back": reporting <= used - USED_MIB * 0.8,
        "zeroing_beside_it_takes_small_blocks_at_most": both <= reporting + bound + SLACK_MIB,
        # Otherwise the test above could not fail.
        "zeroing_without_it_takes_all": zeroing >= both + USED_MIB * 0.8,
    }
    return [result(SUITE, name, good, details) for name, good in checks.items()]
