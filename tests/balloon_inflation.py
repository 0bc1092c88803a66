# SPDX-License-Identifier: GPL-2.0
"""Inflates and deflates the balloon of a guest that zeroes free memory and reports it.

With a poison value and without: the host has to know what a guest fills free pages with, if it
does. The guest is tests/selftests/balloon_inflation.py.
"""

import json
import socket
import subprocess
import tempfile
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from ktap import Result

TOP = Path(__file__).resolve().parents[1]


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
    """Tells QEMU, by its machine protocol, how much memory to leave to the guest."""
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
    """Boots the guest; returns its exit status, what it said by check, and its last lines."""
    checks, last = {}, deque(maxlen=15)
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/monitor"
        guest = subprocess.Popen(
            ["scripts/vm", "--kernel", kernel.name, "--no-module", "--mem", "1G",
             "--timeout", str(300 * kernel.slower),
             "--append", f"page_reporting.page_reporting_delay_ms=100 {case.append}",
             "--qemu", f"-device virtio-balloon-pci,free-page-reporting=on{case.device}",
             "--qemu", f"-qmp unix:{path},server=on,wait=off", "--",
             "env", f"SLOWER={kernel.slower}",
             "tests/selftests/balloon_inflation.py", str(case.cycles), *case.parameters],
            cwd=TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True)
        for line in guest.stdout:
            log.write(line)
            last.append(line.rstrip())
            word, _, rest = line.strip().partition(" ")
            if word == "balloon":
                set_size(path, int(rest))
            elif word == "check":
                name, _, words = rest.partition(" ")
                checks[name] = words
        return guest.wait(), checks, last


def results(kernel, log):
    """Returns what is to be shown of guests with this kernel."""
    log.parent.mkdir(parents=True, exist_ok=True)
    found = []
    with open(log, "w", encoding="utf-8") as file:
        for case in CASES:
            file.write(f"{case.name}\n")
            status, checks, last = run(kernel, case, file)
            wrong = [f"{name}: {words}" for name, words in checks.items() if words != "ok"]
            if status or len(checks) != case.cycles:
                wrong += [f"status {status}, {len(checks)} of {case.cycles} cycles", *last]
            found.append(Result("balloon_inflation", case.name, "failed" if wrong else "passed",
                                wrong))
    return found
