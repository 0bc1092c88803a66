#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""No more free memory is zeroed than max_zeroed, and that much is zeroed again soon.

Needs memory that is not zeroed yet, in two zones of about the same size.
"""

from pathlib import Path

from lib.counters import settle, share_zeroed, vmstat, wait_until
from lib.ksft import check, main, note, test
from lib.memory import PAGES_PER_MIB, Memory, fill, mib_total
from lib.module import kernel_log, load, tune
from lib.states import shrink_per_cpu_lists

LIMIT = 64
# The global counter lags behind the per-CPU ones.
LAG = 1


def zeroed_mib():
    """Returns how much free memory is zeroed, in MiB."""
    return vmstat()["nr_free_prezeroed"] / PAGES_PER_MIB


def zones():
    """Returns managed and zeroed free pages of each zone that has any."""
    found = []
    for zone in Path("/proc/zoneinfo").read_text().split("\nNode "):
        words = dict(line.split()[:2] for line in zone.splitlines() if len(line.split()) == 2)
        if int(words.get("managed", 0)):
            found.append((int(words["managed"]), int(words["nr_free_prezeroed"])))
    return found


def check_limit(limit):
    """Fails unless the limit is reached, except for less than a block of 4 MiB in each zone."""
    least = limit - 2 * 4
    wait_until(lambda: least <= zeroed_mib(), 20)
    settle(quiet=0.5)
    note(f"{zeroed_mib():.1f} of {limit} MiB")
    check(least <= zeroed_mib() <= limit + LAG, f"{zeroed_mib():.1f} MiB are zeroed, not {limit}")


@test
def each_zone_has_its_share():
    """The zone that is first in memory, and allocated from last, does not use up the limit."""
    shrink_per_cpu_lists()
    load(enabled=1, max_zeroed=LIMIT << 20, delay_millisecs=50, batch_size=0)
    check_limit(LIMIT)
    found = zones()
    total = sum(managed for managed, _ in found)
    check(sum(managed > total / 4 for managed, _ in found) == 2, f"not two zones: {found}")
    for managed, pages in found:
        share = LIMIT * managed / total
        zeroed = pages / PAGES_PER_MIB
        note(f"{zeroed:.1f} of {share:.1f} MiB in a zone of {managed // PAGES_PER_MIB} MiB")
        check(zeroed <= share + LAG, f"{zeroed:.1f} MiB are zeroed in a zone, not {share:.1f}")


@test
def limit_is_reached_and_kept():
    """Also after the limit was raised, or zeroed memory was used."""
    shrink_per_cpu_lists()
    load(enabled=1, max_zeroed=LIMIT << 20, delay_millisecs=50, batch_size=0)
    check_limit(LIMIT)
    fill(200, "4k", "scribble")
    check_limit(LIMIT)
    memory = Memory(LIMIT // 2)
    check_limit(LIMIT)
    memory.free()
    tune(max_zeroed=2 * LIMIT << 20)
    check_limit(2 * LIMIT)


@test
def lowering_it_takes_nothing_back():
    """Zeroed memory stays zeroed, but no more is zeroed until it has been used."""
    load(enabled=1, max_zeroed=2 * LIMIT << 20, delay_millisecs=50, batch_size=0)
    check_limit(2 * LIMIT)
    tune(max_zeroed=LIMIT << 20)
    settle(quiet=0.5)
    check(zeroed_mib() > LIMIT, "zeros were forgotten")
    # Both zones
    fill(mib_total() * 7 // 10, "4k", "scribble")
    check_limit(LIMIT)


@test
def zero_stops_it_and_max_removes_the_limit():
    """With 0 nothing is zeroed, with max everything."""
    load(enabled=1, max_zeroed=0, delay_millisecs=50, batch_size=0)
    before = zeroed_mib()
    fill(200, "4k", "scribble")
    settle(quiet=0.5)
    check(zeroed_mib() <= before, f"{zeroed_mib()} MiB are zeroed")
    tune(max_zeroed="max")
    check(wait_until(lambda: share_zeroed() >= 0.9, 30), f"only {zeroed_mib():.0f} MiB are zeroed")


@test
def loading_in_a_guest_says_what_it_means():
    """Once each time, unless there is a limit."""
    def lines(**parameters):
        before = kernel_log().count("hypervisor")
        load(**parameters)
        return kernel_log().count("hypervisor") - before

    check(lines() == 1, "no line in the log")
    check(lines(enabled=1) == 1, "not one line in the log")
    check(lines(max_zeroed=1 << 30) == 0, "a line in the log although there is a limit")


main()
