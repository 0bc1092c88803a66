# SPDX-License-Identifier: GPL-2.0
"""A kernel that is started by kexec knows nothing about pages, and finds them as they were left.

The guest is tests/initramfs/kexec.
"""

import tempfile
from pathlib import Path

from initramfs import Guest, vm
from ktap import Result

SUITE = "kexec"


def results(kernel, log):
    """Returns what is to be shown of a guest with this kernel."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, open(log, "w", encoding="utf-8") as file:
        files = ("build/kexec", vm.kernel_image(kernel.name))
        guest = Guest(kernel, "kexec", Path(name), files)
        pairs, complaints = guest.boot(guest.initramfs, "", file)
    zeroed = [value for key, value in pairs if key == "percent_zeroed"]
    nonzero = [value for key, value in pairs if key.startswith("nonzero_")]
    checks = {
        "starts_again": len(zeroed) == 2 and all(key != "refused" for key, _ in pairs),
        "both_zero_free_memory": all(value >= 90 for value in zeroed),
        "all_memory_is_zero": len(nonzero) == 4 and not any(nonzero),
        "kernels_do_not_complain": not complaints,
    }
    details = [f"{key}: {value}" for key, value in pairs] + complaints
    return [Result(SUITE, check, "passed" if good else "failed", details)
            for check, good in checks.items()]
