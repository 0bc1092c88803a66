# SPDX-License-Identifier: GPL-2.0
"""Tests that look at guests from outside, or that involve more than one guest."""
