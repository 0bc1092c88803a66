# SPDX-License-Identifier: GPL-2.0
"""Takes functions from C files by name, as they are written."""

import re
from pathlib import Path

from vmtest.failure import Failure


def function(path, name):
    """Returns the first definition of a function in a file, from its return type to its last line.

    Relies on the kernel's style: a definition begins in the first column, and so does the brace that
    ends it.
    """
    pattern = rf"^[a-z_][^;{{}}()#/]*\b{name}\([^;{{}}]*\)\s*(?:__must_hold\([^)]*\)\s*)?\n{{\n.*?^}}\n"
    found = re.search(pattern, Path(path).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    if not found:
        raise Failure(f"{path} has no function {name}()")
    return found[0]


def functions(tree, names):
    """Returns the functions of each file as one text; names: by file, in the order they are needed."""
    return "\n".join(function(Path(tree) / path, name) for path, name in names)
