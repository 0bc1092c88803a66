# SPDX-License-Identifier: GPL-2.0
"""Code shared by guest tests and other programs that run in guests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "scripts"))
