"""A whole hub against plain dicts: two processes, restarts, rebuilds and lost indexes."""

from __future__ import annotations

import contextlib
import multiprocessing
import shutil
import tempfile
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import maruhub
from maruhub import compose
from maruhub.errors import Busy, NoSuchVersion

BUCKETS = st.sampled_from(["photos", "other"])
KEYS = st.sampled_from(["a", "a/b", "a/b/c", "..", "é", "z\0"])
SIZES = st.sampled_from([0, 1, 100, 4095, 4096, 5000, 40_000])
ITEMS = st.dictionaries(KEYS, st.tuples(SIZES, st.integers(0, 255)), min_size=1, max_size=4)
THERE = st.booleans()
"""Whether the second process does it."""


class Hand:
    """One process's hands on the hub; what they do is the same in both."""

    def __init__(self) -> None:
        self.hub: maruhub.Hub | None = None

    def come(self, path: str) -> bool:
        """Opens the hub; whether its index had to be brought up to the log."""
        self.hub = maruhub.connect(path)
        return self.hub.pool.recovered is not None

    def leave(self) -> None:
        if self.hub is not None:
            self.hub.close()
            self.hub = None

    def put(self, bucket: str, items: dict[str, bytes]) -> dict[str, str]:
        return {info.key: info.version_id for info in self.hub.bucket(bucket).put_many(items)}

    def delete(self, bucket: str, keys: list[str]) -> list[bool]:
        return self.hub.bucket(bucket).delete_many(keys)

    def undelete(self, bucket: str, key: str, version: str) -> str | None:
        try:
            return self.hub.bucket(bucket).undelete(key, version).version_id
        except NoSuchVersion:
            return None

    def commit(self) -> tuple[int, bool]:
        version = self.hub.dataset("d").commit("photos", allow_empty=True)
        return version.number, version.is_new

    def label(self, labels: dict[str, int]) -> int:
        table = pa.table({"key": list(labels), "n": pa.array(labels.values(), pa.int64())})
        return self.hub.dataset("d").label(table).version.number

    def checkpoint(self) -> None:
        self.hub.store.checkpoint()

    def rebuild(self) -> list[str]:
        return self.hub.pool.rebuild_index().problems

    def objects(self) -> dict[str, dict[str, bytes]]:
        found = {}
        for bucket in self.hub.buckets():
            keys = [info.key for info in bucket.list()]
            assert keys == sorted(keys, key=str.encode)
            found[bucket.name] = dict(zip(keys, map(bytes, bucket.get_many(keys)), strict=True))
        return found

    def versions(self) -> dict[int, dict[str, tuple[bytes, int | None]]]:
        dataset = self.hub.dataset("d")
        if not dataset.exists:
            return {}
        return {info.number: self._version(dataset[info.number]) for info in dataset.versions()}

    def _version(self, version: Any) -> dict[str, tuple[bytes, int | None]]:
        keys = [name.removeprefix("photos/") for name in version.ids()]
        blobs = [bytes(view) for view in self.hub.store.read_many(version.blobs())]
        columns = version.columns()
        labels = columns.column("n").to_pylist() if "n" in columns.column_names else [None] * len(keys)
        return {key: (blob, n) for key, blob, n in zip(keys, blobs, labels, strict=True)}


def serve(questions: Connection) -> None:
    """The second process: does what it is told, and tells what came of it."""
    hand = Hand()
    while question := questions.recv():
        name, *arguments = question
        try:
            questions.send((getattr(hand, name)(*arguments), None))
        except Exception as error:
            questions.send((None, repr(error)))
    hand.leave()


class Other:
    """The second process, as seen from here; ``there`` says whether it has the hub open."""

    def __init__(self, questions: Connection) -> None:
        self._questions = questions
        self.there = False

    def ask(self, *question: Any) -> Any:
        self._questions.send(question)
        assert self._questions.poll(60), f"no answer to {question[0]}"
        answer, error = self._questions.recv()
        assert error is None, f"{question[0]}: {error}"
        return answer


@pytest.fixture(scope="module")
def other() -> Iterator[Other]:
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs,))
    process.start()
    theirs.close()
    yield Other(mine)
    with contextlib.suppress(OSError):
        mine.send(None)
    process.join(30)
    mine.close()


