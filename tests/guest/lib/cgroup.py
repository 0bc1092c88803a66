# SPDX-License-Identifier: GPL-2.0
"""A cgroup with a memory controller."""

import subprocess
from pathlib import Path

from .ksft import Skip


def root():
    """Returns where cgroup v2 is mounted; mounts it if necessary."""
    mount = Path("/sys/fs/cgroup")
    if not (mount / "cgroup.controllers").exists():
        mount = Path("/run/cgroup")
        mount.mkdir(exist_ok=True)
        if not (mount / "cgroup.controllers").exists():
            subprocess.run(["mount", "-t", "cgroup2", "none", mount], check=False)
    if "memory" not in (mount / "cgroup.controllers").read_text().split():
        raise Skip("no memory controller in cgroup v2")
    return mount


class Cgroup:
    """One that exists in a `with` block."""

    def __init__(self, name="zero_page"):
        self.name = name

    def __enter__(self):
        mount = root()
        (mount / "cgroup.subtree_control").write_text("+memory")
        self.path = mount / self.name
        self.path.mkdir(exist_ok=True)
        return self

    def __exit__(self, *_):
        self.path.rmdir()

    def enter(self):
        """Moves this process into the cgroup."""
        (self.path / "cgroup.procs").write_text("0")

    def leave(self):
        """Moves this process into the root cgroup."""
        (self.path.parent / "cgroup.procs").write_text("0")

    def stat(self, name):
        """Returns a counter of its memory.stat."""
        lines = (self.path / "memory.stat").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.split()[0] == name)
