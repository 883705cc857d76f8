"""What a hub holds after something happened to it, against the journal of its clients."""

from __future__ import annotations

import hashlib

from maruhub.compose import OpenPool
from maruhub.errors import MaruError
from maruhub.index.protocol import AFTER_ALL
from maruhub.namespace import Namespace
from maruhub.namespace.object import ObjectInfo
from maruhub.store.format.keys import TAIL_PREFIX, segment_of
from maruhub.store.format.strip import parse_strip_name
from maruhub.testing.trial import comparable
from tests.crash.journal import History, State
from tests.crash.load import BUCKET


def held(pool: OpenPool) -> tuple[State, list[str]]:
    """Every key with the digest of the bytes that it gives, and what cannot be read."""
    namespace = Namespace(pool.store)
    infos = [info for page in namespace.listing.scan(BUCKET) for info in page]
    return _read(namespace, infos)


def _read(namespace: Namespace, infos: list[ObjectInfo]) -> tuple[State, list[str]]:
    state: State = {}
    unreadable = []
    for info, data in zip(infos, namespace.objects.read_infos(infos), strict=True):
        if isinstance(data, MaruError):
            unreadable.append(f"{info.key}: {data}")
            continue
        state[info.key] = hashlib.sha256(data).hexdigest()
        if state[info.key] != info.sha256.hex():
            unreadable.append(f"{info.key}: the bytes aren't those that the row tells of")
    return state, unreadable


def problems(pool: OpenPool, history: History) -> tuple[State, list[str]]:
    """What the hub holds and what is wrong with it."""
    state, unreadable = held(pool)
    return state, unreadable + history.problems(state)


def lost_versions(pool: OpenPool, history: History) -> list[str]:
    """Acknowledged puts, replaced since, that can't be brought back byte for byte."""
    namespace = Namespace(pool.store)
    hidden = [version.info for version in namespace.past.versions(BUCKET)]
    current = [info for page in namespace.listing.scan(BUCKET) for info in page]
    kept = {info.sha256.hex() for info in (*hidden, *current)}
    lost = [f"the version {digest[:8]} is gone" for digest in history.acknowledged - kept]
    for info, data in zip(hidden, namespace.objects.read_infos(hidden), strict=True):
        if isinstance(data, MaruError):
            lost.append(f"{info.key}, hidden: {data}")
        elif hashlib.sha256(data).digest() != info.sha256:
            lost.append(f"{info.key}, hidden: other bytes")
    return lost


def rows(pool: OpenPool) -> dict[bytes, bytes]:
    """All rows but the index's own state, which is of this very index file.

    Of a tail row only where the last batch starts: the live one ends behind the objects that
    others had begun to append behind that batch, which a rebuild can't know. Where an act was
    killed before its turn, its strips may say that all batches are in a checkpoint: no tail then.
    """
    found = comparable(dict(pool._index.scan(b"", AFTER_ALL, 1 << 30)))
    cut_short = _cut_short(pool)
    return {
        key: value
        for key, value in found.items()
        if not (key.startswith(TAIL_PREFIX) and segment_of(key) in cut_short)
    }


def _cut_short(pool: OpenPool) -> set[int]:
    """Segments of which blades hold strips of a later act than the one on record."""
    acts = {each.segment: each.strips.act for each in pool.store.layouts() if each.strips is not None}
    strips = [parse_strip_name(name) for blade in pool.store.blades for name in blade.names()]
    return {strip.segment for strip in strips if strip and strip.act > acts.get(strip.segment, strip.act)}


def differences(live: dict[bytes, bytes], rebuilt: dict[bytes, bytes]) -> list[str]:
    """Rows in which an index that grew and one made anew differ."""
    keys = sorted(key for key in live.keys() | rebuilt.keys() if live.get(key) != rebuilt.get(key))
    return [
        f"row {key!r}: {_short(live.get(key))} grew, {_short(rebuilt.get(key))} was rebuilt" for key in keys
    ]


def _short(raw: bytes | None) -> str:
    return "nothing" if raw is None else raw.hex()[:120]


def after_rebuild(pool: OpenPool, history: History, state: State) -> list[str]:
    """What is wrong after the index was made anew from the segments alone."""
    before = rows(pool)
    pool.rebuild_index()
    again, unreadable = held(pool)
    found = differences(before, rows(pool)) + unreadable
    if again != state:
        found += [f"{key}: changed by a rebuild" for key in state if again.get(key) != state[key]]
        found += [f"{key}: came back by a rebuild" for key in again if key not in state]
    return found + lost_versions(pool, history)
