# SPDX-License-Identifier: GPL-2.0
"""Reads test results in KTAP with the kernel's own parser, tools/testing/kunit.

The kernel's parser stops after the first KTAP document, but a log has one for each module that
was loaded. So the log is split first and every part parsed.
"""

import io
import re
import sys
from dataclasses import dataclass
from pathlib import Path

_TIMESTAMP = re.compile(r"^(<\d+>)?\[ *\d+\.\d+\](\[[^]]*\])? ?")
_HEADER = re.compile(r"^KTAP version \d+$")


@dataclass
class Result:
    """What became of one test."""

    suite: str  # empty for a test that is in no suite
    name: str
    status: str  # "passed", "failed" or "skipped"
    details: list  # lines


def documents(lines):
    """Splits lines into KTAP documents, at each header that is not indented."""
    found = []
    for line in lines:
        line = _TIMESTAMP.sub("", line.rstrip("\r\n"))
        if _HEADER.match(line):
            found.append([])
        if found:
            found[-1].append(line)
    return found


class Parser:
    """The parser of the kernel tree `tree`."""

    def __init__(self, tree):
        sys.path.insert(0, str(Path(tree) / "tools/testing/kunit"))
        import kunit_parser  # pylint: disable=import-error,import-outside-toplevel
        import kunit_printer  # pylint: disable=import-error,import-outside-toplevel
        self._parser, self._printer = kunit_parser, kunit_printer
        status = kunit_parser.TestStatus
        self._words = {status.SUCCESS: "passed", status.SKIPPED: "skipped"}

    def parse(self, lines):
        """Returns the results in a document; one that is malformed has a failed one for that."""
        report = io.StringIO()
        top = self._parser.parse_run_tests(lines, self._printer.Printer(output=report))
        results = []
        for test in top.subtests:
            results += self._flatten("", test)
        if top.counts.errors:
            text = [line for line in report.getvalue().splitlines() if "ERROR" in line]
            results.append(Result("", "well-formed KTAP", "failed", text))
        return results

    def _flatten(self, suite, test):
        """Returns the results of the tests that `test` consists of."""
        if not test.subtests:
            status = self._words.get(test.status, "failed")
            details = [test.skip_reason] if status == "skipped" else test.log
            return [Result(suite, test.name or "(has no result)", status, details)]
        results = []
        for part in test.subtests:
            results += self._flatten(test.name, part)
        return results
