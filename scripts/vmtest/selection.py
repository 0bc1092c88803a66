# SPDX-License-Identifier: GPL-2.0
"""What the words of a command line select."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from .failure import Failure

Item = TypeVar("Item")


def select(items: Sequence[Item], words: Sequence[str],
           names: Callable[[Item], Sequence[str]]) -> list[Item]:
    """The items that have a word in one of their names, in any case; without words all of them.

    A word that selects nothing is a mistake.  The first name of an item is its title.
    """
    chosen: set[int] = set()
    for word in words:
        found = {number for number, item in enumerate(items)
                 if any(word.lower() in name.lower() for name in names(item))}
        if not found:
            titles = "".join(f"\n  {names(item)[0]}" for item in items)
            raise Failure(f"nothing is named {word!r}; there are{titles}")
        chosen |= found
    return [item for number, item in enumerate(items) if not words or number in chosen]
