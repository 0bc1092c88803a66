# SPDX-License-Identifier: GPL-2.0
"""Inflates and deflates the balloon of a guest that zeroes free memory and reports it.

With a poison value and without: the host has to know the value that a guest fills free pages with,
if any. The guest is balloon_inflation_guest.py.
"""

import json
import socket
import subprocess
import tempfile
from dataclasses import dataclass

from vmtest import invoke
from vmtest.ktap import documents
from vmtest.paths import TOP
from vmtest.results import figure, result


@dataclass
class Case:
    """A guest, and how zero_page is loaded in it, if at all."""

    name: str
    append: str = ""
    device: str = ""
    parameters: tuple = ("enabled=1", "delay_millisecs=20", "batch_size=0")
    # How many times it is inflated and deflated
    cycles: int = 2


CASES = (
    Case("zeroing_and_reporting"),
    # The host asks for a poison value, and the guest has none.
    Case("host_provides_zeros", "virtio_balloon.reported_zero=1", ",page-poison=on"),
    Case("poison_value_is_zero", "init_on_free=1 virtio_balloon.reported_zero=1",
         ",page-poison=on", (), 1),
    Case("poison_value_is_0xaa", "page_poison=1 virtio_balloon.reported_zero=1",
         ",page-poison=on", (), 1),
)


def set_size(path, mebibytes):
    """Tells QEMU, through its machine protocol, how much memory to leave to the guest."""
    commands = ({"execute": "qmp_capabilities"},
                {"execute": "balloon", "arguments": {"value": mebibytes << 20}})
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(path)
        with connection.makefile("rw") as monitor:
            for command in commands:
                monitor.write(json.dumps(command) + "\n")
                monitor.flush()
                while "return" not in (answer := json.loads(monitor.readline())):
                    if "error" in answer:
                        raise RuntimeError(f"QEMU refuses {command}: {answer['error']}")


def run(kernel, case, log):
    """Boots the guest, whose balloon has the size that it asks for; returns status and output."""
    lines = []
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/monitor"
        guest = subprocess.Popen(
            invoke.vm(
                kernel, "tests/host/balloon_inflation_guest.py", str(case.cycles),
                *case.parameters, timeout=300, options=(
                    "--append", f"page_reporting.page_reporting_delay_ms=100 {case.append}",
                    "--qemu", f"-device virtio-balloon-pci,free-page-reporting=on{case.device}",
                    "--qemu", f"-qmp unix:{path},server=on,wait=off")),
            cwd=TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True)
        for line in guest.stdout:
            log.write(line)
            lines.append(line.rstrip())
            key, value = figure(line) or ("", "")
            if key == "balloon_mib":
                set_size(path, value)
        return guest.wait(), lines


def results(kernel, parser, log):
    """Returns the results for guests with this kernel."""
    found = []
    with open(log, "w", encoding="utf-8") as file:
        for case in CASES:
            file.write(f"{case.name}\n")
            status, lines = run(kernel, case, file)
            cycles = [each for document in documents(lines) for each in parser.parse(document)]
            good = (not status and len(cycles) == case.cycles
                    and all(each.status == "passed" for each in cycles))
            details = [f"status {status}, {len(cycles)} of {case.cycles} cycles", *lines[-15:]]
            found.append(result("balloon_inflation", case.name, good, details))
    return found
