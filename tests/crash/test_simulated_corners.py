"""Corners that random scripts hardly reach, each made on purpose: bytes that nobody would sync,
evidence that rotted, copies that fail one after the other, an index emptied under a writer."""

from __future__ import annotations

import errno
import random
from collections.abc import Iterator

import pytest

from maruhub.errors import MaruError, NoSpace, Unavailable
from maruhub.store.format.extent import Blob, Blobs
from maruhub.store.format.header import log_name
from maruhub.store.format.segment_class import SegmentClass
from maruhub.store.protocol import Rows, read
from maruhub.store.seal.act import Outcome
from maruhub.store.store import PoolStore
from maruhub.testing.calls import Calls, Crash, Fault
from maruhub.testing.machine import Machine, Process, replayable

LATE = b"late" * 2000


@pytest.fixture(autouse=True)
def _replayable(request: pytest.FixtureRequest) -> Iterator[None]:
    with replayable(request.node.name):
        yield


def recut_behind_a_checkpoint(store: PoolStore) -> None:
    """Every closed segment is cut anew, without the records that a checkpoint holds."""
    covered = store.checkpoint().began_after
    store.close_logs(0)
    with store.acting() as acts:
        for layout in [layout for layout in store.layouts() if layout.closed]:
            acts.recut(layout.segment, covered=covered)


def machine(blades: int, *, capacity: int = 0) -> tuple[Machine, Calls, PoolStore]:
    made, calls = Machine(blades, capacity=capacity), Calls()
    return made, calls, made.start(calls).store


def put(store: PoolStore, key: bytes, blob: Blob) -> None:
    store.commit(lambda rows: rows.put(key, b"", extents=blob))


def put_bytes(store: PoolStore, key: bytes, data: bytes, kind: SegmentClass = SegmentClass.RAW) -> Blob:
    blob = store.append([data], kind)[0]
    put(store, key, blob)
    return blob


def value(store: PoolStore, key: bytes) -> bytes | MaruError | None:
    row = store.get_many([key])[0]
    if row is None:
        return None
    found = store.read_many(Blobs.of([row.extents]))[0]
    return found if isinstance(found, MaruError) else bytes(found)


def fail_next(calls: Calls, kind: str, *, blade: int | None = None, skip: int = 0, times: int = 1) -> None:
    nth = calls._seen[kind, blade] + 1 + skip
    calls.faults = (*calls.faults, Fault(kind, nth, errno.EIO, times, blade))


def drop_unsynced(machine: Machine) -> PoolStore:
    """The power goes, and takes everything with it that was not synced."""
    machine.kill_all()
    for platter in machine.platters:
        for inode in platter.files.values():
            inode.data, inode.unsynced, inode.owner = bytearray(inode.stable), [], None
        platter.files = dict(platter.stable_files)
        platter.changed()
    machine._new_boot()
    return machine.start().store


def test_bytes_of_a_log_that_failed_under_others_are_refused():
    made, calls, store = machine(1)
    put_bytes(store, b"K0", b"a")
    late, other = store.append([LATE, b"other"])
    fail_next(calls, "sync")
    with pytest.raises(Unavailable):
        put(store, b"K1", other)
    with pytest.raises(Unavailable):
        put(store, b"K2", late)
    put_bytes(store, b"K3", LATE)
    store = drop_unsynced(made)
    assert [value(store, key) for key in (b"K1", b"K2", b"K3")] == [None, None, LATE]


def test_bytes_appended_before_the_logs_were_let_go_of_are_refused():
    made, _, store = machine(3)
    put_bytes(store, b"K0", b"a")
    late = store.append([LATE])[0]
    with store.resting():
        pass
    with pytest.raises(Unavailable, match="Append them again"):
        put(store, b"K2", late)
    put_bytes(store, b"K3", LATE)
    store = drop_unsynced(made)
    assert [value(store, b"K2"), value(store, b"K3")] == [None, LATE]


