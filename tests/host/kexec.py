# SPDX-License-Identifier: GPL-2.0
"""A kernel started by kexec knows nothing about pages, and finds them as they were left.

The guest is tests/host/inits/kexec.
"""

import tempfile
from pathlib import Path

from vmtest.paths import BUILD
from vmtest.results import result

from .initramfs import Guest

SUITE = "kexec"


def results(kernel, _parser, log):
    """Returns the results for a guest with this kernel."""
    with tempfile.TemporaryDirectory() as name, open(log, "w", encoding="utf-8") as file:
        guest = Guest(kernel, "kexec", Path(name), (BUILD / "kexec", kernel.image()))
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
    return [result(SUITE, check, good, details) for check, good in checks.items()]
