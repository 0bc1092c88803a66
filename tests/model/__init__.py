# SPDX-License-Identifier: GPL-2.0
"""Tests that run functions of the kernel in a process."""