def test_bytes_appended_by_another_process_are_refused_until_they_are_durable():
    made, _, one = machine(3)
    put_bytes(one, b"K0", b"a")
    two = made.start().store
    late, copied = one.append([LATE, b"copied"])
    with pytest.raises(Unavailable, match="another process"):
        put(two, b"K2", late)
    put(one, b"K1", copied)
    put(two, b"K3", copied)  # by reference: a row names it, so it is durable
    store = drop_unsynced(made)
    assert [value(store, key) for key in (b"K1", b"K2", b"K3")] == [b"copied", None, b"copied"]


def test_bytes_in_a_segment_that_nobody_knows_are_refused():
    _, _, one = machine(3)
    _, _, stranger = machine(3)
    with pytest.raises(Unavailable):
        put(stranger, b"K", one.append([LATE])[0])


def test_a_refused_change_spares_the_others_of_its_turn():
    made, _, one = machine(3)
    two = made.start().store
    late = one.append([LATE])[0]
    good = two.append([b"good"])[0]
    with pytest.raises(Unavailable):
        put(two, b"K1", late)
    put(two, b"K2", good)
    assert value(drop_unsynced(made), b"K2") == b"good"


def test_a_full_log_that_fails_costs_one_turn():
    _, calls, store = machine(1)
    put_bytes(store, b"K0", bytes(60_000))
    store.append([bytes(30_000)])
    fail_next(calls, "sync")
    with pytest.raises(Unavailable):
        put_bytes(store, b"K1", b"a")
    for number in range(3):
        put_bytes(store, b"K2", b"%d" % number)
    assert value(store, b"K2") == b"2"


def test_a_full_log_that_loses_a_copy_gets_another():
    _, calls, store = machine(4)
    first = put_bytes(store, b"K0", bytes(60_000))[0].segment
    blob = store.append([b"b" * 3000])[0]
    failing = int.from_bytes(next(iter(store.layouts())).blades[0], "big")
    store.append([bytes(30_000)])
    fail_next(calls, "sync", blade=failing)
    put(store, b"K1", blob)
    (layout,) = (layout for layout in store.layouts() if layout.segment == first)
    assert layout.closed
    assert len(layout.blades) == 3
    assert failing.to_bytes(16, "big") not in layout.blades


def test_a_copy_that_fails_while_another_is_mended_is_given_up_too():
    _, calls, store = machine(5)
    first = put_bytes(store, b"K0", b"a")[0].segment
    one, two = (int.from_bytes(blade, "big") for blade in next(iter(store.layouts())).blades[:2])
    fail_next(calls, "sync", blade=one, times=0)
    fail_next(calls, "sync", blade=two, skip=1, times=0)
    put_bytes(store, b"K1", b"b")
    (layout,) = (layout for layout in store.layouts() if layout.segment == first)
    assert len(layout.blades) == 3
    assert not {one, two} & {int.from_bytes(blade, "big") for blade in layout.blades}


def test_a_full_drive_isnt_littered():
    made, _, store = machine(1, capacity=100_000)
    refused = 0
    for number in range(40):
        try:
            put_bytes(store, b"K%02d" % number, bytes(9000))
        except NoSpace:
            refused += 1
    assert refused > 20
    assert len(made.platters[0].files) < 6


def test_rot_in_a_turn_that_is_known_to_be_acknowledged_costs_one_object():
    """One blade, no index: a later turn proves the earlier one, so nobody asks for its bytes."""
    made, _, store = machine(1)
    blobs = store.append([b"x" * 5000, b"y" * 5000])

    def both(rows: Rows) -> None:
        rows.put(b"K0", b"", extents=blobs[0])
        rows.put(b"K1", b"", extents=blobs[1])

    store.commit(both)
    put_bytes(store, b"K2", b"z", SegmentClass.META)
    made.platters[0].rot(log_name(blobs[0][0].segment), blobs[0][0].offset + 10)
    made.lose_index()
    store = made.start().store
    assert isinstance(value(store, b"K0"), MaruError)
    assert [value(store, b"K1"), value(store, b"K2")] == [b"y" * 5000, b"z"]


