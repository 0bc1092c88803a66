# SPDX-License-Identifier: GPL-2.0
"""Whether extents are always true: model.c, with the functions of the patched kernel.

It finds in a second what takes torture an hour, but only what goes wrong without concurrency, and
only in these functions. For a longer run call one of the programs in build/model.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from vmtest.paths import BUILD
from vmtest.results import figures, result

from .extract import functions

SUITE = "extents"
HERE = Path(__file__).parent
DIRECTORY = BUILD / "model"
CFLAGS = ("-O2", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Wno-sign-compare",
          "-Wno-type-limits")
SEEDS, OPERATIONS = (1, 2), 3_000_000

# In the order in which C needs them
FUNCTIONS = tuple((path, name) for path, names in (
    ("include/linux/prezero.h",
     "prezero_is_extent prezero_block_zeroed prezero_begin_extent __prezero_split prezero_split"),
    ("mm/prezero.c",
     "prezero_set_extent prezero_zeroed_pages prezero_mark_run prezero_unmark_pages "
     "prezero_zero_pages prezero_coalesce_block"),
    ("mm/internal.h", "block_has_hwpoison"),
    ("mm/prezero.c", "prezero_mark_reported __prezero_merge"),
    ("include/linux/prezero.h", "prezero_merge"),
    ("mm/prezero.c",
     "prezero_split_into prezero_consume_extent prezero_clear_raw prezero_consume_extents "
     "prezero_consume_slow prezero_consume_pages prezero_count_discard prezero_discard_slow "
     "prezero_discard_pages prezero_extent_of prezero_page_is_zero"),
    ("include/linux/prezero.h", "prezero_alloc_hook"),
    ("mm/page_alloc.h", "page_is_buddy find_buddy_page_pfn"),
    ("mm/page_alloc.c",
     "set_buddy_order alloc_wants_zeroed free_list_ends_zeroed __add_to_free_list "
     "move_to_free_list __del_page_from_free_list del_page_from_free_list get_page_from_free_area "
     "buddy_merge_likely change_pageblock_range __free_one_page split_large_buddy expand_extents "
     "expand page_del_and_expand rmqueue_order_of_kind __rmqueue_smallest __isolate_free_block "
     "__putback_isolated_page putback_zeroed_block break_down_buddy_pages __take_page_off_buddy"),
) for name in names.split())


@dataclass
class Geometry:
    """Orders and a size of memory: small ones reach more states, x86's is the last."""

    max_order: int
    pageblock_order: int
    pages: int

    def build(self, log):
        """Builds the program; returns its path."""
        program = DIRECTORY / f"orders-{self.max_order}-{self.pageblock_order}"
        subprocess.run(["cc", *CFLAGS, f"-I{DIRECTORY}", f"-DMAX_PAGE_ORDER={self.max_order}",
                        f"-Dpageblock_order={self.pageblock_order}", f"-DNR_PAGES={self.pages}",
                        "-o", program, HERE / "model.c"], check=True, stdout=log, stderr=log)
        return program


GEOMETRIES = (
    Geometry(1, 1, 64),
    Geometry(3, 3, 64),
    Geometry(3, 1, 128),
    Geometry(4, 2, 128),
    Geometry(5, 5, 256),
    Geometry(5, 3, 256),
    Geometry(8, 4, 2048),
    Geometry(10, 9, 16384),
)


def check(geometry, log):
    """Runs the model; returns whether all was well, and what it said."""
    program, said = geometry.build(log), []
    for seed in SEEDS:
        done = subprocess.run([program, str(OPERATIONS), str(seed)], capture_output=True,
                              text=True, check=False)
        said += [f"seed {seed}: {line}" for line in (done.stdout + done.stderr).splitlines()]
        # What has not been done has not been checked.
        if done.returncode or not all(figures(done.stdout.splitlines()).values()):
            return False, said
    return True, said


def results(kernel, _parser, log):
    """Returns what is to be shown."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    (DIRECTORY / "functions.inc").write_text(functions(kernel.source(), FUNCTIONS))
    found = []
    with open(log, "w", encoding="utf-8") as file:
        for geometry in GEOMETRIES:
            good, said = check(geometry, file)
            file.write("\n".join(said) + "\n")
            found.append(result(SUITE, f"orders_up_to_{geometry.max_order}_in_blocks_of_"
                                f"{geometry.pageblock_order}", good, said))
    return found
