# SPDX-License-Identifier: GPL-2.0
"""The command lines of scripts/vm and scripts/uml."""

from __future__ import annotations

import argparse
import re
import signal
import sys

from . import kernel, kvm
from .failure import EXIT_GUEST, EXIT_TIMEOUT, finish
from .options import QemuOptions, UmlOptions
from .uml import UmlGuest
from .virtme import VirtmeGuest

VM_EPILOG = f"""\
exit status:
  COMMAND's; {EXIT_TIMEOUT} after --timeout; {EXIT_GUEST} if the guest failed, or its kernel complained
  (panic, BUG, WARNING, Oops, lockdep, KASAN ...) although COMMAND succeeded

examples:
  scripts/vm -- uname -r
  scripts/vm --kernel stock --mem 1G -- sh -c 'grep Huge /proc/meminfo'
  scripts/vm --module-args 'enabled=1 mini_order=9' -- grep zero /proc/vmstat
  scripts/vm --kernel debug --gdb-wait --shell
"""


def vm(description: str) -> int:
    """scripts/vm: returns its exit status."""
    return finish("vm", lambda: _vm(description))


def uml(description: str) -> int:
    """scripts/uml: returns its exit status."""
    return finish("uml", lambda: _uml(description))


def _vm(description: str) -> int:
    _end_guest_with_us()
    options = parse_vm(description)
    works = not options.icount and kvm.works(kernel.find(options.kernel).image())
    guest = VirtmeGuest(options, works)
    return guest.shell() if options.shell else guest.judge(guest.run())


def _uml(description: str) -> int:
    _end_guest_with_us()
    guest = UmlGuest(parse_uml(description))
    return guest.judge(guest.run())


def _end_guest_with_us() -> None:
    """Ended from outside, leave by way of `finally`, which ends the guest."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def _parser(description: str, **settings: str) -> argparse.ArgumentParser:
    """A parser of the options of any guest."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter,
        **settings)  # type: ignore[arg-type]
    parser.add_argument("--share", action="append", default=[], metavar="DIR",
                        help="directory that is writable in the guest, at the same path")
    parser.add_argument("--allow", action="append", default=[], metavar="REGEX",
                        help="complaints of the guest's kernel that do not fail the run")
    parser.add_argument("--timeout", type=float, metavar="S",
                        help="seconds after which the guest is ended (600; with gdb none)")
    return parser


def _parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The command line; COMMAND is whatever follows `--`."""
    own, command = sys.argv[1:], []
    if "--" in own:
        split = own.index("--")
        own, command = own[:split], own[split + 1:]
    args = parser.parse_args(own)
    args.command = command
    return args


def parse_vm(description: str) -> QemuOptions:
    """The options of scripts/vm."""
    parser = _parser(
        description, prog="scripts/vm", epilog=VM_EPILOG,
        usage="scripts/vm [OPTION...] -- COMMAND [ARG...]\n       scripts/vm [OPTION...] --shell")
    parser.add_argument("--kernel", default="patched", metavar="patched|stock|debug|kcsan|PATH",
                        help="kernel to boot: one of ours, or a built tree or bzImage")
    parser.add_argument("--mem", default="2G", help="memory of the guest (2G)")
    parser.add_argument("--cpus", type=int, default=2, help="processors of the guest (2)")
    parser.add_argument("--nodes", type=int, default=1, help="NUMA nodes of the guest, with a "
                        "part of memory and processors each (1)")
    parser.add_argument("--module", action=argparse.BooleanOptionalAction, default=None,
                        help="load zero_page.ko first (default: if it is built for the kernel)")
    parser.add_argument("--module-args", default="", metavar="ARGS",
                        help="load-time parameters of the module")
    parser.add_argument("--icount", action="store_true",
                        help="guest time counts instructions and repeats; one processor, no KVM")
    parser.add_argument("--append", action="append", default=[], metavar="ARGS",
                        help="more kernel command line")
    parser.add_argument("--qemu", action="append", default=[], metavar="ARGS",
                        help="more QEMU arguments, in one word quoted as for a shell")
    parser.add_argument("--verbose", action="store_true",
                        help="show the console and QEMU's command line on stderr")
    parser.add_argument("--shell", action="store_true",
                        help="an interactive shell instead of COMMAND")
    parser.add_argument("--gdb", action="store_true",
                        help="let gdb attach to the kernel, and say how")
    parser.add_argument("--gdb-wait", action="store_true",
                        help="the same, and boot only when gdb continues the guest")
    args = _parse(parser)
    args.gdb |= args.gdb_wait
    if args.timeout is None and not args.gdb:
        args.timeout = QemuOptions.timeout
    if bool(args.command) == args.shell:
        parser.error("either -- COMMAND or --shell is needed")
    if args.nodes < 1 or args.cpus % args.nodes:
        parser.error(f"{args.cpus} processors cannot be parted evenly among {args.nodes} nodes")
    if not re.fullmatch(r"\d+[MG]", args.mem):
        parser.error(f"--mem {args.mem}: not a number of M or G")
    return QemuOptions(**vars(args))


def parse_uml(description: str) -> UmlOptions:
    """The options of scripts/uml."""
    parser = _parser(description, prog="scripts/uml", epilog="exit status: as of scripts/vm",
                     usage="scripts/uml [OPTION...] -- COMMAND [ARG...]")
    parser.add_argument("--kernel", default="patched", choices=("patched", "stock"),
                        help="kernel to boot (patched)")
    parser.add_argument("--mem", default="1G", help="memory of the guest (1G)")
    parser.add_argument("--module", action="append", default=[], metavar="PATH",
                        help="module to load first; may be given more than once")
    args = _parse(parser)
    args.kernel = f"uml-{args.kernel}"
    if args.timeout is None:
        args.timeout = UmlOptions.timeout
    if not args.command:
        parser.error("-- COMMAND is needed")
    return UmlOptions(**vars(args))
