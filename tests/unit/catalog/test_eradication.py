"""Dropped versions go when their delay is over, with what only they named, and nothing else."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from maruhub import compose
from maruhub.api.reclaim import reclaim_of
from maruhub.care.reclaim import Expired, Hold
from maruhub.catalog import Catalog, Dataset
from maruhub.catalog import row as rows_of
from maruhub.catalog.eradication import DroppedVersions, LooseFragments, LooseViews
from maruhub.catalog.row import DatasetRow, VersionRow
from maruhub.errors import InvalidInput, NoSuchVersion, NotFound, Refused
from maruhub.namespace import Namespace, PutItem
from maruhub.store.protocol import get
from maruhub.store.seal.act import Outcome
from maruhub.store.store import PoolStore
from tests.clocks import Clocks

DAY_S = 86_400
Later = Callable[[float], None]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PoolStore]:
    pool = compose.create_pool(tmp_path / "hub", n=1, segment_bytes=4 << 20)
    yield pool.store
    pool.close()


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """Lets so many seconds pass on this machine's boot clock."""
    clocks = Clocks(monkeypatch)
    return lambda seconds: clocks.advance(boot_us=seconds * 1e6)


@pytest.fixture
def cats(ns: Namespace, catalog: Catalog) -> Dataset:
    """v1 with ten samples, v2 with six more (in a new fragment of all), v3 with labels, v4 without those six."""
    dataset = catalog.dataset("cats")
    ns.buckets.set_delay("photos", 10**9)
    ns.objects.put_many("photos", [PutItem(f"cats/{n:02}.jpg", bytes([n]) * 100) for n in range(10)])
    dataset.commit("photos/cats/")
    new = [f"cats/new{n}.jpg" for n in range(6)]
    ns.objects.put_many("photos", [PutItem(key, key.encode()) for key in new])
    dataset.commit()
    dataset.label(pa.table({"key": new, "breed": ["siam"] * 6}))
    ns.objects.delete_many("photos", new)
    dataset.commit()
    return dataset


def fragments(store: PoolStore) -> set[str]:
    return {row.key[1:].hex() for row in store.scan(b"F", b"G", 1000)}


def named_by(dataset: Dataset) -> set[str]:
    numbers = [info.number for info in dataset.versions()]
    return {name for n in numbers for name in dataset[n].manifest.root.fragments()}


def test_a_dropped_version_goes_after_its_delay_with_what_only_it_named(
    store: PoolStore, cats: Dataset, later: Later
) -> None:
    cats.tag("first", "v1")
    cats.drop("v1")
    cats.drop("v3")
    before = fragments(store)
    later(DAY_S - 60)
    assert reclaim_of(store).expire() == Expired()
    later(120)
    expired = reclaim_of(store).expire()
    left = fragments(store)
    assert left == named_by(cats) < before
    assert expired.rows == {"dataset version": 2, "fragment": len(before - left)}
    assert [info.name for info in cats.versions(dropped=True)] == ["v2", "v4"]
    assert [len(cats[name].table()) for name in ("v2", "v4")] == [16, 10]
    assert cats["v4"].table(["breed"])["breed"].to_pylist() == [None] * 10
    for gone in ("v1", "v3", "first"):
        with pytest.raises(NoSuchVersion):
            cats[gone]
        with pytest.raises(NoSuchVersion):
            cats.info(gone)
    with pytest.raises(NoSuchVersion):
        cats.undrop("v1")
    cats.tag("first", "v2")
    assert reclaim_of(store).expire() == Expired()


def test_a_whole_dataset_goes_and_its_numbers_are_never_used_again(
    store: PoolStore, ns: Namespace, cats: Dataset, later: Later
) -> None:
    cats.drop_all()
    later(DAY_S + 60)
    assert reclaim_of(store).expire().rows["dataset version"] == 4
    assert fragments(store) == set()
    assert cats.versions(dropped=True) == []
    assert cats.commit("photos/cats/").name == "v5"
    assert len(cats.latest.table()) == 10


def test_longer_delays_hold(store: PoolStore, cats: Dataset, later: Later) -> None:
    cats.drop("v1", delay_s=3 * DAY_S)
    later(2 * DAY_S)
    assert reclaim_of(store).expire() == Expired()
    cats.undrop("v1")
    later(2 * DAY_S)
    assert reclaim_of(store).expire() == Expired()
    assert len(cats["v1"].table()) == 10


def test_a_version_brought_back_between_finding_and_turn_stays(
    store: PoolStore, cats: Dataset, later: Later
) -> None:
    cats.drop("v1")
    later(DAY_S + 60)
    parts = [DroppedVersions(store), LooseFragments(store)]
    found = [list(part.findings()) for part in parts]
    assert len(found[0]) == 1
    assert found[1]
    cats.undrop("v1")
    for part, each in zip(parts, found, strict=True):
        assert store.commit(part.removal(each)) == []
    assert len(cats["v1"].table()) == 10


def test_fragments_wait_for_their_versions(store: PoolStore, cats: Dataset, later: Later) -> None:
    cats.drop("v1")
    later(DAY_S + 60)
    part = LooseFragments(store)
    assert store.commit(part.removal(list(part.findings()))) == []


