# SPDX-License-Identifier: GPL-2.0
"""Builds kernels, modules and programs, with the scripts for that."""

import os
import subprocess

from .failure import Failure
from .kernel import BUILD_KERNEL
from .paths import TOP


def build_kernel(name: str) -> None:
    """Builds a kernel of ours, unless that is done."""
    _must(str(BUILD_KERNEL), name)


def build_tests(kernel: str) -> None:
    """Builds all that guests with this kernel need: modules, programs, files."""
    _must("make", "-s", f"modules-{kernel}", "programs")


def _must(*command: str) -> None:
    """Runs a command, which says itself why it fails."""
    # The settings of an outer make must not affect an inner one.
    env = {name: value for name, value in os.environ.items()
           if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    if subprocess.run(command, cwd=TOP, env=env, stdin=subprocess.DEVNULL, check=False).returncode:
        raise Failure(f"{' '.join(command)} failed")
