# SPDX-License-Identifier: GPL-2.0
"""The steps of `make test`."""

import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from host import balloon_inflation, gdb, hibernation, host_memory, kernel_tree, kexec, qemu_crash
from model import extents
from plan import Guest, guests, planned_files
from vmtest import invoke
from vmtest.console import read_lines
from vmtest.failure import EXIT_GUEST, EXIT_TIMEOUT
from vmtest.ktap import documents
from vmtest.paths import TOP
from vmtest.results import Result, figure, result

TESTS = TOP / "tests"


@dataclass
class Step:
    """A step: a function of the kernel, the parser of KTAP and the file for its log."""

    title: str
    run: Callable  # returns the results
    guest: Guest | None = None  # whose test files it runs, if it does

    @property
    def files(self):
        """The paths of the test files."""
        return [f"tests/guest/{file}" for file in self.guest.files] if self.guest else []

    def narrowed(self, words):
        """The step with only those files that the words name, unless they name the step."""
        if not self.guest or any(word.lower() in self.title.lower() for word in words):
            return self
        files = tuple(file for file, path in zip(self.guest.files, self.files)
                      if any(word.lower() in path.lower() for word in words))
        return guest_step(replace(self.guest, files=files or self.guest.files))


def steps(kernel):
    """Returns the steps on a kernel."""
    in_guests = [Step("KUnit", kunit),
                 *map(guest_step, guests(kernel))]
    last = [Step("host: inflating a balloon", balloon_inflation.results),
            Step("host: suspending to disk", hibernation.results),
            Step("host: starting again by kexec", kexec.results),
            Step("torture, for a minute", short_torture)]
    if kernel.name != "patched":
        return [*in_guests, *last]
    return [Step("static checks", static_checks), Step("test plan", no_file_is_forgotten),
            Step("host: the kernel tree", kernel_tree.results),
            Step("model: extents of zeroed pages", extents.results), *in_guests,
            Step("host: memory provided for a guest", host_memory.results),
            Step("host: QEMU crashing", qemu_crash.results),
            Step("host: gdb", gdb.results), *last]


def static_checks(_kernel, parser, log):
    """Runs scripts/check.sh."""
    status = run_logged(["scripts/check.sh"], log)
    found = documents(read_lines(log))
    results = parser.parse(found[0]) if found else []
    if not results or (status and all(each.status != "failed" for each in results)):
        results.append(Result("", "check.sh", "failed", [f"ended with status {status}"]))
    return results


def no_file_is_forgotten(_kernel, _parser, _log):
    """Checks that each test file runs in some guest."""
    files = {path.name for path in (TESTS / "guest").glob("*.py")}
    return [result("", "every_test_file_runs", files == planned_files(),
                   sorted(files ^ planned_files()))]


def kunit(kernel, parser, log):
    """Loads zero_page_kunit.ko in the guest and reads the results in the kernel's log."""
    # insmod runs the suites; the kernel's log has their results, and those of the kernel itself.
    script = 'insmod "$ZERO_PAGE_MODULES/zero_page_kunit.ko"; status=$?; dmesg; exit $status'
    status = run_logged(invoke.vm(kernel, "sh", "-c", script, timeout=240), log)
    results = [each for document in documents(read_lines(log)) for each in parser.parse(document)]
    expected = expected_suites()
    counts = Counter(each.suite for each in results)
    ours = [each for each in results if each.suite in expected or each.status == "failed"]
    for suite, count in expected.items():
        if counts[suite] != count:
            ours.append(Result(suite, "has_all_its_tests", "failed",
                               [f"expected {count} tests, found {counts[suite]}"]))
    return [*ours, guest_health(status, log)]


def expected_suites():
    """Returns the number of tests by KUnit suite, as written in kunit/expected.txt."""
    lines = (TESTS / "kunit/expected.txt").read_text().splitlines()
    pairs = (line.split() for line in lines if line and not line.startswith("#"))
    return {suite: int(count) for suite, count in pairs}


def guest_step(guest):
    """Returns the step that runs the test files of `guest`."""
    def step(kernel, parser, log):
        command = invoke.vm(kernel, "tests/guest/run.sh", *guest.files, timeout=guest.timeout,
                            options=guest.options)
        status = run_logged(command, log)
        printed = by_file(read_lines(log))
        results = []
        for file in guest.files:
            suite = file.removesuffix(".py")
            lines = printed.get(file, [])
            found = documents(lines)
            if len(found) != 1:
                results.append(Result(suite, "prints_results", "failed",
                                      [f"{len(found)} KTAP documents", *lines[-15:]]))
            for document in found:
                for each in parser.parse(document):
                    each.suite = suite
                    results.append(each)
        return [*results, guest_health(status, log)]
    return Step(guest.title, step, guest)


def by_file(lines):
    """Returns the lines that each test file printed."""
    printed, current = {}, []
    for line in lines:
        key, value = figure(line) or ("", "")
        if key == "file":
            current = printed.setdefault(value, [])
        else:
            current.append(line)
    return printed


def short_torture(kernel, _parser, log):
    """A minute of the test that `make torture` runs for an hour or more."""
    status = run_logged(["tests/torture/run", "--minutes", "1", "--kernel", kernel.name], log)
    return [result("torture", "nothing_goes_wrong", not status, read_lines(log))]


def run_logged(command, log):
    """Runs a command with its output in the file `log`; returns its status."""
    with open(log, "w", encoding="utf-8") as file:
        return subprocess.run(command, cwd=TOP, stdin=subprocess.DEVNULL, stdout=file,
                              stderr=subprocess.STDOUT, check=False).returncode


def guest_health(status, log):
    """Returns whether the guest ended without complaints, as a result of its own."""
    reasons = {0: "it ended well", EXIT_TIMEOUT: "it hung and was ended",
               EXIT_GUEST: "its kernel complained or crashed"}
    reason = reasons.get(status, f"scripts/vm ended with status {status}")
    return result("guest", "ends_without_complaints", status == 0,
                  [reason, *read_lines(log)[-15:]])