@pytest.mark.parametrize("kind", list(SegmentClass))
def test_what_a_dead_writer_left_is_durable_before_anybody_sees_it(kind: SegmentClass):
    """Killed before its syncs, recovered in the same boot, then the power goes."""
    seen_any = False
    for at in range(1, 60):
        made, calls, store = machine(3)
        put_bytes(store, b"K0", b"a")
        put_bytes(store, b"K5", b"a", SegmentClass.META)
        blob = store.append([b"d" * 9000], kind)[0]
        calls.crash_at = calls.count + at
        try:
            put(store, b"K1", blob)
        except Crash:
            pass
        else:
            break
        made.kill_all()
        seen = value(made.start().store, b"K1")
        seen_any |= seen is not None
        assert seen in (None, b"d" * 9000)
        assert value(drop_unsynced(made), b"K1") == seen, at
    assert seen_any


def test_a_copy_that_was_given_up_gets_nothing_of_the_last_turn():
    """Behind what it lacks, a batch would lead to one that it never had."""
    made, calls, store = machine(3)
    blob = put_bytes(store, b"K0", b"a" * 5000)
    fail_next(calls, "write", blade=1)
    put_bytes(store, b"K1", b"b" * 5000)
    put_bytes(store, b"K2", b"c" * 5000)
    given_up = made.platters[1].files[log_name(blob[0].segment)]
    before = bytes(given_up.data)
    made.cut_power(random.Random(1), index_loses=1)
    process = made.start()
    assert process.recovered.turns_replayed == 1
    assert bytes(given_up.data) == before
    assert value(process.store, b"K2") == b"c" * 5000


def test_a_read_error_never_passes_for_a_torn_turn():
    """One blade: the drive can't read the last turn's bytes now. It is not dropped for that."""
    for nth in range(1, 12):
        made, _, store = machine(1)
        put_bytes(store, b"K0", b"a" * 5000)
        made.lose_index()
        calls = Calls(faults=(Fault("read", nth, errno.EIO, 0),))
        try:
            found = value(made.start(calls).store, b"K0")
            assert found == b"a" * 5000 or isinstance(found, MaruError)
        except MaruError:
            pass
        made.kill_all()
        again = made.start().store
        put_bytes(again, b"K1", b"b")
        assert value(again, b"K0") == b"a" * 5000, nth


def test_an_index_emptied_under_a_writer_is_noticed():
    made, _, store = machine(1)
    blob = put_bytes(store, b"K0", b"a")
    made.index.put_back({})
    with pytest.raises(Unavailable, match="not complete"):
        put_bytes(store, b"K1", b"b")
    with pytest.raises(Unavailable, match="not complete"):
        store.checkpoint()
    made.lose_index()
    assert bytes(read(made.start().store, blob)) == b"a"


def test_damaged_records_cost_only_themselves_once_losses_are_accepted():
    made, _, store = machine(1)
    for number in range(6):
        put_bytes(store, b"K%d" % number, b"v%d" % number)
    segment = next(iter(store.layouts())).segment
    inode = made.platters[0].files[log_name(segment)]
    made.platters[0].rot(log_name(segment), inode.data.index(b"K3"))
    made.lose_index()
    with pytest.raises(MaruError, match="damaged in every copy"):
        made.start()
    process = Process(made, Calls(), ())
    process.recovery.run(accept_loss=True)
    kept = [value(process.store, b"K%d" % number) for number in range(6)]
    assert kept == [b"v0", b"v1", b"v2", None, b"v4", b"v5"]


def _sealed(store: PoolStore, segment: int) -> None:
    store.close_logs(0)
    with store.acting() as acts:
        assert acts.recut(segment).outcome in (Outcome.DONE, Outcome.REMOVED)


def test_dead_bytes_beside_living_ones_in_a_page_are_refused():
    """An act has made zeros of them, although their page is kept."""
    _, _, store = machine(4)
    alive, dead = store.append([b"alive", b"dead" * 20])
    put(store, b"K0", alive)
    put(store, b"K1", dead)
    store.commit(lambda rows: rows.remove(b"K1"))
    _sealed(store, alive[0].segment)
    with pytest.raises(Unavailable, match="too late"):
        put(store, b"K2", dead)
    put(store, b"K3", alive)
    assert [value(store, key) for key in (b"K0", b"K2", b"K3")] == [b"alive", None, b"alive"]


