"""Bulk writes, straight into strips: dead at each call, held until named, and no file left behind."""

from __future__ import annotations

import errno
import random
from collections.abc import Callable, Iterator

import pytest

from maruhub.errors import MaruError, NoSpace, Unavailable
from maruhub.store.commit.holds import Holds
from maruhub.store.commit.writer import Writer
from maruhub.store.format.extent import Blob, Blobs
from maruhub.store.format.packing import Load
from maruhub.store.format.segment_class import SegmentClass
from maruhub.store.seal.act import Outcome
from maruhub.store.seal.bulk import BulkWriter
from maruhub.store.seal.source import files_of
from maruhub.store.seal.strays import Strays
from maruhub.store.seal.strip_writer import StripFiles
from maruhub.store.store import PoolStore
from maruhub.testing.calls import Calls, Crash, Fault
from maruhub.testing.machine import Machine, replayable
from maruhub.testing.platter import Inode

OLD = b"o" * 9000
NEW = (b"a" * 50_000, b"b" * 10, b"c" * 4097, b"d" * 70_000)
KEYS = tuple(b"K%d" % number for number in range(len(NEW)))


@pytest.fixture(autouse=True)
def _replayable(request: pytest.FixtureRequest) -> Iterator[None]:
    with replayable(request.node.name):
        yield


def machine(blades: int = 6) -> tuple[Machine, Calls, PoolStore]:
    made, calls = Machine(blades, segment_bytes=256 << 10), Calls()
    made.bulk_bytes = 10_000
    store = made.start(calls).store
    name(store, [b"old"], store.append([OLD]))
    return made, calls, store


def name(store: PoolStore, keys: list[bytes], blobs: list[Blob]) -> None:
    def change(rows):
        for key, blob in zip(keys, blobs, strict=True):
            rows.put(key, b"", extents=blob)

    store.commit(change)


def put(store: PoolStore) -> None:
    name(store, list(KEYS), store.append(NEW))


def values(store: PoolStore) -> list[bytes] | None:
    """Of the new objects; None: none is there."""
    rows = [row for row in store.get_many(KEYS) if row is not None]
    assert len(rows) in (0, len(KEYS))
    found = store.read_many(Blobs.of([row.extents for row in rows]))
    return [bytes(data) for data in found if not isinstance(data, MaruError)] if rows else None


def old_value(store: PoolStore) -> bytes:
    (row,) = store.get_many([b"old"])
    (found,) = store.read_many(Blobs.of([row.extents if row else ()]))
    assert not isinstance(found, MaruError)
    return bytes(found)


def loose_files(made: Machine, store: PoolStore) -> list[str]:
    """Strips that no layout names."""
    named = {file for layout in store.layouts() for file in files_of(layout)}
    return [
        name
        for platter in made.platters
        for name in platter.files
        if name.endswith(".strip") and (platter.blade_id, name) not in named
    ]


def test_no_byte_of_a_bulk_write_goes_into_a_log():
    made, _, store = machine()
    before = sum(platter.used() for platter in made.platters)
    datas = [bytes([number]) * 8192 for number in range(16)]
    store.append(datas)
    (layout,) = [layout for layout in store.layouts() if layout.strips]
    assert layout.strips is not None
    assert (layout.strips.data, len(layout.blades), layout.generation) == (4, 6, 1)
    written = sum(platter.used() for platter in made.platters) - before
    headers, records = 6 * (4096 + 64), 3 * 4 * 4096
    assert written <= 1.5 * sum(map(len, datas)) + headers + records


@pytest.mark.parametrize("blades", [1, 2, 3])
def test_where_strips_are_copies_it_is_a_log_as_ever(blades: int):
    _, _, store = machine(blades)
    put(store)
    assert not [layout for layout in store.layouts() if layout.strips]
    assert values(store) == list(NEW)


