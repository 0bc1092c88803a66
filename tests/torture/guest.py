#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tortures memory in a guest while zero_page is configured, disabled, unloaded and loaded again.

	guest.py SEED SECONDS

Beside torture.c, which uses memory in every way, it turns all knobs at random, with good values,
compacts, drops caches, and resizes the hugetlb pool. Pages marked as zero are verified when they
are allocated and while they are free (prezero.verify), and torture.c checks all allocated memory
once more. There is swap on zram, KSM runs, and in a cgroup processes run out of memory and are
killed. Prints one KTAP result, after figures and a line about each error; exit status 1 if there
was any.
"""

import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "guest"))
# pylint: disable=wrong-import-position
from lib.counters import share_zeroed, vmstat, wait_until
from lib.ksft import check, figure, main, test
from lib.memory import mib_total
from lib.module import insmod, load, loaded, rmmod, tune
from lib.swap import Swap
from vmtest.paths import BUILD
from vmtest.results import figures

TORTURE = BUILD / "torture"
MM = Path("/sys/kernel/mm")
CGROUP = Path("/run/cgroup")
OOM_LIMIT_MIB = 48
COUNTERS = ("prezero_zeroed", "prezero_hit", "prezero_hit_hugetlb", "prezero_waste",
            "prezero_verified", "prezero_not_zero", "pswpout", "swpin_zero_page", "oom_kill",
            "thp_fault_alloc", "thp_split_page", "thp_collapse_alloc", "compact_success",
            "pgmigrate_success", "ksm_swpin_copy")


class Meddler(threading.Thread):
    """Changes the knobs and the rest of memory management at random, until told to stop."""

    KNOBS = {
        "enabled": lambda chance: chance.choice((0, 1, 1, 1)),
        "mini_order": lambda chance: chance.choice((0, 0, 0, *range(11))),
        "batch_size": lambda chance: chance.choice((0, 4096, 1 << 20)),
        "delay_millisecs": lambda chance: chance.choice((0, 1, 10, 50)),
        "max_zeroed": lambda chance: chance.choice((0, 64 << 20, "max", "max", "max")),
    }

    def __init__(self, seed):
        super().__init__()
        self.chance = random.Random(seed)
        self.stop = threading.Event()
        self.done, self.failure = {}, None
        self.actions = ([self.turn_a_knob] * 20
                        + [self.reload, self.compact, self.drop_caches, self.resize_pool])
        self.start()

    def turn_a_knob(self):
        """Writes a good value to some file."""
        name = self.chance.choice(list(self.KNOBS))
        tune(**{name: self.KNOBS[name](self.chance)})

    def reload(self):
        """Unloads the module and loads it again."""
        rmmod()
        time.sleep(self.chance.random() / 10)
        load(enabled=1, delay_millisecs=1, batch_size=0)

    def compact(self):
        """Compacts all memory."""
        Path("/proc/sys/vm/compact_memory").write_text("1")

    def drop_caches(self):
        """Drops caches, and the huge zero page."""
        Path("/proc/sys/vm/drop_caches").write_text("3")

    def resize_pool(self):
        """Grows and shrinks the hugetlb pool."""
        Path("/proc/sys/vm/nr_hugepages").write_text(str(self.chance.randrange(48)))

    def run(self):
        while not self.stop.wait(self.chance.random() / 20):
            action = self.chance.choice(self.actions)
            try:
                action()
            except Exception as error:  # pylint: disable=broad-exception-caught
                self.failure = f"{action.__name__}: {error!r}"
                return
            self.done[action.__name__] = self.done.get(action.__name__, 0) + 1


def write_if_there(path, text):
    """Writes to a file that not every kernel has."""
    if path.exists():
        path.write_text(text)


def prepare():
    """Enables everything that takes part; returns the cgroup for the processes to be killed."""
    for file in (MM / "transparent_hugepage").glob("hugepages-*kB/enabled"):
        file.write_text("madvise")
    for file in (MM / "transparent_hugepage").glob("hugepages-*kB/shmem_enabled"):
        file.write_text("advise")
    write_if_there(MM / "transparent_hugepage/shmem_enabled", "advise")
    write_if_there(MM / "transparent_hugepage/khugepaged/scan_sleep_millisecs", "100")
    write_if_there(MM / "ksm/pages_to_scan", "1000")
    write_if_there(MM / "ksm/run", "1")
    Path("/proc/sys/vm/nr_overcommit_hugepages").write_text("16")

    CGROUP.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "cgroup2", "none", CGROUP], check=True)
    (CGROUP / "cgroup.subtree_control").write_text("+memory")
    group = CGROUP / "oom"
    group.mkdir()
    (group / "memory.max").write_text(f"{OOM_LIMIT_MIB}M")
    (group / "memory.swap.max").write_text("0")
    return group


def usable_mib():
    """Returns how much memory torture.c may take: swap is needed at times."""
    return mib_total() * 7 // 10


def idle(printed, before, after):
    """Returns everything that should have been done and was not."""
    nothing = [name for name, count in figures(printed.splitlines()).items()
               if not count and name not in ("killed", "refused")]
    counters = ("prezero_zeroed", "prezero_hit", "prezero_verified", "pswpout")
    return nothing + [name for name in counters if after[name] == before[name]]


def torture(seed, seconds):
    """Runs everything; returns a line about each error."""
    # If memory is short, another process has to be killed.
    Path("/proc/self/oom_score_adj").write_text("-1000")
    group = prepare()
    before = vmstat()
    load(enabled=1, delay_millisecs=1, batch_size=0, verify=1)
    with Swap():
        meddler = Meddler(seed)
        done = subprocess.run([TORTURE, str(seed), str(seconds), str(2 * os.cpu_count() + 1),
                               str(usable_mib()), group], stdout=subprocess.PIPE, text=True,
                              check=False)
        print(done.stdout, end="", flush=True)
        meddler.stop.set()
        meddler.join()
    for name, count in meddler.done.items():
        figure(f"meddler.{name}", count)
    after = vmstat()
    for name in COUNTERS:
        if name in after:
            figure(f"vmstat.{name}", after[name] - before[name])

    wrong = [f"no {what}" for what in idle(done.stdout, before, after)]
    if meddler.failure:
        wrong.append(meddler.failure)
    if after["prezero_not_zero"]:
        wrong.append(f"{after['prezero_not_zero']} pages said to be zero were not")
    if not loaded() and insmod():
        wrong.append("the module cannot be loaded any more")
    # It still works.
    tune(enabled=0, mini_order=0, batch_size=0, delay_millisecs=0, max_zeroed="max")
    tune(enabled=1)
    if wait_until(lambda: share_zeroed() > 0.5, 60) is None:
        wrong.append("free memory is not zeroed any more")
    rmmod()
    if done.returncode:
        wrong.append(f"torture ended with status {done.returncode}")
    return [f"seed {seed}: {line}" for line in wrong]


@test
def nothing_goes_wrong():
    """The operations on memory that run at the same time."""
    wrong = torture(int(sys.argv[1]), int(sys.argv[2]))
    check(not wrong, "\n".join(wrong))


main()
