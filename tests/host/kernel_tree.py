# SPDX-License-Identifier: GPL-2.0
"""Whether `make tree` and `make patches` carry a series back and forth and lose nobody's work.

The source is a small one that only says which kernel it is, and the series is made here: it is git's
work that is looked at, and what scripts/kernel/tree makes of it.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from vmtest.paths import TOP
from vmtest.results import result

SUITE = "kernel_tree"
MAKEFILE = "VERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 4\nEXTRAVERSION =\n"
LINES = [f"line {number}\n" for number in range(40)]
SERIES = "patches/linux-7.3"
AUTHOR = ["-c", "user.name=A developer", "-c", "user.email=developer@localhost"]


class Checkout:
    """A checkout of the project with a series of its own, a source and a cache."""

    def __init__(self, directory, log):
        self.log, self.top = log, directory / "checkout"
        self.tree = directory / "cache/linux"
        source = directory / "source"
        (source / "mm").mkdir(parents=True)
        (source / "Makefile").write_text(MAKEFILE)
        (source / "mm/a.c").write_text("".join(LINES))
        (source / "mm/b.c").write_text("".join(LINES))
        self.git(source, "init", "-q")
        self.git(source, "add", "-A")
        self.git(source, "commit", "-q", "-m", "source")
        shutil.copytree(TOP / "scripts", self.top / "scripts")
        self.env = {**os.environ, "KERNEL_SRC": str(source), "HOME": str(directory),
                    "ZERO_PAGE_CACHE": str(directory / "cache")}
        self.env.pop("KERNEL_TREE", None)
        self.write_series(source)

    def git(self, where, *arguments):
        """Runs git; returns what it prints."""
        return subprocess.run(["git", *AUTHOR, "-C", str(where), *arguments], check=True,
                              stdout=subprocess.PIPE, stderr=self.log, text=True).stdout

    def write_series(self, source):
        """Writes two topics of two patches and one, as git format-patch makes them."""
        changes = (("01-first", "a.c", 3, "change a"), ("01-first", "b.c", 3, "change b"),
                   ("02-second", "a.c", 30, "change a once more"))
        series = []
        for number, (topic, file, line, subject) in enumerate(changes):
            path = source / "mm" / file
            lines = path.read_text().splitlines(keepends=True)
            lines[line] = f"changed by {subject}\n"
            path.write_text("".join(lines))
            self.git(source, "commit", "-q", "-a", "-m", f"mm: {subject}\n\nBecause.\n")
            name = f"{topic}/{number + 1:02}-patch{number}.patch"
            (self.top / SERIES / topic).mkdir(parents=True, exist_ok=True)
            (self.top / SERIES / name).write_text(
                self.git(source, "format-patch", "--stdout", "--no-signature", "-1"))
            (self.top / SERIES / topic / "cover-letter").write_text(
                f"What {topic} is\n\n# For this:\n\n    it is good.\n")
            series.append(f"{name}\n")
        (self.top / SERIES / "series").write_text("".join(series))
        self.git(source, "reset", "-q", "--hard", "HEAD~3")

    def run(self, command):
        """Runs scripts/kernel/tree; returns whether it succeeds, and its last line."""
        done = subprocess.run([self.top / "scripts/kernel/tree", *command.split()], env=self.env,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        self.log.write(f"$ tree {command}\n{done.stdout}")
        self.log.flush()
        return done.returncode == 0, (done.stdout.splitlines() or [""])[-1]

    def files(self):
        """The series: the time and text of each file."""
        top = self.top / SERIES
        return {str(path.relative_to(top)): (path.stat().st_mtime_ns, path.read_text())
                for path in top.rglob("*") if path.is_file()}

    def subjects(self):
        """The subjects of the commits in the tree, the base first."""
        return self.git(self.tree, "log", "--reverse", "--format=%s").splitlines()

    def commit(self, line, subject):
        """Changes a line of b.c in the tree and commits that."""
        self.edit(line)
        self.git(self.tree, "commit", "-q", "-a", "-m", subject)

    def edit(self, line):
        """Changes a line of b.c in the tree."""
        path = self.tree / "mm/b.c"
        lines = path.read_text().splitlines(keepends=True)
        lines[line] = f"edited {line}\n"
        path.write_text("".join(lines))


def there_and_back(checkout):
    """Yields what holds while nobody works on the tree, as name, truth and details."""
    good, said = checkout.run("import")
    subjects = checkout.subjects()
    yield "import_makes_a_commit_of_each_patch_and_cover_letter", good and subjects == [
        "Linux 7.3.4", "01-first: What 01-first is", "mm: change a", "mm: change b",
        "02-second: What 02-second is", "mm: change a once more"], [said, *subjects]
    good, said = checkout.run("export")
    before = checkout.files()
    yield "export_numbers_the_patches_of_each_topic", good and {
        name for name in before if name.endswith(".patch")} == {
        "01-first/01-patch0.patch", "01-first/02-patch1.patch",
        "02-second/01-patch2.patch"}, [said, *before]
    good, said = checkout.run("export")
    yield "export_with_nothing_changed_changes_no_file", good and checkout.files() == before, [said]
    times = (checkout.tree / "mm/a.c").stat().st_mtime_ns
    good, said = checkout.run("import")
    yield ("import_with_nothing_changed_changes_no_file",
           good and (checkout.tree / "mm/a.c").stat().st_mtime_ns == times, [said])


def work_in_the_tree(checkout):
    """Yields what holds while somebody does."""
    before = checkout.files()
    checkout.edit(20)
    good, said = checkout.run("export")
    yield ("export_stops_at_uncommitted_changes",
           not good and "uncommitted changes" in said and checkout.files() == before, [said])
    checkout.git(checkout.tree, "commit", "-q", "-a", "-m", "fixup! mm: change b")
    good, said = checkout.run("export")
    yield ("export_stops_at_a_fixup",
           not good and "autosquash" in said and checkout.files() == before, [said])
    checkout.git(checkout.tree, "commit", "-q", "--amend", "-m", "mm: tidy up b")
    good, said = checkout.run("export")
    after = checkout.files()
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    yield ("export_writes_what_was_committed_and_no_other_file",
           good and changed == {"series", "02-second/02-tidy-up-b.patch"}, [said, *changed])


def work_on_both_sides(checkout):
    """Yields what holds if patches/ and the tree have both changed."""
    cover = checkout.top / SERIES / "01-first/cover-letter"
    text = cover.read_text()
    cover.write_text(text + "More.\n")
    checkout.edit(25)
    good, said = checkout.run("import")
    yield ("import_stops_at_uncommitted_changes", not good and "uncommitted changes" in said
           and "edited 25" in (checkout.tree / "mm/b.c").read_text(), [said])
    checkout.git(checkout.tree, "commit", "-q", "-a", "-m", "mm: more of b")
    good, said = checkout.run("import")
    yield ("import_stops_at_commits_that_were_not_exported", not good and "make patches" in said
           and checkout.subjects()[-1] == "mm: more of b", [said])
    before = checkout.files()
    good, said = checkout.run("export")
    yield ("export_stops_if_the_series_has_changed",
           not good and "has changed" in said and checkout.files() == before, [said])
    cover.write_text(text)
    good, said = checkout.run("export")
    yield ("export_goes_on_when_that_is_undone",
           good and "02-second/03-more-of-b.patch" in checkout.files(), [said])


def work_on_the_series(checkout):
    """Yields what holds if only patches/ has changed."""
    top = checkout.top / SERIES
    lines = (top / "series").read_text().splitlines(keepends=True)
    (top / "series").write_text("".join(lines[:-1]))
    (top / "02-second/03-more-of-b.patch").unlink(missing_ok=True)
    good, said = checkout.run("current")
    yield "a_changed_series_is_noticed", not good and "make tree" in said, [said]
    times = (checkout.tree / "mm/a.c").stat().st_mtime_ns
    good, said = checkout.run("import")
    yield ("import_takes_what_the_series_has_now",
           good and checkout.subjects()[-1] == "mm: tidy up b"
           and "edited 25" not in (checkout.tree / "mm/b.c").read_text(), [said])
    yield ("import_leaves_other_files_alone",
           (checkout.tree / "mm/a.c").stat().st_mtime_ns == times, [])


def work_on_topics(checkout):
    """Yields what holds of topics: what they depend on, and what of them is sent."""
    cover = checkout.top / SERIES / "02-second/cover-letter"
    covers = [checkout.top / SERIES / "01-first/cover-letter", cover]
    good, said = checkout.run("topics")
    yield ("a_topic_that_does_not_say_what_it_depends_on_is_refused",
           not good and "has no line such as" in said, [said])
    for path in covers:
        path.write_text(path.read_text() + "\nDepends on: nothing.\n")
    good, said = checkout.run("import")
    yield "import_takes_what_cover_letters_say_now", good, [said]
    good, said = checkout.run("topics")
    yield "a_topic_that_depends_on_nothing_applies_alone", good, [said]
    checkout.edit(4)
    checkout.git(checkout.tree, "commit", "-q", "-a", "-m", "mm: beside the first change of b")
    good, said = checkout.run("export")
    yield "export_writes_a_patch_beside_another", good, [said]
    good, said = checkout.run("topics")
    yield ("a_topic_that_needs_another_has_to_say_so",
           not good and "02-second needs more" in said, [said])
    cover.write_text(cover.read_text().replace("nothing", "01-first"))
    good, said = checkout.run("topics")
    yield "a_topic_that_says_so_applies", good, [said]
    checkout.run("import")
    good, said = checkout.run("topic 02")
    mails = sorted(path.name for path in (checkout.top / "build/topics/02-second").iterdir())
    yield ("the_mails_of_a_topic_are_its_cover_letter_and_patches", good and mails == [
        "0000-cover-letter.patch", "0001-mm-change-a-once-more.patch", "0002-mm-tidy-up-b.patch",
        "0003-mm-beside-the-first-change-of-b.patch"], [said, *mails])
    good, said = checkout.run("topic 0")
    yield "a_topic_is_named_clearly", not good and "may be" in said, [said]
    checkout.edit(30)
    good, said = checkout.run("topic 02")
    yield "uncommitted_changes_are_not_sent", not good and "uncommitted changes" in said, [said]
    checkout.git(checkout.tree, "commit", "-q", "-a", "-m", "fixup! mm: tidy up b")
    good, said = checkout.run("topic 02")
    yield "a_fixup_is_not_sent", not good and "autosquash" in said, [said]
    checkout.git(checkout.tree, "reset", "-q", "--hard", "HEAD~1")


def work_on_a_patch(checkout):
    """Yields what holds if a patch was edited by hand."""
    top = checkout.top / SERIES
    before, patch = checkout.subjects(), top / "01-first/01-patch0.patch"
    patch.write_text(patch.read_text().replace(" line 1\n", " line one\n"))
    good, said = checkout.run("import")
    yield ("a_patch_that_does_not_fit_exactly_is_refused",
           not good and "01-patch0.patch does not apply" in said
           and checkout.subjects() == before, [said])


def results(_kernel, _parser, log):
    """Returns what is to be shown."""
    found = []
    with tempfile.TemporaryDirectory() as directory, open(log, "w", encoding="utf-8") as file:
        checkout = Checkout(Path(directory), file)
        for part in (there_and_back, work_in_the_tree, work_on_both_sides, work_on_the_series,
                     work_on_topics, work_on_a_patch):
            found += [result(SUITE, name, good, details) for name, good, details in part(checkout)]
    return found
