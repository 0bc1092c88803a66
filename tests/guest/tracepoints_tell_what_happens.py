#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The tracepoints of prezero show allocations and zeroed blocks, and agree with /proc/vmstat."""

import re
import subprocess
from pathlib import Path

from lib.counters import Counted, settle
from lib.ksft import check, main, note, test
from lib.memory import PAGES_PER_MIB, Memory, fill
from lib.pages import MAX_PAGE_ORDER
from lib.states import start, zero_scribbled_memory

TRACING = Path("/sys/kernel/tracing")
EVENTS = TRACING / "events/prezero"
FIELDS = {
    "prezero_alloc": {"order", "gfp_flags", "hit", "miss"},
    "prezero_report": {"order", "cleared", "skipped", "ns"},
}
# A line of the trace and a field in it
LINE = re.compile(r": (prezero_\w+): (.*)$")
FIELD = re.compile(r"(\w+)=(\S+)")


def traced(action):
    """Returns what action() leaves in the trace, for each event a list of its fields, and in the
    counters: both without what it takes to read the trace."""
    (TRACING / "trace").write_text("")
    with Counted() as counted:
        (TRACING / "tracing_on").write_text("1")
        try:
            action()
        finally:
            (TRACING / "tracing_on").write_text("0")
    found = {name: [] for name in FIELDS}
    for line in (TRACING / "trace").read_text().splitlines():
        match = LINE.search(line)
        if match:
            found[match[1]].append(dict(FIELD.findall(match[2])))
    return found, counted


def numbers(event, *names):
    """Returns fields of an event as numbers."""
    return (int(event[name], 0) for name in names)


@test
def events_have_their_fields():
    """They exist, can be enabled, and have the documented fields."""
    if not EVENTS.exists():
        subprocess.run(["mount", "-t", "tracefs", "none", str(TRACING)],
                       capture_output=True, check=False)
    for name, fields in FIELDS.items():
        directory = EVENTS / name
        check(directory.exists(), f"no {directory}")
        found = set(re.findall(r"field:.*?(\w+);", (directory / "format").read_text()))
        check(fields <= found, f"{name} has no {fields - found}")
        (directory / "enable").write_text("1")
    (TRACING / "buffer_size_kb").write_text("4096")


@test
def allocations_are_traced():
    """For each one, with pages that were zeroed, pages that were not, and no others."""
    start()
    zero_scribbled_memory()
    # Memory freed by the first must be zeroed again, or the second gets it raw.
    events, counted = traced(lambda: (fill(16, "4k"), settle(), fill(16, "thp")))
    events = events["prezero_alloc"]
    hits = misses = 0
    for event in events:
        order, hit, miss = numbers(event, "order", "hit", "miss")
        check(0 <= order <= MAX_PAGE_ORDER, f"order out of range: {event}")
        check(hit >= 0 and miss >= 0 and hit + miss == 1 << order, f"does not add up: {event}")
        hits, misses = hits + hit, misses + miss
    note(f"{hits} hits and {misses} misses traced; {counted}")
    check(hits >= 0.8 * 2 * 16 * PAGES_PER_MIB, "too few hits traced")
    check(abs(hits - counted["prezero_hit"]) <= 0.1 * hits, "/proc/vmstat counts other hits")
    check(any(int(event["order"]) == 9 for event in events), "no huge page traced")


@test
def zeroed_blocks_are_traced():
    """What a pass clears, what it skips as already zero, and how long it takes."""
    memory = Memory(64)
    settle()
    events, counted = traced(lambda: (memory.free(), settle()))
    total = 0
    for event in events["prezero_report"]:
        order, cleared, skipped, ns = numbers(event, "order", "cleared", "skipped", "ns")
        check(0 <= order <= MAX_PAGE_ORDER, f"order out of range: {event}")
        check(cleared + skipped > 0 and (cleared + skipped) % (1 << order) == 0,
              f"no whole blocks: {event}")
        check(0 < ns < 60 * 10**9, f"time out of range: {event}")
        total += cleared
    note(f"{total} pages cleared as traced; {counted}")
    check(total >= 60 * PAGES_PER_MIB, "too few pages traced")
    check(abs(total - counted["prezero_zeroed"]) <= 0.1 * total,
          "/proc/vmstat counts other zeroed pages")


main()
