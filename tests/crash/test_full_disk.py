"""Drives fill up under load: a clear refusal, reads go on, and with room writes do again."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from maruhub import compose
from maruhub.compose import OpenPool
from maruhub.errors import NoSpace
from maruhub.namespace import Namespace, PutItem
from maruhub.namespace.placing import place_together
from maruhub.testing.logged_disk import Mounts
from tests.crash import verdict
from tests.crash.journal import History, Journal
from tests.crash.load import BUCKET, Load

DRIVE_BYTES = 80 << 20
BALLAST_BYTES = 40 << 20

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


@pytest.fixture
def mounts() -> Iterator[Mounts]:
    with Mounts() as made:
        yield made


def small_drive(mounts: Mounts, folder: Path) -> Path:
    """A drive of its own for ``folder``, with something on it that can be removed for room."""
    mounts.mount("tmpfs", folder, "-t", "tmpfs", "-o", f"size={DRIVE_BYTES}")
    (folder / "ballast").write_bytes(bytes(BALLAST_BYTES))
    return folder


def take_all_room(drive: Path) -> None:
    """Somebody else's file takes what is left of a drive.

    What ``statvfs`` tells of a tmpfs is near the truth, not it: so whatever fits is taken.
    """
    room = os.statvfs(drive)
    with (drive / "others").open("wb", buffering=0) as others, contextlib.suppress(OSError):
        for _ in range(2 * room.f_bavail + 1):
            others.write(bytes(room.f_frsize))


class Filled:
    """A hub of three blades, filled by clients until some drive is full."""

    def __init__(self, hub: Path, blades: list[Path], journal: Path, seed: int) -> None:
        self.hub = hub
        self.journal = Journal(journal)
        self.path = journal
        self.seed = seed
        self.pool: OpenPool = compose.create_pool(hub, blades=blades, segment_bytes=1 << 20)
        self.namespace = Namespace(self.pool.store, "client")
        self.namespace.buckets.create(BUCKET)

    def load(self, name: str, most: int) -> History:
        load = Load(self.namespace, self.journal, seed=self.seed, name=name, most=most)
        load.run(4)
        return History.read(self.path)

    def put(self, key: str, data: bytes) -> None:
        load = Load(self.namespace, self.journal, seed=0, name="")
        digest: dict[str, str | None] = {key: hashlib.sha256(data).hexdigest()}
        load.change(f"put {key}", digest, lambda: self.namespace.objects.put(BUCKET, key, data))

    def delete(self, key: str) -> None:
        load = Load(self.namespace, self.journal, seed=0, name="")
        act = lambda: self.namespace.objects.delete(BUCKET, key)  # noqa: E731
        load.change(f"delete {key}", {key: None}, act)

    def problems(self) -> list[str]:
        return verdict.problems(self.pool, History.read(self.path))[1]

    def opened_anew(self) -> list[str]:
        """What is wrong after opening again, with the index as it is and made anew."""
        self.pool.close()
        self.pool = compose.open_pool(self.hub)
        history = History.read(self.path)
        state, found = verdict.problems(self.pool, history)
        found += verdict.after_rebuild(self.pool, history, state)
        self.pool.close()
        return found


def refused(history: History) -> int:
    """How many changes were refused, all of them for want of room."""
    assert {failure["kind"] for failure in history.failures} <= {NoSpace.__name__}, history.failures[-3:]
    return len(history.failures)


def test_every_blade_is_full(tmp_path: Path, seed: int, mounts: Mounts) -> None:
    drive = small_drive(mounts, tmp_path / "drive")
    blades = [drive / str(number) for number in range(3)]
    filled = Filled(tmp_path / "hub", blades, tmp_path / "journal", seed)
    filled.put("early", b"small")
    rounds = 0
    while not refused(filled.load(f"fill{rounds}", 20)):
        rounds += 1
        assert rounds < 100
    assert filled.problems() == [], "reads go on"
    filled.delete("early")
    before = refused(History.read(filled.path))
    (drive / "ballast").unlink()
    filled.load("after", 3)
    filled.put("late", b"there is room again")
    assert refused(History.read(filled.path)) == before, "with room, changes are made again"
    assert filled.problems() == []
    assert filled.opened_anew() == []


@pytest.mark.parametrize("spares", [0, 1])
def test_one_blade_is_full(tmp_path: Path, seed: int, mounts: Mounts, spares: int) -> None:
    """The others carry on, with a spare blade in its stead if there is one."""
    drives = [small_drive(mounts, tmp_path / f"drive{number}") for number in range(3 + spares)]
    filled = Filled(tmp_path / "hub", [drive / "blade" for drive in drives], tmp_path / "journal", seed)
    filled.load("before", 5)
    full = next(drive for drive in drives if any((drive / "blade" / "segments").iterdir()))
    take_all_room(full)
    history = filled.load("beyond", 15)
    assert refused(history) == 0
    assert filled.problems() == []
    assert filled.opened_anew() == []


def test_the_drive_of_the_index_alone_is_full(tmp_path: Path, seed: int, mounts: Mounts) -> None:
    drive = small_drive(mounts, tmp_path / "drive")
    blades = [tmp_path / f"blade{number}" for number in range(3)]
    filled = Filled(drive / "hub", blades, tmp_path / "journal", seed)
    filled.load("before", 10)
    take_all_room(drive)
    rounds = 0
    while not refused(filled.load(f"fill{rounds}", 40)):
        rounds += 1
        assert rounds < 60
    assert filled.problems() == [], "reads go on"
    (drive / "others").unlink()
    before = refused(History.read(filled.path))
    filled.load("after", 3)
    assert refused(History.read(filled.path)) == before, "with room, changes are made again"
    assert filled.problems() == []
    assert filled.opened_anew() == []


@pytest.mark.parametrize(
    ("drive_bytes", "segment_bytes"),
    [
        (12 << 20, 256 << 20),  # the reserve is reached
        (5_000_000, 256 << 20),  # a drive whose reserve is less than a group: it ends in the middle of one
        (4_400_000, 500_000),  # the end of a log takes some of it, and there is no room for another log
    ],
)
def test_a_group_that_finds_no_room_leaves_none_for_any_of_it(
    tmp_path: Path, seed: int, mounts: Mounts, drive_bytes: int, segment_bytes: int
) -> None:
    """So small uploads that were refused together need not be tried one by one."""
    drive, chance = tmp_path / "drive", random.Random(seed)
    mounts.mount("tmpfs", drive, "-t", "tmpfs", "-o", f"size={drive_bytes}")
    pool = compose.create_pool(tmp_path / "hub", blades=[drive / "blade"], segment_bytes=segment_bytes)
    with contextlib.closing(pool):
        ns = Namespace(pool.store, "client")
        ns.buckets.create(BUCKET)
        names = (f"object {number}" for number in itertools.count())

        def put(sizes: list[int]) -> None:
            items = [PutItem(next(names), chance.randbytes(size)) for size in sizes]
            outcomes = place_together(pool.store, [ns.objects.prepare(BUCKET, item) for item in items])
            assert not any(isinstance(outcome, Exception) for outcome in outcomes)

        with pytest.raises(NoSpace):  # noqa: PT012 - whichever it is
            while True:
                put([130_000] * 8)
        for size in (100_000, 10_000, 1_000, 10):
            with pytest.raises(NoSpace):
                put([size])
        assert ns.objects.head(BUCKET, "object 0").size == 130_000
