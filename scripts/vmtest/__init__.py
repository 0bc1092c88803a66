# SPDX-License-Identifier: GPL-2.0
"""Guests for tests and people: kernels, QEMU and user-mode Linux, consoles, results.

Used by scripts/vm, scripts/uml and the programs in tests/. It imports none of them.
"""
