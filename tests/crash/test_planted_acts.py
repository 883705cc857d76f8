"""One safeguard of the acts is taken away at a time; what is tried must then end in a loss.

For each the shortest theme that needs it, over some seeds; with all safeguards in place all of
them are green: the last test.
"""

from __future__ import annotations

import errno
import random
from collections.abc import Callable

import pytest

from maruhub.errors import MaruError
from maruhub.store.commit import durable, turn
from maruhub.store.commit.holds import Holds
from maruhub.store.format.extent import Blobs
from maruhub.store.recover import log_search, recovery, strip_search
from maruhub.store.seal import act, strays, strip_writer, summed
from maruhub.store.seal.act import Acts
from maruhub.store.seal.report import Decided
from maruhub.store.seal.source import files_of
from maruhub.store.seal.strip_writer import StripFiles
from maruhub.store.store import PoolStore
from maruhub.testing.calls import Calls, Crash, Fault
from maruhub.testing.machine import Machine, replayable
from maruhub.testing.ordeal_script import _of_theme
from maruhub.testing.ordeal_verdict import run_ordeal
from maruhub.testing.store_script import Lost

SEEDS = 40
Plant = Callable[[pytest.MonkeyPatch], None]


def publish_without_sync(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(StripFiles, "sync", lambda files: None)


def unlink_before_the_turn(patch: pytest.MonkeyPatch) -> None:
    publish = Acts._publish

    def hasty(acts, begun, after, decided=None):
        acts._strays.remove(files_of(begun.layout))
        publish(acts, begun, after, decided)

    patch.setattr(Acts, "_publish", hasty)


def skip_liveness_in_the_turn(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(act, "is_still_live_within", lambda *_: True)


def skip_range_check(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(durable, "_is_kept", lambda *_: True)


def skip_check_that_it_is_named(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        durable, "_is_kept", lambda _, extent, layout: layout.range_of(extent.offset, extent.length)
    )


def skip_snapshot(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(turn, "require_whole", lambda *_, **__: None)


def skip_sums_when_rebuilding(patch: pytest.MonkeyPatch) -> None:
    def read(strip, at, size):
        buffer = memoryview(bytearray(size))
        inside = max(0, min(size, strip._length - at))
        strip.file.read_into(strip._data_at + at, buffer[:inside])
        return buffer

    patch.setattr(summed._Strip, "read", read)


def trust_the_highest_act(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(strip_search, "_is_sound", lambda *_: True)


def ignore_holds(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Holds, "is_held", lambda *_: False)


def remove_what_a_turn_has_decided(patch: pytest.MonkeyPatch) -> None:
    class Forgetful(Decided):
        def __setattr__(self, name: str, value: bool) -> None:
            object.__setattr__(self, name, False)

    patch.setattr(strip_writer, "Decided", Forgetful)


def sweep_without_settling(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(strays.Strays, "_settle", lambda *_: None)


def drop_records_without_a_checkpoint(patch: pytest.MonkeyPatch) -> None:
    recut = Acts.recut
    patch.setattr(Acts, "recut", lambda acts, segment, **words: recut(acts, segment, covered=1 << 62))


def ask_strips_for_all_records(patch: pytest.MonkeyPatch) -> None:
    """Those too that a checkpoint covers."""

    def heads(chain, strips, tail):
        last = chain.batch_at(strips.header.last_batch) if strips.header.last_batch else None
        return chain.back_from(last[0], 1) if last else []

    patch.setattr(log_search, "_sealed_heads", heads)


def believe_every_strip_that_came_back(patch: pytest.MonkeyPatch) -> None:
    def require(unread, turns, index):
        for why in unread.values():
            raise why.error

    patch.setattr(recovery, "require_read", require)


def theme(*words: str) -> Callable[[], None]:
    """Short scripts of one theme, over some seeds."""

    def run() -> None:
        for seed in range(SEEDS):
            chance = random.Random(seed)
            ops = [_of_theme(chance, word, 0, 1) for word in ("put", "put", "put", *words)]
            run_ordeal(seed, tuple(ops))

    return run


def publishing_turn_fails() -> None:
    """Its syncs fail, but what it wrote may be there after the process has died."""
    for nth in range(1, 12):
        with replayable(nth):
            machine, calls = Machine(1), Calls()
            store = machine.start(calls).store
            blob = store.append([b"a" * 9000])[0]
            store.commit(lambda rows, blob=blob: rows.put(b"K", b"", extents=blob))
            store.close_logs(0)
            calls.add(Fault("sync", nth, errno.EIO, 1))
            try:
                with store.acting() as acts:
                    acts.recut(blob[0].segment)
            except MaruError:
                pass
            machine.kill_all()
            require(machine.start().store, b"a" * 9000)


def sweep_beside_a_turn_that_died() -> None:
    """Synced and not committed: it may still turn out to count."""
    with replayable(1):
        machine, calls = Machine(4), Calls()
        one, other = machine.start(calls), machine.start()
        blob = one.store.append([b"a" * 9000])[0]
        one.store.commit(lambda rows: rows.put(b"K", b"", extents=blob))
        one.store.close_logs(0)
        calls.crash_in = "commit"
        with pytest.raises(Crash), one.store.acting() as acts:
            acts.recut(blob[0].segment)
        one.kill()
        with other.store.acting() as acts:
            acts.sweep()
        machine.kill_all()
        require(machine.start().store, b"a" * 9000)


def newest_act_lost_its_data() -> None:
    """Its headers reached the drives, nothing else did; then the index goes."""
    with replayable(1):
        machine, calls = Machine(4), Calls()
        store = machine.start(calls).store
        blob = store.append([b"a" * 9000])[0]
        store.commit(lambda rows: rows.put(b"K", b"", extents=blob))
        store.close_logs(0)
        with store.acting() as acts:
            acts.recut(blob[0].segment)
            calls.crash_in = "sync"
            with pytest.raises(Crash):
                acts.recut(blob[0].segment)
        for platter in machine.platters:
            for inode in [inode for name, inode in platter.files.items() if ".3." in name]:
                inode.data[4096:] = bytes(len(inode.data) - 4096)
                inode.sync()
        machine.lose_index()
        require(machine.start().store, b"a" * 9000)


def bytes_are_named_after_an_act() -> None:
    """Appended before it, by a process that lives."""
    with replayable(1):
        store = Machine(4).start().store
        other = store.append([b"b" * 5000])[0]
        store.commit(lambda rows: rows.put(b"K0", b"", extents=other))
        late = store.append([b"a" * 9000])[0]
        store.close_logs(0)
        with store.acting() as acts:
            acts.recut(other[0].segment)
        store.commit(lambda rows: rows.put(b"K", b"", extents=late))
        require(store, b"a" * 9000)


def require(store: PoolStore, data: bytes) -> None:
    row = store.get_many([b"K"])[0]
    found = store.read_many(Blobs.of([row.extents]))[0] if row else None
    if isinstance(found, MaruError) or found is None or bytes(found) != data:
        raise Lost(f"{found}")


CUT = ("close logs", "recut all")
PLANTED: dict[Plant, Callable[[], None]] = {
    publish_without_sync: theme(*CUT, "cut power"),
    unlink_before_the_turn: theme("close logs", "recut all!", "look"),
    skip_liveness_in_the_turn: theme(
        "remember", "remove", "remove", "close logs", "recut all/name what was remembered"
    ),
    skip_range_check: theme("remember", "remove", *CUT, *["name what was remembered"] * 3),
    skip_check_that_it_is_named: theme("remember", "remove", *CUT, *["name what was remembered"] * 3),
    skip_snapshot: theme("count", "remove", "remove", *CUT, "freeze"),
    skip_sums_when_rebuilding: theme(*CUT, "rot", "rebuild", "rebuild", "rebuild", "heal"),
    trust_the_highest_act: newest_act_lost_its_data,
    ignore_holds: bytes_are_named_after_an_act,
    remove_what_a_turn_has_decided: publishing_turn_fails,
    sweep_without_settling: sweep_beside_a_turn_that_died,
    drop_records_without_a_checkpoint: theme(*CUT, "lose index"),
    ask_strips_for_all_records: theme("checkpoint and recut", "put", "checkpoint and recut", "lose index"),
    believe_every_strip_that_came_back: theme(
        *CUT, "unplug", *["remove"] * 4, "checkpoint and recut", "plug", "lose index"
    ),
}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_planted_fault_is_reported(plant: Plant, monkeypatch: pytest.MonkeyPatch):
    plant(monkeypatch)
    with pytest.raises((Lost, MaruError, AssertionError)):
        PLANTED[plant]()


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_the_same_is_green_with_all_safeguards(plant: Plant, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(globals(), "SEEDS", 8)
    PLANTED[plant]()
