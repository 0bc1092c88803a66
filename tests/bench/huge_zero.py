# SPDX-License-Identifier: GPL-2.0
"""The cost of reference counting the huge zero folio: once in each process that reads it."""

import json
import mmap
import os
import time

import bench
from lib.memory import MADV_HUGEPAGE, PAGE_SIZE, PAGES_PER_THP
from lib.module import MODULE, load

OPTIONS = ("--icount", "--mem", "1G")
READERS = 40
FAULTS = 24
THP = PAGES_PER_THP * PAGE_SIZE
TARGET = 1.01
CONDITIONS = (f"QEMU -icount shift=0, 1 CPU; {READERS} processes that live at the same time; "
              "median of the first fault, which is counted, and of those that follow")


def reader():
    """Returns nanoseconds, that is instructions, of read faults on huge pages."""
    memory = mmap.mmap(-1, (FAULTS + 4) * THP, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(MADV_HUGEPAGE)
    clock = time.perf_counter_ns
    # The first rounds find everything present. They copy the interpreter's own pages, which
    # it shares with its parent.
    memory[2 * THP] = 1
    samples = []
    for index in (2, 2, 2, *range(3, 3 + FAULTS)):
        start = clock()
        memory[index * THP]  # pylint: disable=pointless-statement
        samples.append(clock() - start)
    return samples[3:]


def read():
    """Makes all of them read; reports first and later faults."""
    if MODULE.exists():
        load(enabled=1, batch_size=4 << 20, delay_millisecs=50)
        bench.wait_zeroed()
    go, said_go = os.pipe()
    pipes = []
    for _ in range(READERS):
        result, said_result = os.pipe()
        if not os.fork():
            os.write(said_result, json.dumps(reader()).encode())
            os.close(said_go)
            os.read(go, 1)
            os._exit(0)
        os.close(said_result)
        pipes.append(result)
    samples = [json.loads(os.read(pipe, 1 << 16)) for pipe in pipes]
    os.close(said_go)
    for _ in range(READERS):
        os.wait()
    for first, *later in samples:
        bench.tell("first", first)
        bench.tell("later", *later)


@bench.measurement("Read faults on the huge zero page (QEMU -icount)", "stock", "patched")
def huge_zero():
    """The cost of the count, on stock and with zero_page enabled."""
    stock, ours = (bench.in_guest(kernel, read, options=OPTIONS) for kernel in ("stock", "patched"))
    return [
        *(bench.ratio(f"{name}: first in a process, counted, against later ones", "instructions",
                      samples["later"], samples["first"], CONDITIONS)
          for name, samples in (("stock", stock), ("zero_page enabled", ours))),
        bench.ratio("zero_page enabled, later ones against stock's", "instructions",
                    stock["later"], ours["later"], CONDITIONS, TARGET),
    ]