@pytest.mark.parametrize("power", [False, True])
def test_death_at_each_call(power: bool):
    seen: set[bool] = set()
    for at in range(1, 200):
        made, calls, store = machine()
        calls.crash_at = calls.count + at
        try:
            put(store)
        except Crash:
            pass
        else:
            break
        made.cut_power(random.Random(at)) if power else made.kill_all()
        store = made.start().store
        found = values(store)
        assert found in (None, list(NEW)), at
        assert old_value(store) == OLD
        with store.acting() as acts:
            acts.sweep()
        assert not loose_files(made, store), at
        seen.add(found is None)
        put(store)
        made.lose_index()
        assert values(made.start().store) == list(NEW)
    assert seen == {False, True}


def test_any_two_blades_may_go_once_it_is_acknowledged():
    for one in range(6):
        for two in range(one):
            made, _, store = machine()
            put(store)
            made.cut_power(random.Random(one), index_loses=9)
            made.platters[one].leave()
            made.platters[two].leave()
            assert values(made.start().store) == list(NEW)


@pytest.mark.parametrize("kind", ["create", "write", "sync", "sync_names"])
@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
def test_a_blade_that_fails_sends_the_bytes_into_a_log(kind: str, error: int):
    made, calls, store = machine()
    store.append([b"x"])
    store.commit(lambda rows: rows.put(b"Kx", b""))
    calls.add(Fault(kind, 1, error, 1, 3))
    put(store)
    assert values(store) == list(NEW)
    assert not loose_files(made, store)
    made.lose_index()
    assert values(made.start().store) == list(NEW)


def test_it_is_held_until_it_is_named():
    _, _, store = machine()
    blobs = store.append(NEW)
    segment = blobs[0][0].segment
    with store.acting() as acts:
        assert acts.recut(segment).outcome == Outcome.HELD
        name(store, [KEYS[0]], [blobs[0]])
        assert acts.recut(segment).outcome == Outcome.HELD
        name(store, list(KEYS[1:]), blobs[1:])
        assert acts.recut(segment).outcome == Outcome.DONE
    assert values(store) == list(NEW)


def test_what_nobody_named_before_its_writer_let_go_is_there_until_an_act_comes():
    _, _, store = machine()
    blobs = store.append(NEW)
    late = store.append(NEW)
    with store.resting():
        pass
    name(store, list(KEYS), blobs)
    assert values(store) == list(NEW)
    with store.acting() as acts:
        assert acts.recut(blobs[0][0].segment).outcome == Outcome.DONE
        assert acts.recut(late[0][0].segment).outcome == Outcome.REMOVED
    with pytest.raises(Unavailable, match="named too late"):
        name(store, list(KEYS), late)
    assert values(store) == list(NEW)


def died_before_its_turn_counts(crash_in: str) -> tuple[Machine, PoolStore]:
    """A writer, and another process that lives on and knows the blades' folders as they are."""
    made, calls, store = machine()
    other = made.start().store
    calls.crash_in = crash_in
    with pytest.raises(Crash):
        store.append(NEW)
    made.processes[0].kill()
    return made, other


@pytest.mark.parametrize("crash_in", ["write", "sync", "commit"])
def test_what_a_dead_writer_left_is_swept_by_who_lives(crash_in: str):
    made, other = died_before_its_turn_counts(crash_in)
    assert loose_files(made, other)
    with other.acting() as acts:
        assert acts.sweep().files
    assert not loose_files(made, other)
    made.lose_index()
    assert old_value(made.start().store) == OLD


def test_strips_stay_where_the_index_was_made_anew():
    """What names them may stand in a log that nobody has shown it."""
    made, calls, store = machine()
    put(store)
    calls.crash_in = "sync"
    with pytest.raises(Crash):
        store.append(NEW)
    made.lose_index()
    again = made.start().store
    with again.acting() as acts:
        acts.sweep()
    assert loose_files(made, again)


def test_shares_that_nobody_got_addresses_of_are_let_go_of(monkeypatch: pytest.MonkeyPatch):
    _, _, store = machine()

    def full(*_: object) -> None:
        raise NoSpace("no room")

    monkeypatch.setattr(BulkWriter, "append", _first_share_only(BulkWriter.append))
    monkeypatch.setattr(Writer, "append", full)
    with pytest.raises(NoSpace):
        store.append([*NEW, bytes(100)])
    with store.acting() as acts:
        for layout in store.layouts():
            if layout.strips:
                assert acts.recut(layout.segment).outcome == Outcome.REMOVED