class HubMachine(RuleBasedStateMachine):
    """``objects``: bucket → key → data; ``past``: every version id with its data;
    ``frozen``: what each version of the dataset named; ``labels``: what keys were called."""

    other: Other

    @initialize(blades=st.sampled_from([1, 3, 4]))
    def begin(self, blades: int) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.path = str(self.folder / "hub")
        compose.create_pool(Path(self.path), n=blades, segment_bytes=64 << 10).close()
        self.mine = Hand()
        self.mine.come(self.path)
        self.objects: dict[str, dict[str, bytes]] = {}
        self.past: dict[tuple[str, str], dict[str, bytes]] = {}
        self.frozen: dict[int, dict[str, tuple[bytes, int | None]]] = {}
        self.labels: dict[str, int] = {}

    def do(self, there: bool, name: str, *arguments: Any) -> Any:
        if not there:
            return getattr(self.mine, name)(*arguments)
        if not self.other.there:
            self.other.ask("come", self.path)
            self.other.there = True
        return self.other.ask(name, *arguments)

    def other_leaves(self) -> None:
        if self.other.there:
            self.other.ask("leave")
            self.other.there = False

    def came(self, bucket: str, key: str, version: str, data: bytes) -> None:
        past = self.past.setdefault((bucket, key), {})
        assert all(version > older for older in past)
        past[version] = data
        self.objects[bucket][key] = data

    @rule(there=THERE, bucket=BUCKETS, items=ITEMS)
    def put(self, there: bool, bucket: str, items: dict[str, tuple[int, int]]) -> None:
        datas = {key: bytes([fill]) * size for key, (size, fill) in items.items()}
        versions = self.do(there, "put", bucket, datas)
        self.objects.setdefault(bucket, {})
        for key, data in datas.items():
            self.came(bucket, key, versions[key], data)

    @precondition(lambda self: self.objects)
    @rule(there=THERE, keys=st.lists(KEYS, unique=True, max_size=3), data=st.data())
    def delete(self, there: bool, keys: list[str], data: st.DataObject) -> None:
        bucket = data.draw(st.sampled_from(sorted(self.objects)))
        held = [self.objects[bucket].pop(key, None) is not None for key in keys]
        assert self.do(there, "delete", bucket, keys) == held

    @precondition(lambda self: self.past)
    @rule(there=THERE, data=st.data())
    def undelete(self, there: bool, data: st.DataObject) -> None:
        bucket, key = data.draw(st.sampled_from(sorted(self.past)))
        past = self.past[bucket, key]
        version = data.draw(st.sampled_from(sorted(past)))
        new = self.do(there, "undelete", bucket, key, version)
        current = key in self.objects[bucket] and version == max(past)
        assert (new is None) == current
        if new is not None:
            self.came(bucket, key, new, past[version])

    @precondition(lambda self: "photos" in self.objects)
    @rule(there=THERE)
    def commit(self, there: bool) -> None:
        number, is_new = self.do(there, "commit")
        named = {key: (data, self.labels.get(key)) for key, data in self.objects["photos"].items()}
        assert is_new == (number not in self.frozen)
        assert self.frozen.setdefault(number, named) == named
        assert number == max(self.frozen)

    @precondition(lambda self: self.frozen and self.frozen[max(self.frozen)])
    @rule(there=THERE, data=st.data(), n=st.integers(0, 3))
    def label(self, there: bool, data: st.DataObject, n: int) -> None:
        latest = self.frozen[max(self.frozen)]
        key = data.draw(st.sampled_from(sorted(latest)))
        number = self.do(there, "label", {key: n})
        self.labels[key] = n
        named = {**latest, key: (latest[key][0], n)}
        assert self.frozen.setdefault(number, named) == named
        assert number == max(self.frozen)

    @rule(there=THERE)
    def checkpoint(self, there: bool) -> None:
        self.do(there, "checkpoint")

    @rule()
    def other_goes(self) -> None:
        self.other_leaves()

    @rule()
    def restart(self) -> None:
        self.mine.leave()
        self.mine.come(self.path)

    @rule()
    def rebuild(self) -> None:
        if self.other.there:
            with pytest.raises(Busy):
                self.mine.rebuild()
            self.other_leaves()
        assert self.mine.rebuild() == []

    @rule(there=THERE)
    def lose_the_index(self, there: bool) -> None:
        self.other_leaves()
        self.mine.leave()
        shutil.rmtree(Path(self.path) / "index")
        if there:
            self.do(True, "checkpoint")
        assert self.mine.come(self.path) != there

    @rule()
    def other_sees_the_same(self) -> None:
        assert self.do(True, "objects") == self.objects
        assert self.do(True, "versions") == self.frozen

    @invariant()
    def everything_is_there(self) -> None:
        if hasattr(self, "frozen"):
            assert self.mine.objects() == self.objects
            assert self.mine.versions() == self.frozen

    def teardown(self) -> None:
        if hasattr(self, "mine"):
            self.other_leaves()
            self.mine.leave()
            shutil.rmtree(self.folder)


def test_a_hub_equals_plain_dicts(other: Other) -> None:
    class Bound(HubMachine):
        pass

    Bound.other = other
    examples = max(8, settings().max_examples // 2)
    run_state_machine_as_test(
        Bound, settings=settings(max_examples=examples, stateful_step_count=25, deadline=None)
    )
