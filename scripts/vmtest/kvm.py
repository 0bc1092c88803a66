# SPDX-License-Identifier: GPL-2.0
"""Whether KVM is of use on this host."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from .options import QemuOptions
from .paths import CACHE
from .virtme import VirtmeGuest

# A guest that KVM can run says so within seconds; one that it cannot hangs.
PROBE_SECONDS = 20


def works(image: Path) -> bool:
    """Whether KVM boots this kernel on this host: tried once per boot of the host."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    stat = image.stat()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    key = hashlib.sha256(f"{image} {stat.st_size} {stat.st_mtime_ns} {boot}".encode()).hexdigest()
    verdict = CACHE / "kvm" / key[:16]
    if not verdict.exists():
        probe = VirtmeGuest(QemuOptions(command=["true"], kernel=str(image), mem="512M",
                                        module=False, timeout=PROBE_SECONDS), kvm=True)
        probe.boot()
        verdict.parent.mkdir(parents=True, exist_ok=True)
        verdict.write_text("yes" if probe.status() == "0" else "no", encoding="ascii")
    return verdict.read_text(encoding="ascii") == "yes"