def test_an_index_is_made_anew_where_a_checkpoint_covers_all_of_a_segments_records():
    made, _, store = machine(4)
    blob = put_bytes(store, b"K0", b"a" * 9000)
    covered = store.checkpoint().began_after
    store.close_logs(0)
    with store.acting() as acts:
        assert acts.recut(blob[0].segment, covered=covered).outcome == Outcome.DONE
    made.lose_index()
    assert value(made.start().store, b"K0") == b"a" * 9000


def test_an_old_log_beside_strips_is_asked_for_nothing_that_a_checkpoint_covers():
    made, _, store = machine(4)
    blob = put_bytes(store, b"K0", b"a" * 9000)
    covered = store.checkpoint().began_after
    put_bytes(store, b"K1", b"b" * 9000)
    segment = blob[0].segment
    drive = next(platter for platter in made.platters if log_name(segment) in platter.files)
    drive.rot(log_name(segment), drive.files[log_name(segment)].data.index(b"K0"))
    old = drive.copy_files()
    store.close_logs(0)
    with store.acting() as acts:
        assert acts.recut(segment, covered=covered).outcome == Outcome.DONE
    drive.put_back({**drive.copy_files(), log_name(segment): old[log_name(segment)]})
    made.lose_index()
    store = made.start().store
    assert [value(store, key)[:1] for key in (b"K0", b"K1")] == [b"a", b"b"]  # type: ignore[index]


@pytest.mark.parametrize("what", ["a strip", "a rotten strip", "a rotten log"])
def test_a_file_of_a_segment_that_was_removed_doesnt_keep_an_index_from_being_made(what: str):
    """Its blade was away then, or its name came back with the power."""
    made, _, store = machine(6)
    meta = put_bytes(store, b"K0", b"kept", SegmentClass.META)
    blob = store.append([bytes(9000)])[0]
    segment = blob[0].segment
    store.commit(lambda rows: rows.put(b"K1", b"", extents=(*meta, *blob)))
    covered = store.checkpoint().began_after
    store.close_logs(0)
    if what != "a rotten log":
        _sealed(store, segment)
    drive = next(p for p in made.platters if any(f"{segment:016x}" in name for name in p.files))
    old = {name: data for name, data in drive.copy_files().items() if name.startswith(f"{segment:016x}")}
    store.commit(lambda rows: rows.remove(b"K1"))
    with store.acting() as acts:
        assert acts.recut(segment, covered=covered).outcome == Outcome.REMOVED
    drive.put_back({**drive.copy_files(), **old})
    if what != "a strip":
        drive.rot(next(iter(old)), 20)
    made.lose_index()
    store = made.start().store
    assert [value(store, key) for key in (b"K0", b"K1")] == [b"kept", None]


def test_an_index_stays_where_one_cannot_be_made_anew():
    """Of a segment that is there too few strips are left: an error, and the old index keeps the rest."""
    made, _, store = machine(6)
    blob = put_bytes(store, b"K0", b"a" * 9000)
    put_bytes(store, b"K1", b"b", SegmentClass.META)
    _sealed(store, blob[0].segment)
    for platter in made.platters[:3]:
        for name in [name for name in platter.files if name.endswith(".strip")]:
            platter.rot(name, 20)
    made.kill_all()
    process = made.start()
    with pytest.raises(MaruError, match="too few to read it"):
        process.recovery.run(rebuild=True)
    assert value(process.store, b"K1") == b"b"


def test_bytes_of_a_segment_that_was_removed_are_refused_by_who_wrote_them_too():
    _, _, store = machine(4)
    blob = put_bytes(store, b"K0", b"a" * 9000)
    put_bytes(store, b"K1", b"b", SegmentClass.META)
    covered = store.checkpoint().began_after
    store.commit(lambda rows: rows.remove(b"K0"))
    store.close_logs(0)
    with store.acting() as acts:
        assert acts.recut(blob[0].segment, covered=covered + 1000).outcome == Outcome.REMOVED
    with pytest.raises(Unavailable, match="too late"):
        put(store, b"K2", blob)