def test_fragments_stay_if_a_dataset_changed_meanwhile(
    store: PoolStore, ns: Namespace, catalog: Catalog, cats: Dataset, later: Later
) -> None:
    """Another dataset names the same content: the fragment that was loose is named again."""
    cats.drop("v1")
    later(DAY_S + 60)
    store.commit((dropped := DroppedVersions(store)).removal(list(dropped.findings())))
    part = LooseFragments(store)
    found = list(part.findings())
    loose = {finding.key[1:].hex() for finding in found}
    for n in range(10):
        ns.objects.copy("photos", f"cats/{n:02}.jpg", "photos", f"kept/{n:02}.jpg")
    other = catalog.dataset("others").commit("photos/kept/")
    assert store.commit(part.removal(found)) == []
    assert loose <= fragments(store)
    assert len(other.table()) == 10


def test_a_draft_whose_fragment_went_is_made_again(
    store: PoolStore, catalog: Catalog, cats: Dataset, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was there when the draft was made, and removed with its last version before it was published."""
    from maruhub.catalog.commit import Growth

    cats.drop_all()
    later(DAY_S + 60)
    drafted, known = Growth.draft, []

    def overtaken(self, name, number):
        draft = drafted(self, name, number)
        known.append([fragment.blob is None for fragment in draft.fragments])
        reclaim_of(store).expire()
        return draft

    monkeypatch.setattr(Growth, "draft", overtaken)
    version = catalog.dataset("others").commit("photos/cats/")
    assert known == [[True], [False]]
    assert set(version.manifest.root.fragments()) == fragments(store)
    assert len(version.table()) == 10


def test_one_root_that_cannot_be_read_keeps_all_fragments(
    store: PoolStore, cats: Dataset, later: Later
) -> None:
    cats.drop("v1")
    later(DAY_S + 60)
    key = rows_of.version_key("cats", 2)
    row = get(store, key)
    assert row is not None
    blob = store.append([b"no root"])[0]
    store.commit(lambda rows: rows.put(key, row.payload, extents=blob))
    before = fragments(store)
    assert reclaim_of(store).expire().rows == {"dataset version": 1}
    assert fragments(store) == before
    held = [group for group in reclaim_of(store).survey().groups.values() if group.hold == "doubt"]
    assert [(group.where, group.hold) for group in held] == [("cats@v2", "doubt")]


@pytest.mark.parametrize("field", ["hold", "lock"])
def test_what_a_later_release_locks_stays(store: PoolStore, cats: Dataset, later: Later, field: str) -> None:
    cats.drop("v1")
    key = rows_of.version_key("cats", 1)
    row = get(store, key)
    assert row is not None
    locked = dataclasses.replace(VersionRow.decode(row), more={field: True})
    store.commit(lambda rows: rows.put(key, locked.encode(), extents=row.extents))
    later(DAY_S + 60)
    assert [finding.hold for finding in DroppedVersions(store).findings()] == [Hold.DOUBT]
    assert reclaim_of(store).expire() == Expired()


def test_saved_views_go_with_their_version(
    store: PoolStore, catalog: Catalog, cats: Dataset, later: Later
) -> None:
    gone, stays = cats["v1"].sample(3, seed=1), cats["v4"].sample(3, seed=1)
    for view in (gone, stays):
        view.save()
    cats.drop("v1")
    assert list(LooseViews(store).findings()) == []
    later(DAY_S + 60)
    part = LooseViews(store)
    found = list(part.findings())
    assert store.commit(part.removal(found)) == []
    assert reclaim_of(store).expire().rows["view"] == 1
    assert len(catalog.view(stays.digest)) == 3
    with pytest.raises(NotFound):
        catalog.view(gone.digest)


def test_a_version_holds_the_bytes_of_objects_that_are_gone(
    store: PoolStore, ns: Namespace, cats: Dataset
) -> None:
    ns.buckets.set_delay("photos", 0)
    ns.objects.put("photos", "beside", b"x" * 50)
    ns.objects.delete("photos", "beside")
    ns.objects.delete("photos", "cats/00.jpg")
    survey = reclaim_of(store).survey()
    told = {(g.kind, g.hold, g.held_by[:6]): (g.count, g.freed_bytes) for g in survey.groups.values()}
    assert told == {
        ("object version", "delay", ""): (6, 0),
        ("object version", "", ""): (1, 50),
        ("object version", "", "cats@v"): (1, 0),
    }


def test_retention_refuses_drops_and_outlives_delays(store: PoolStore, cats: Dataset, later: Later) -> None:
    until = cats.retain("v1", for_s=5 * DAY_S)
    assert abs(until - datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=5)).total_seconds() < 60
    assert cats.info("v1").retained_until is not None
    assert cats.info("v1").actor == "tester@here"
    assert cats.info("v2").retained_until is None
    for refused in (lambda: cats.drop("v1"), cats.drop_all):
        with pytest.raises(Refused, match="v1 is retained"):
            refused()
    assert len(cats.versions()) == 4
    assert cats.retain("v1", for_s=60) >= until - datetime.timedelta(seconds=2)
    cats.drop("v2")
    cats.retain(for_s=3 * DAY_S)
    with pytest.raises(Refused, match="v3 is retained"):
        cats.drop("v3")
    later(2 * DAY_S)
    assert reclaim_of(store).expire() == Expired()
    assert {
        group.hold for group in reclaim_of(store).survey().groups.values() if group.kind != "object version"
    } == {"retention"}
    later(2 * DAY_S)
    assert reclaim_of(store).expire().rows["dataset version"] == 1
    cats.drop("v3")
    with pytest.raises(Refused):
        cats.drop("v1")
    later(2 * DAY_S)
    cats.drop("v1")


def test_a_retained_dataset_keeps_what_comes_later_and_its_fields(
    store: PoolStore, ns: Namespace, cats: Dataset
) -> None:
    cats.retain(until=datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=9))
    ns.objects.put("photos", "cats/later.jpg", b"later")
    cats.commit()
    cats.set_split((0.8, 0.1, 0.1))
    with pytest.raises(Refused):
        cats.drop("v5")
    row = get(store, rows_of.dataset_key("cats"))
    assert row is not None
    assert DatasetRow.decode(row).more["retain_until_us"] > store.pool_time_us()
    with pytest.raises(InvalidInput):
        cats.retain("v5")
    cats2 = Catalog(ns).dataset("nothing")
    with pytest.raises(NotFound):
        cats2.retain(for_s=5)


def test_a_commit_goes_on_although_segments_are_rewritten_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Acts overtake the draft: it is looked over, and published without being made anew."""
    from maruhub.catalog import commit

    pool = compose.create_pool(tmp_path / "other", n=4, segment_bytes=1 << 20)
    ns = Namespace(pool.store, "tester")
    for n in range(40):
        ns.objects.put("photos", f"cats/{n}", bytes([n]) * 60_000, create_bucket=True)
    drafts: list[int] = []
    growth = commit.Growth.draft

    def overtaken(self, name, number):
        draft = growth(self, name, number)
        drafts.append(recut_all(pool))
        return draft

    monkeypatch.setattr(commit.Growth, "draft", overtaken)
    version = Catalog(ns).dataset("cats").commit("photos/cats/")
    assert len(drafts) == 1
    assert drafts[0] > 0
    assert [len(view) for view in pool.store.read_many(version.blobs(range(40)))] == [60_000] * 40
    pool.close()


def recut_all(pool: compose.OpenPool) -> int:
    done = 0
    for segment in [layout.segment for layout in pool.store.layouts() if layout.closed]:
        outcome = Outcome.BUSY
        # Whoever filled the segment may be sealing it just now.
        while outcome in (Outcome.BUSY, Outcome.CHANGED):
            with pool.store.acting() as acts:
                outcome = acts.recut(segment).outcome
        done += outcome is Outcome.DONE
    return done


def test_a_commit_never_names_bytes_that_were_left_out_while_it_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deleted, expired and compacted between the listing and the publishing: made again without them."""
    from maruhub.catalog import commit

    pool = compose.create_pool(tmp_path / "other", n=4, segment_bytes=1 << 20)
    ns = Namespace(pool.store, "tester")
    ns.buckets.create("photos", delay_s=0)
    for n in range(40):
        ns.objects.put("photos", f"cats/{n:02}", bytes([n]) * 60_000)
    growth, drafts = commit.Growth.draft, []

    def overtaken(self, name, number):
        draft = growth(self, name, number)
        drafts.append(draft.root.rows)
        if len(drafts) == 1:
            ns.objects.delete_many("photos", [f"cats/{n:02}" for n in range(0, 40, 2)])
            assert reclaim_of(pool.store).expire().rows == {"object version": 20}
            assert recut_all(pool) > 0
        return draft

    monkeypatch.setattr(commit.Growth, "draft", overtaken)
    version = Catalog(ns).dataset("cats").commit("photos/cats/")
    assert drafts == [40, 20]
    found = pool.store.read_many(version.blobs(range(20)))
    assert [bytes(view)[0] for view in found] == list(range(1, 40, 2))
    pool.close()


def test_roots_are_read_again_only_after_a_version_came_or_went(
    store: PoolStore, ns: Namespace, cats: Dataset, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    from maruhub.catalog import eradication

    roots = []
    real = eradication.Root.decode
    monkeypatch.setattr(eradication.Root, "decode", lambda data: roots.append(1) or real(data))
    part = LooseFragments(store)
    for expected in (4, 0):
        assert list(part.findings()) == []
        assert len(roots) == expected
        roots.clear()
    ns.objects.put("photos", "cats/another", b"x")
    cats.commit()
    roots.clear()
    assert list(part.findings()) == []
    assert len(roots) == 5
    cats.drop("v1")
    later(DAY_S + 60)
    assert store.commit((dropped := DroppedVersions(store)).removal(list(dropped.findings())))
    for _ in range(2):
        roots.clear()
        assert len(list(part.findings())) == 1
        assert len(roots) == 4
