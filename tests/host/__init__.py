# SPDX-License-Identifier: GPL-2.0
"""Tests that look at guests from outside, or that more than one guest takes part in."""
