# SPDX-License-Identifier: GPL-2.0
"""What is known about free pages does not survive suspending to disk, and their content neither.

Free pages are not in the image. The kernel that reads it runs in the same memory, and leaves
something else in them: here, poison. The guest is tests/initramfs/hibernation.
"""

import os
import tempfile
from pathlib import Path

from initramfs import Guest
from ktap import Result

SUITE = "hibernation"
DISK = 512 << 20
PAGES_PER_MIB = 256


def suspend_and_resume(kernel, words, log):
    """Returns by name what the guest told before and after, and complaints of its kernels."""
    told, complaints = {}, []
    with tempfile.TemporaryDirectory() as name:
        guest, disk = Guest(kernel, "hibernation", Path(name)), Path(name) / "disk"
        with open(disk, "wb") as file:
            os.truncate(file.fileno(), DISK)
        for more in ("", "resume=/dev/vda resumes page_poison=1"):
            pairs, more_complaints = guest.boot(disk, f"{words} {more}", log)
            for key, value in pairs:
                told[key if key not in told else f"{key}_again"] = value
            complaints += more_complaints
    return told, complaints


def cycle(kernel, words, log):
    """Returns the results of suspending and resuming once."""
    told, complaints = suspend_and_resume(kernel, words, log)
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
    if not words:
        # But for pages in the lists of the processor, which are in the image.
        few = told.get("zeroed_after", PAGES_PER_MIB) < PAGES_PER_MIB
        checks["free_pages_are_not_said_to_be_zero_after"] = few
    return [Result(SUITE, f"{words or 'with_zeroing_stopped'}: {check}",
                   "passed" if good else "failed", details) for check, good in checks.items()]


def results(kernel, log):
    """Returns what is to be shown of guests with this kernel."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "w", encoding="utf-8") as file:
        return [result for words in ("", "while_zeroing") for result in cycle(kernel, words, file)]
