# SPDX-License-Identifier: GPL-2.0
"""scripts/vm --gdb-wait says where gdb can attach, and vmlinux tells it where things are."""

import re
import subprocess

from vmtest import invoke
from vmtest.paths import TOP
from vmtest.results import result

from .gdb_client import Stub

SUITE = "gdb"
BANNER = b"Linux version "
SECONDS = 60


def symbols(kernel):
    """Returns the addresses of symbols of a kernel, as vmlinux has them."""
    lines = (kernel.tree() / "System.map").read_text().splitlines()
    return {name: int(address, 16) for address, _, name in map(str.split, lines)}


def debug(stub, addresses, told):
    """Lets the guest boot to start_kernel() and on, and reports what was found."""
    told["waiting"] = stub.ask("?")
    start = f"1,{addresses['start_kernel']:x},1"
    told["breakpoint"] = stub.ask(f"Z{start}")
    told["stopped"] = stub.ask("c")
    told["banner"] = stub.memory(addresses["linux_banner"], len(BANNER))
    told["removed"] = stub.ask(f"z{start}")
    told["detached"] = stub.ask("D")


def results(kernel, _parser, log):
    """Returns the results for a guest with this kernel."""
    told, lines = {}, []
    with open(log, "w", encoding="utf-8") as file, subprocess.Popen(
            invoke.vm(kernel, "echo", "ran", mem="512M", timeout=SECONDS, options=["--gdb-wait"]),
            cwd=TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True) as guest:
        for line in guest.stdout:
            file.write(line)
            lines.append(line.rstrip())
            found = re.search(r"gdb .*-ex 'target remote (\S+)' .* (\S+)$", line.rstrip())
            if found and "socket" not in told:
                told["socket"], told["vmlinux"] = found.groups()
                try:
                    with Stub(told["socket"], SECONDS) as stub:
                        debug(stub, symbols(kernel), told)
                except (OSError, EOFError) as error:
                    lines.append(repr(error))
    checks = {
        "guest_waits_and_says_how_to_attach": (
            told.get("vmlinux") == str(kernel.tree() / "vmlinux")
            and told.get("waiting", "").startswith(("S05", "T05"))),
        "guest_stops_where_vmlinux_says": (
            told.get("breakpoint") == "OK" and told.get("banner") == BANNER
            and told.get("stopped", "").startswith("T05")),
        "guest_goes_on": guest.returncode == 0 and lines[-1] == "ran",
    }
    details = [*(f"{key}: {value}" for key, value in told.items()), *lines]
    return [result(SUITE, name, good, details) for name, good in checks.items()]
