"""Random days of a hub, with expiry and acts in between: all that may be read is there, byte for byte."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from maruhub import compose
from maruhub.api.reclaim import reclaim_of
from maruhub.care.reclaim import Finding
from maruhub.catalog import Catalog
from maruhub.catalog.eradication import LooseFragments
from maruhub.errors import MaruError
from maruhub.namespace import Namespace
from maruhub.store.format.extent import EXTENT_DTYPE, ExtentArray
from maruhub.store.format.row import Row
from maruhub.store.protocol import Change, Rows
from maruhub.store.seal.act import Outcome
from tests.clocks import Clocks

DAY_US = 86_400 * 10**6
STEPS = 120


class Days:
    """A hub, what it must hold, and one random thing after the other."""

    def __init__(self, pool: compose.OpenPool, seed: int, advance: Callable[[int], None]) -> None:
        self.pool = pool
        self.chance = random.Random(seed)
        self.advance = advance
        self.ns = Namespace(pool.store, "me")
        self.ns.buckets.create("photos", delay_s=86_400)
        self.dataset = Catalog(self.ns).dataset("cats")
        self.objects: dict[str, bytes] = {}
        self.versions: dict[int, dict[str, bytes]] = {}
        self.dropped: dict[int, dict[str, bytes]] = {}
        self.acts = 0

    def step(self) -> None:
        ops = [self.put, self.put, self.put, self.delete, self.delete, self.commit, self.drop]
        ops += [self.undrop, self.day, self.expire, self.expire, self.recut, self.recut]
        self.chance.choice(ops)()

    def put(self) -> None:
        items = {f"{self.chance.randrange(30):02}": self.chance.randbytes(self.size()) for _ in range(3)}
        for key, data in items.items():
            self.ns.objects.put("photos", key, data)
        self.objects |= items

    def size(self) -> int:
        return self.chance.choice([0, 10, 1000, 1000, 5000, 60_000, 200_000])

    def delete(self) -> None:
        keys = self.chance.sample(sorted(self.objects), min(4, len(self.objects)))
        self.ns.objects.delete_many("photos", keys)
        for key in keys:
            data = self.objects.pop(key)
            if self.chance.random() < 0.2:
                self.ns.past.undelete("photos", key)
                self.objects[key] = data

    def commit(self) -> None:
        if self.objects:
            version = self.dataset.commit("photos")
            self.versions[version.number] = dict(self.objects)

    def drop(self) -> None:
        if self.versions:
            number = self.chance.choice(sorted(self.versions))
            self.dataset.drop(number)
            self.dropped[number] = self.versions.pop(number)

    def undrop(self) -> None:
        """Brings back a version if it can still be had; within its delay it always can."""
        if self.dropped:
            number = self.chance.choice(sorted(self.dropped))
            held = self.dropped.pop(number)
            try:
                self.dataset.undrop(number)
            except MaruError:
                infos = [info.number for info in self.dataset.versions(dropped=True)]
                assert number not in infos
            else:
                self.versions[number] = held

    def day(self) -> None:
        self.advance(DAY_US * 2 // 3)

    def expire(self) -> None:
        reclaim_of(self.pool.store).expire()

    def recut(self) -> None:
        for segment in [layout.segment for layout in self.pool.store.layouts() if layout.closed]:
            with self.pool.store.acting() as acts:
                self.acts += acts.recut(segment).outcome in (Outcome.DONE, Outcome.REMOVED)

    def verify(self) -> None:
        found = self.ns.objects.read_many("photos", sorted(self.objects))
        assert whole(found) == [self.objects[key] for key in sorted(self.objects)]
        for number, held in self.versions.items():
            version = self.dataset[number]
            rows = range(len(version))
            keys = [name.partition("/")[2] for name in version.ids(rows)]
            found = self.pool.store.read_many(version.blobs(rows))
            assert dict(zip(keys, whole(found), strict=True)) == held


def whole(found: Sequence[memoryview | MaruError]) -> list[bytes]:
    """The bytes of all; raises the first one's error."""
    for one in found:
        if isinstance(one, MaruError):
            raise one
    return [bytes(one) for one in found if not isinstance(one, MaruError)]


@pytest.fixture
def advance(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Lets so many microseconds pass on this machine's boot clock."""
    clocks = Clocks(monkeypatch)
    return lambda span_us: clocks.advance(boot_us=span_us)


def live_through(folder: Path, seed: int, advance: Callable[[int], None]) -> None:
    pool = compose.create_pool(folder, n=3, segment_bytes=1 << 20)
    try:
        days = Days(pool, seed, advance)
        for number in range(STEPS):
            days.step()
            if number % 20 == 19:
                days.verify()
        days.put()
        days.commit()
    finally:
        pool.close()
    # Nothing is mapped or remembered any more: what counts is what is on the blades.
    days.pool = pool = compose.open_pool(folder)
    try:
        days.ns = Namespace(pool.store, "me")
        days.dataset = Catalog(days.ns).dataset("cats")
        days.verify()
        assert pool.check().ok
        assert days.acts > 5
    finally:
        pool.close()


def live_through_all(folders: Sequence[Path], advance: Callable[[int], None]) -> None:
    for seed, folder in enumerate(folders):
        live_through(folder, seed, advance)


@pytest.mark.parametrize("seed", range(4))
def test_all_that_may_be_read_is_there(tmp_path: Path, advance: Callable[[int], None], seed: int) -> None:
    live_through(tmp_path / "hub", seed, advance)


def _points_nowhere(pool: compose.OpenPool, row: Row) -> ExtentArray:
    return np.empty(0, EXTENT_DTYPE)


def _removes_unasked(part: LooseFragments, found: Sequence[Finding]) -> Change[list[bytes]]:
    def change(rows: Rows) -> list[bytes]:
        keys = [row.key for row in rows.scan(b"F", b"G", 1000)][::2]
        for key in keys:
            rows.remove(key)
        return keys

    return change


@pytest.mark.parametrize(
    ("where", "instead"),
    [
        ("maruhub.compose.OpenPool.resolve", _points_nowhere),
        ("maruhub.catalog.eradication.LooseFragments.removal", _removes_unasked),
    ],
    ids=["manifests are not asked", "fragments go that are named"],
)
def test_planted_faults_are_seen(
    tmp_path: Path,
    advance: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    instead: object,
) -> None:
    monkeypatch.setattr(where, instead)
    folders = [tmp_path / f"hub{seed}" for seed in range(4)]
    with pytest.raises((AssertionError, MaruError)):
        live_through_all(folders, advance)
