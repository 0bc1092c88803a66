# SPDX-License-Identifier: GPL-2.0
"""The common format of results, between guest and host and from program to program.

Test results are reported in KTAP, see Documentation/dev-tools/ktap.rst of the kernel.  Figures
are reported in diagnostic lines of KTAP, one each:

	# KEY VALUE

KEY consists of letters, digits, `_`, `-` and `.`, and begins with a small letter or a digit;
VALUE is one word, usually a number.  A key that occurs again has another sample, or a newer
value, whichever its reader expects.  Other lines are for people.  Guest programs in Python write
these lines with tests/guest/lib/ksft.py, those in C and shell by themselves.  Figures are read
with this file, KTAP with ktap.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

Value = int | float | str

_FIGURE = re.compile(r"# ([a-z0-9][\w.-]*) (\S+)$")


@dataclass
class Result:
    """What became of one test."""

    suite: str  # empty for a test that is in no suite
    name: str
    status: str  # "passed", "failed" or "skipped"
    details: list[str] = field(default_factory=list)


def result(suite: str, name: str, good: bool, details: list[str]) -> Result:
    """The result of something that holds or does not."""
    return Result(suite, name, "passed" if good else "failed", details)


def figure(line: str) -> tuple[str, Value] | None:
    """Key and value, if the line has them."""
    found = _FIGURE.match(line.rstrip())
    return (found[1], _value(found[2])) if found else None


def samples(lines: Iterable[str]) -> dict[str, list[Value]]:
    """All values of each key."""
    found: dict[str, list[Value]] = {}
    for key, value in filter(None, map(figure, lines)):
        found.setdefault(key, []).append(value)
    return found


def figures(lines: Iterable[str]) -> dict[str, Value]:
    """The last value of each key."""
    return dict(filter(None, map(figure, lines)))


def _value(word: str) -> Value:
    """A number if the word is one."""
    for number in (int, float):
        try:
            return number(word)
        except ValueError:
            pass
    return word
