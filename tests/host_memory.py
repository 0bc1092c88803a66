# SPDX-License-Identifier: GPL-2.0
"""How much memory the host provides for a guest that zeroes free memory and reports it.

The figure is the resident size of QEMU, the guest is tests/selftests/host_memory.py.
"""

import re
import subprocess
import tempfile
from pathlib import Path

from ktap import Result

TOP = Path(__file__).resolve().parents[1]
SUITE = "host_memory"
# Besides what is in small blocks: what the guest allocates meanwhile, and QEMU itself
SLACK_MIB = 16
# That the guest uses and frees
USED_MIB = 600


def resident_mib(pid):
    """Returns the resident size of a process, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s*(\d+)", status)[1]) / 1024


def measure(options, log):
    """Boots the guest; returns its exit status, and by phase resident size and bound, in MiB."""
    phases = {}
    with tempfile.TemporaryDirectory() as directory, open(log, "w", encoding="utf-8") as file:
        pid = Path(directory) / "pid"
        guest = subprocess.Popen(
            ["scripts/vm", "--kernel", "patched", "--no-module", "--mem", "1G", "--timeout", "180",
             *options, "--qemu", f"-pidfile {pid}", "--", "tests/selftests/host_memory.py"],
            cwd=TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=file, text=True)
        for line in guest.stdout:
            file.write(line)
            if line.startswith("phase "):
                _, name, bound = line.split()
                phases[name] = resident_mib(int(pid.read_text())), int(bound) / 1024
                file.write(f"host: {phases[name][0]:.0f} MiB resident\n")
    return guest.wait(), phases


def results(options, log):
    """Returns what is to be shown of a boot with these options of scripts/vm."""
    log.parent.mkdir(parents=True, exist_ok=True)
    status, phases = measure(options, log)
    names = ("used", "reporting", "both", "zeroing")
    details = [f"{name}: {size:.0f} MiB resident, {bound:.0f} MiB free in small blocks"
               for name, (size, bound) in phases.items()]
    if status or tuple(phases) != names:
        return [Result(SUITE, "guest_ends", "failed", [f"status {status}", *details])]

    (used, _), (reporting, _), (both, bound), (zeroing, _) = (phases[name] for name in names)
    checks = {
        "reporting_gives_memory_back": reporting <= used - USED_MIB * 0.8,
        "zeroing_beside_it_takes_small_blocks_at_most": both <= reporting + bound + SLACK_MIB,
        # Or else the test above could not fail.
        "zeroing_without_it_takes_all": zeroing >= both + USED_MIB * 0.8,
    }
    return [Result(SUITE, name, "passed" if good else "failed", details)
            for name, good in checks.items()]
