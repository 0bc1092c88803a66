# SPDX-License-Identifier: GPL-2.0
"""Where things are."""

import os
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
# Everything that is built for or left by this checkout
BUILD = TOP / "build"
# Files that outlive it: kernels, tools, logs
CACHE = Path(os.environ.get("ZERO_PAGE_CACHE") or "~/.cache/zero_page").expanduser().absolute()
LOGS = CACHE / "log"
# The path of commands, in guests as on the host
COMMANDS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
