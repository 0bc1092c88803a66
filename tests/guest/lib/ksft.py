# SPDX-License-Identifier: GPL-2.0
"""Reports results in the format that vmtest/results.py describes.

A test file decorates functions with @test and ends with main().
"""

import sys
import traceback

_tests = []


class Skip(Exception):
    """Raised by a test that cannot run here; the text says why."""


def test(function):
    """Makes `function` a test; its first docstring line says what holds if it passes."""
    add(function.__name__, function)
    return function


def add(name, function):
    """Adds a test of that name."""
    _tests.append((name, function))


def check(condition, message):
    """Fails the running test with `message` unless `condition` holds."""
    if not condition:
        raise AssertionError(message)


def note(message):
    """Prints a note for people."""
    for line in str(message).splitlines():
        print("#", line, flush=True)


def figure(key, value):
    """Reports a figure to programs."""
    print("#", key, value, flush=True)


def main():
    """Runs all tests in the order they are written; exits with status 1 if one failed."""
    failed = 0
    print("KTAP version 1", flush=True)
    print(f"1..{len(_tests)}", flush=True)
    for number, (name, function) in enumerate(_tests, 1):
        result, directive = "ok", ""
        try:
            function()
        except Skip as reason:
            directive = f" # SKIP {reason}"
        except AssertionError as error:
            result = "not ok"
            note(error)
        except Exception:  # pylint: disable=broad-except
            result = "not ok"
            note(traceback.format_exc())
        failed += result != "ok"
        print(f"{result} {number} {name}{directive}", flush=True)
    sys.exit(1 if failed else 0)
