# SPDX-License-Identifier: GPL-2.0
"""What guest tests, and other programs that run in guests, share."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "scripts"))