def _first_share_only(append: Callable[..., list[int]]) -> Callable[..., list[int]]:
    """A bulk write after which something is left for a log."""

    def some(bulk: BulkWriter, load: Load, segment_class: SegmentClass) -> list[int]:
        last, load.pieces[:] = load.pieces[-1], load.pieces[:-1]
        made = append(bulk, load, segment_class)
        load.pieces.append(last)
        return made

    return some


def test_strips_stay_where_the_hub_was_made_of_some_blades_only():
    """What names them may stand in a log on the others."""
    made, calls, store = machine()
    put(store)
    calls.crash_in = "sync"
    with pytest.raises(Crash):
        store.append(NEW)
    made.lose_index()
    made.platters.pop()
    assert loose_files(made, made.start().store)


@pytest.mark.parametrize("pool_id", [None, b"another pool's.."])
def test_strips_of_another_pool_stay(pool_id: bytes | None):
    made, _, store = machine()
    put(store)
    files = made.platters[0].files
    name = next(name for name in files if name.endswith(".strip"))
    other = f"{77:016x}{name[16:]}"
    files[other] = Inode()
    data = bytearray(files[name].data)
    data[16:32] = pool_id or data[16:32]
    files[other].write(0, bytes(data))
    files[other].sync()
    made.platters[0].stable_files[other] = files[other]
    made.cut_power(random.Random(1))
    again = made.start().store
    with again.acting() as acts:
        acts.sweep()
    assert loose_files(made, again) == ([other] if pool_id else [])


def test_what_a_living_writer_is_at_is_not_swept(monkeypatch: pytest.MonkeyPatch):
    made, _, store = machine()
    other = made.start().store
    sync = StripFiles.sync

    def swept_meanwhile(files: StripFiles) -> None:
        with other.acting() as acts:
            assert not acts.sweep().files
        sync(files)

    monkeypatch.setattr(StripFiles, "sync", swept_meanwhile)
    put(store)
    assert [layout for layout in store.layouts() if layout.strips]
    assert values(store) == list(NEW)


def acknowledged_then_the_power_goes() -> None:
    for seed in range(10):
        made, _, store = machine()
        put(store)
        made.cut_power(random.Random(seed))
        assert values(made.start().store) == list(NEW)


def cut_before_it_is_named() -> None:
    _, _, store = machine()
    blobs = store.append(NEW)
    with store.acting() as acts:
        acts.recut(blobs[0][0].segment)
    name(store, list(KEYS), blobs)
    assert values(store) == list(NEW)


def swept_beside_a_turn_that_died() -> None:
    """Its turn may count after all: then what it names must be there, or it must be void."""
    made, other = died_before_its_turn_counts("commit")
    with other.acting() as acts:
        acts.sweep()
    made.kill_all()
    store = made.start().store
    for layout in store.layouts():
        for blade_id, name in files_of(layout):
            assert name in made.platters[int.from_bytes(blade_id, "big")].files


def skip_sync(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(StripFiles, "sync", lambda files: None)


def skip_hold(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Holds, "is_held", lambda *_: False)


def sweep_without_settling(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Strays, "_settle", lambda *_: None)


PLANTED: dict[Callable[[pytest.MonkeyPatch], None], Callable[[], None]] = {
    skip_sync: acknowledged_then_the_power_goes,
    skip_hold: cut_before_it_is_named,
    sweep_without_settling: swept_beside_a_turn_that_died,
}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_planted_fault_is_reported(plant, monkeypatch: pytest.MonkeyPatch):
    plant(monkeypatch)
    with pytest.raises((MaruError, AssertionError)):
        PLANTED[plant]()


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_the_same_is_green_with_all_safeguards(plant):
    PLANTED[plant]()
