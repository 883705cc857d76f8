"""The power goes at any moment, and blocks that no flush covered are there or not, by chance.

The hub lies on real file systems on logged disks; see ``maruhub.testing.logged_disk``.
``POINTS=10000`` for a long run, ``FILE_SYSTEM=xfs`` for another file system, ``SEED=n`` for
the same one again.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from maruhub import compose
from maruhub.namespace import Namespace
from maruhub.testing import logged_disk
from maruhub.testing.logged_disk import Entry, Mounts, Replay
from tests.crash.load import BUCKET
from tests.tidy.tree import ROOT

POINTS = int(os.environ.get("POINTS", "40"))
KIND = os.environ.get("FILE_SYSTEM", "ext4")
# More than the longest load: a full disk refuses what the verdict writes.
DISK_BYTES = (400 << 20) if KIND == "xfs" else (96 << 20)
POINTS_A_LOG = 100
SEGMENT_BYTES = 1 << 20
# A copy of a file system has its id, too; xfs asks to be told that this is meant.
OPTIONS = ("-o", "nouuid") if KIND == "xfs" else ()

pytestmark = pytest.mark.skipif(bool(logged_disk.missing()), reason=logged_disk.missing() or "-")


class Bench:
    """Disks, a hub over them, a load, and its log.

    With one disk everything lies on it; with several the index and the first blade share
    one, the other blades have their own.
    """

    def __init__(self, folder: Path, disks: int) -> None:
        self.folder = folder
        self.images = [folder / f"image{number}" for number in range(disks)]
        self.targets = [folder / f"cut{number}" for number in range(disks)]
        # Always at the same place: the hub file names the blades' folders.
        self.places = [folder / f"mounted{number}" for number in range(disks)]
        self.hub = self.places[0] / "hub"

    def record(self, seed: int, *, most: int, planted: bool = False) -> list[Entry]:
        """Makes new disks and a hub, runs the load over it; the log of the load alone."""
        for image in self.images:
            logged_disk.make_image(image, DISK_BYTES, kind=KIND)
        self._make_hub()
        log = self.folder / "log"
        log.unlink(missing_ok=True)
        served = self.folder / "served"
        with Mounts() as mounts:
            mounts.serve(served, log, self.images)
            for number, place in enumerate(self.places):
                mounts.mount(mounts.loop(served / f"disk{number}"), place)
            words = [str(self.hub), str(served / "mark"), str(seed), str(most)]
            _python("tests.crash.power_load", *words, *(["planted"] if planted else []))
        return logged_disk.read_log(log)

    def _make_hub(self) -> None:
        with Mounts() as mounts:
            self._mount(mounts, self.images)
            blades = [self.places[number % len(self.places)] / f"blade{number}" for number in range(3)]
            pool = compose.create_pool(self.hub, blades=blades, segment_bytes=SEGMENT_BYTES)
            Namespace(pool.store).buckets.create(BUCKET)
            pool.close()

    def _mount(self, mounts: Mounts, images: Sequence[Path]) -> None:
        for image, place in zip(images, self.places, strict=True):
            mounts.mount(mounts.loop(image), place, *OPTIONS)

    def verdict(self, entries: Sequence[Entry], *, rebuild: bool) -> str:
        """What a new process says of the disks as they lie in ``targets``; empty: all is well."""
        journal = self.folder / "journal"
        journal.write_bytes(logged_disk.marks(entries))
        with Mounts() as mounts:
            self._mount(mounts, self.targets)
            words = [str(self.hub), str(journal), *(["rebuild"] if rebuild else [])]
            done = _python("tests.crash.power_verdict", *words, check=False)
        return said_of(done)


def said_of(done: subprocess.CompletedProcess[str]) -> str:
    """What a verdict found wrong; one that died without a word has found that."""
    return "" if done.returncode == 0 else done.stdout or f"its process ended with status {done.returncode}"


def _python(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0 or not check, done.stdout
    return done


def cut_and_compare(bench: Bench, entries: Sequence[Entry], *, points: int, seed: int) -> list[str]:
    """What was wrong at random points of the log."""
    rng = random.Random(seed)
    replay = Replay(entries, bench.images)
    found = []
    for number, point in enumerate(sorted(rng.choices(range(len(entries) + 1), k=points))):
        replay.cut(point, bench.targets, rng)
        wrong = bench.verdict(entries[:point], rebuild=number % 4 == 3)
        if wrong:
            found.append(f"cut at {point} of {len(entries)}: {wrong}")
    return found


@pytest.mark.parametrize("disks", [1, 3])
@pytest.mark.timeout(120 + POINTS * 5)
def test_power_cut(tmp_path: Path, seed: int, disks: int) -> None:
    for number in range(0, POINTS // 2, POINTS_A_LOG):
        bench = Bench(tmp_path, disks)
        entries = bench.record(seed + number, most=25)
        points = min(POINTS_A_LOG, POINTS // 2 - number)
        print(f"{len(entries)} writes, flushes and marks; {points} points")
        assert logged_disk.marks(entries).count(b'"acknowledged"') > 50
        assert cut_and_compare(bench, entries, points=points, seed=seed + number) == []


def test_a_writer_that_does_not_sync_is_found_out(tmp_path: Path, seed: int) -> None:
    bench = Bench(tmp_path, 1)
    entries = bench.record(seed, most=25, planted=True)
    found = cut_and_compare(bench, entries, points=4, seed=seed)
    assert found, "acknowledged before it is durable, and no power cut shows it"


def test_a_disk_that_stays_in_use_is_said(tmp_path: Path) -> None:
    image = tmp_path / "image"
    logged_disk.make_image(image, 8 << 20)
    mounts = Mounts()
    mounts.mount(mounts.loop(image), tmp_path / "mounted")
    with (tmp_path / "mounted" / "kept").open("w"), pytest.raises(OSError, match="busy"):
        mounts.close()
    assert not os.path.ismount(tmp_path / "mounted")


@pytest.mark.parametrize(("code", "found"), [("pass", False), ("import os; os.abort()", True)])
def test_a_verdict_that_dies_without_a_word_is_one(code: str, found: bool) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert not done.stdout
    assert bool(said_of(done)) is found
