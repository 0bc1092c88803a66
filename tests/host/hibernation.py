# SPDX-License-Identifier: GPL-2.0
"""Neither the state of free pages nor their content survives suspending to disk.

Free pages are not in the image. The kernel that reads it runs in the same memory, and leaves
other content in them: here, poison. The guest is tests/host/inits/hibernation.
"""

import os
import tempfile
from pathlib import Path

from vmtest.results import result

from .initramfs import Guest

SUITE = "hibernation"
DISK = 512 << 20
PAGES_PER_MIB = 256


def suspend_and_resume(kernel, argument, log):
    """Returns by name the figures of the guest before and after, and warnings of its kernels."""
    told, complaints = {}, []
    with tempfile.TemporaryDirectory() as name:
        guest, disk = Guest(kernel, "hibernation", Path(name)), Path(name) / "disk"
        with open(disk, "wb") as file:
            os.truncate(file.fileno(), DISK)
        for more in ("", "resume=/dev/vda resumes page_poison=1"):
            pairs, more_complaints = guest.boot(disk, f"{argument} {more}", log)
            for key, value in pairs:
                told[key if key not in told else f"{key}_again"] = value
            complaints += more_complaints
    return told, complaints


def cycle(kernel, argument, log):
    """Returns the results of suspending and resuming once."""
    told, complaints = suspend_and_resume(kernel, argument, log)
    details = [f"{name}: {value}" for name, value in told.items()] + complaints
    fills = [name for name in told if name.startswith("nonzero_")]
    checks = {
        "suspends_and_resumes": ("zeroed_after" in told
                                 and not {"refused", "not_resumed"} & set(told)),
        "had_zeroed_all": told.get("percent_zeroed_before", 0) >= 90,
        "all_memory_is_zero_after": len(fills) == 3 and not any(told[fill] for fill in fills),
        "zeroing_goes_on": told.get("percent_zeroed_again", 0) >= 90,
        "kernels_do_not_complain": not complaints,
    }
    if not argument:
        # Except for pages in the per-CPU lists, which are in the image.
        few = told.get("zeroed_after", PAGES_PER_MIB) < PAGES_PER_MIB
        checks["free_pages_are_not_said_to_be_zero_after"] = few
    return [result(SUITE, f"{argument or 'with_zeroing_stopped'}: {check}", good, details)
            for check, good in checks.items()]


def results(kernel, _parser, log):
    """Returns the results for guests with this kernel."""
    with open(log, "w", encoding="utf-8") as file:
        return [*cycle(kernel, "", file), *cycle(kernel, "while_zeroing", file)]
