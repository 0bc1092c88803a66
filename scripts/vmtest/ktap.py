# SPDX-License-Identifier: GPL-2.0
"""Reads KTAP with the kernel's own parser, tools/testing/kunit.

The kernel's parser stops after the first KTAP document, but a log has one for each module that
was loaded. So the log is split first and every part parsed.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .results import Result

_TIMESTAMP = re.compile(r"^(<\d+>)?\[ *\d+\.\d+\](\[[^]]*\])? ?")
_HEADER = re.compile(r"^KTAP version \d+$")


def documents(lines: Iterable[str]) -> list[list[str]]:
    """Splits lines into KTAP documents, at each header that is not indented."""
    found: list[list[str]] = []
    for line in lines:
        line = _TIMESTAMP.sub("", line.rstrip("\r\n"))
        if _HEADER.match(line):
            found.append([])
        if found:
            found[-1].append(line)
    return found


class Parser:
    """The parser that a kernel's sources have."""

    def __init__(self, source: Path) -> None:
        sys.path.insert(0, str(source / "tools/testing/kunit"))
        # pylint: disable=import-error,import-outside-toplevel
        import kunit_parser  # type: ignore[import-not-found]
        import kunit_printer  # type: ignore[import-not-found]
        self._parser, self._printer = kunit_parser, kunit_printer
        status = kunit_parser.TestStatus
        self._statuses = {status.SUCCESS: "passed", status.SKIPPED: "skipped"}

    def parse(self, lines: list[str]) -> list[Result]:
        """Returns the results in a document; one that is malformed has a failed one for that."""
        report = io.StringIO()
        top = self._parser.parse_run_tests(lines, self._printer.Printer(output=report))
        results: list[Result] = []
        for test in top.subtests:
            results += self._flatten("", test)
        if top.counts.errors:
            text = [line for line in report.getvalue().splitlines() if "ERROR" in line]
            results.append(Result("", "well-formed KTAP", "failed", text))
        return results

    def _flatten(self, suite: str, test: Any) -> list[Result]:
        """Returns the results of the tests that `test` consists of."""
        if not test.subtests:
            status = self._statuses.get(test.status, "failed")
            details = [test.skip_reason] if status == "skipped" else test.log
            return [Result(suite, test.name or "(has no result)", status, details)]
        results: list[Result] = []
        for part in test.subtests:
            results += self._flatten(test.name, part)
        return results