@pytest.mark.parametrize("rotten", [(0, 1), (0, 5), (3, 4), (1, 2)])
def test_records_are_read_from_strips_of_which_any_two_are_rotten(rotten: tuple[int, int]):
    made, _, store = machine(6)
    blobs = [put_bytes(store, b"K%d" % n, b"a" * 9000) for n in range(8)]
    _sealed(store, blobs[0][0].segment)
    for number, inode in ((n, i) for p in made.platters for n, i in p.files.items()):
        if number.endswith(".strip") and int(number.split(".")[2]) in rotten:
            inode.data[4096 + 100 :] = bytes(len(inode.data) - 4196)
            inode.sync()
    made.lose_index()
    store = made.start().store
    assert [value(store, b"K%d" % n) for n in range(8)] == [b"a" * 9000] * 8


@pytest.mark.parametrize("rotten", [(0, 2), (0, 1), (1, 3)])
def test_a_batch_cut_over_several_strips_is_read_where_any_two_are_rotten(rotten: tuple[int, int]):
    """No one choice of the others is right for all of it."""
    made, _, store = machine(6)
    for n in range(300):
        store.commit(lambda rows, n=n: rows.put(b"K%03d" % n, bytes(100)))
    store.close_logs(0)
    recut_behind_a_checkpoint(store)
    for name, inode in ((n, i) for p in made.platters for n, i in p.files.items()):
        if name.endswith(".strip") and int(name.split(".")[2]) in rotten and len(inode.data) > 4200:
            inode.data[4096 + 100 :] = bytes(len(inode.data) - 4196)
            inode.sync()
    made.lose_index()
    assert len(made.start().store.scan(b"K", b"L", 1000)) == 300


def test_an_older_index_doesnt_keep_a_segment_alive():
    """It is older than a checkpoint, so it is made anew; what it says of a strip counts no more."""
    made, _, store = machine(6)
    put_bytes(store, b"K0", b"kept", SegmentClass.META)
    blob = put_bytes(store, b"K1", bytes(9000))
    _sealed(store, blob[0].segment)
    older = made.index.items()
    drive = next(platter for platter in made.platters if any(".strip" in name for name in platter.files))
    old = {name: data for name, data in drive.copy_files().items() if name.endswith(".strip")}
    store.commit(lambda rows: rows.remove(b"K1"))
    for _ in range(2):
        recut_behind_a_checkpoint(store)
    drive.put_back({**old, **drive.copy_files()})
    made.kill_all()
    made.index.put_back(older)
    store = made.start().store
    assert [value(store, key) for key in (b"K0", b"K1")] == [b"kept", None]


def test_what_a_checkpoint_covers_says_nothing_of_a_file_that_came_back():
    """A blade returns with a strip, and with the log that tells of it; both segments are no more."""
    made, _, store = machine(6)
    blob = store.append([bytes(9000)])[0]
    store.commit(lambda rows: rows.put(b"K1", b"", extents=blob))
    put_bytes(store, b"K0", b"kept", SegmentClass.META)
    _sealed(store, blob[0].segment)
    old = [platter.copy_files() for platter in made.platters]
    store.commit(lambda rows: rows.remove(b"K1"))
    for _ in range(2):
        recut_behind_a_checkpoint(store)
    drive, files = next(
        (platter, files)
        for platter, files in zip(made.platters, old, strict=True)
        if any(name.endswith(".log") for name in files) and any(name.endswith(".strip") for name in files)
    )
    drive.put_back({**files, **drive.copy_files()})
    made.lose_index()
    store = made.start().store
    assert [value(store, key) for key in (b"K0", b"K1")] == [b"kept", None]


def test_a_blade_too_full_for_a_header_keeps_no_empty_log():
    made, _, store = machine(4)
    made.platters[0].capacity = made.platters[1].capacity = 10
    segment = put_bytes(store, b"K0", b"a" * 5000)[0].segment
    (layout,) = (layout for layout in store.layouts() if layout.segment == segment)
    there = {platter.blade_id for platter in made.platters if log_name(segment) in platter.files}
    assert there == set(layout.blades)
