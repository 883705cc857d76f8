"""Filters in the sources of a request: bounded, few at a time, in their time together; and what is kept of them."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from maruhub.api.hub import Hub
from maruhub.catalog import query
from maruhub.catalog.view import View
from maruhub.errors import Busy, InvalidInput, MaruError, Refused
from maruhub.gateway.answer import Answer
from maruhub.gateway.batch.door import BatchDoor
from maruhub.gateway.head import Head
from maruhub.store.protocol import Store
from maruhub.wire import fault


@dataclass
class BarePool:
    store: Store

    def close(self) -> None:
        self.store.close()


@pytest.fixture
def hub(store: Store) -> Hub:
    hub = Hub(BarePool(store), Path("nowhere"), actor="me@here")  # type: ignore[arg-type]
    hub.bucket("photos").put_many({f"{i:03}.jpg": f"bytes {i} ".encode() * (i % 9) for i in range(50)})
    hub.dataset("cats").commit("photos")
    return hub


@pytest.fixture
def door(hub: Hub) -> BatchDoor:
    return BatchDoor(hub)


def opened(door: BatchDoor, *filters: str) -> Answer:
    """What opening the samples of a filter is answered; of several laid end to end."""
    parts = [{"dataset": "cats", "operations": [["where", text]]} for text in filters]
    source: dict[str, Any] = {"parts": parts} if len(parts) > 1 else parts[0]
    return asked(door, source)


def asked(door: BatchDoor, source: dict[str, Any]) -> Answer:
    """What opening a source is answered."""
    call = {"call": "view.open", "arguments": {"source": source}}
    return door.answer(Head("POST", "/-/batch/v1/call", "", ()), json.dumps(call).encode(), lambda *_: True)


def refused(answer: Answer) -> MaruError:
    assert isinstance(answer.body, bytes)
    error = fault.from_json(json.loads(answer.body)["error"])
    assert answer.status == fault.status_of(error)
    return error


def test_a_filter_of_a_client_is_a_bounded_one(hub: Hub, door: BatchDoor) -> None:
    for text, wrong in (
        ("length(repeat(id, 9)) > 0", "repeat()"),
        ("(select count(*) from range(1000000000000)) > 0", "a query in the filter"),
        ("no_such_column > 0", "no_such_column"),
    ):
        error = refused(opened(door, text))
        assert isinstance(error, InvalidInput)
        assert wrong in error.what
        assert error.hint
        assert len(hub.version("cats").where("length(repeat(id, 9)) > 0")) == 50, "at home nothing is bounded"
    assert opened(door, "size > 0").status == 200


def test_nothing_is_looked_for_in_a_saved_view_without_the_right_to_it(hub: Hub, door: BatchDoor) -> None:
    """What a filter fails on is told by its value: a digest alone would have shown the values, one by one."""
    digest = hub.version("cats").where("size > 0").save().digest
    source = {"view": digest, "operations": [["where", "id::INTEGER > 0"]]}
    call = json.dumps({"call": "view.open", "arguments": {"source": source}}).encode()
    head = Head("POST", "/-/batch/v1/call", "", ())
    assert "photos/" in refused(door.answer(head, call, lambda *_: True)).what
    error = refused(door.answer(head, call, lambda *_: False))
    assert isinstance(error, Refused), error
    assert "photos/" not in str(error)


def test_a_split_is_found_anew_once_the_rule_is_another(hub: Hub, door: BatchDoor) -> None:
    """The samples that were trained on stayed those of the rule before, and were tested on by the new one."""
    source = {"dataset": "cats", "operations": [["split", "train"]]}
    call = json.dumps({"call": "view.open", "arguments": {"source": source}}).encode()

    def rows() -> int:
        answer = door.answer(Head("POST", "/-/batch/v1/call", "", ()), call, lambda *_: True)
        assert isinstance(answer.body, bytes)
        told: int = json.loads(answer.body)["result"]["rows"]
        return told

    first = rows()
    hub.dataset("cats").set_split((0.1, 0.1, 0.8), replace=True)
    assert first > rows() == len(hub.version("cats").split("train"))


def test_parts_have_the_time_for_their_filters_together(
    hub: Hub, door: BatchDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """64 parts with 30 s each would hold a thread of the server for half an hour."""
    begun: list[float] = []

    def slow(view: View, text: str) -> View:
        end_s = query._END_S.get()
        assert end_s is not None
        begun.append(end_s)
        return view.select([0])

    monkeypatch.setattr(View, "where", slow)
    assert opened(door, "size > 0", "size > 1", "size > 2").status == 200
    assert len(begun) == 3
    assert max(begun) == min(begun)


def test_nothing_more_is_done_to_a_view_when_its_time_is_over(
    hub: Hub, door: BatchDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request holds a hundred thousand operations, none of which alone takes long."""
    done: list[str] = []

    def sorted_by(view: View, column: str, *, descending: bool = False) -> View:
        done.append(column)
        time.sleep(0.03)
        return view.select([0])

    monkeypatch.setattr(View, "sort", sorted_by)
    monkeypatch.setattr("maruhub.gateway.batch.opened.sources.QUERY_S", 0.1)
    error = refused(asked(door, {"dataset": "cats", "operations": [["sort", "size"]] * 1000}))
    assert "longer than" in error.what
    assert len(done) < 10


def test_only_so_many_filters_run_at_a_time(
    hub: Hub, door: BatchDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, most, lock, full = 0, 0, threading.Lock(), threading.Barrier(4)

    def counted(view: View, text: str) -> View:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        full.wait(30)
        with lock:
            running -= 1
        return view.select([0])

    monkeypatch.setattr(View, "where", counted)
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda i: opened(door, f"size > {i}"), range(12)))
    assert [answer.status for answer in answers] == [200] * 12
    assert most == 4


def test_what_many_ask_for_at_once_is_looked_for_a_few_times_at_most(
    hub: Hub, door: BatchDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[str] = []
    full = threading.Barrier(4)

    def counted(view: View, text: str) -> View:
        found.append(text)
        full.wait(30)
        return view.select([0])

    monkeypatch.setattr(View, "where", counted)
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: opened(door, "size > 0"), range(12)))
    assert [answer.status for answer in answers] == [200] * 12
    assert len(found) == 4


def test_only_so_many_wait_for_their_turn_that_others_have_threads(
    hub: Hub, door: BatchDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixty filters held all threads of a worker, and who asked for one key waited half a minute."""
    leave = threading.Event()

    def waiting(view: View, text: str) -> View:
        assert leave.wait(30)
        return view.select([0])

    monkeypatch.setattr(View, "where", waiting)
    with ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(opened, door, f"size > {i}") for i in range(20)]
        others = iter(as_completed(answers))
        told = [refused(next(others).result()) for _ in range(8)]
        leave.set()
        assert [type(error) for error in told] == [Busy] * 8
        assert [other.result().status for other in others] == [200] * 12
    assert opened(door, "size > 99").status == 200


def test_whoever_waits_too_long_for_other_filters_is_told_to_ask_again(
    hub: Hub, door: BatchDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maruhub.gateway.batch.opened.sources.QUERY_S", 0.05)
    entered, leave = threading.Semaphore(0), threading.Event()

    def waiting(view: View, text: str) -> View:
        entered.release()
        assert leave.wait(30)
        return view.select([0])

    monkeypatch.setattr(View, "where", waiting)
    with ThreadPoolExecutor(4) as pool:
        others = [pool.submit(opened, door, f"size > {i}") for i in range(4)]
        for _ in others:
            assert entered.acquire(timeout=30)
        assert isinstance(refused(opened(door, "size > 9")), Busy)
        leave.set()
        assert [other.result().status for other in others] == [200] * 4
    assert opened(door, "size > 9").status == 200


def test_views_that_are_kept_hold_so_much_at_most(
    hub: Hub, door: BatchDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = door._sources._kept
    monkeypatch.setattr(kept, "_most_bytes", 8 * 100)
    for i in range(10):
        assert opened(door, f"size >= 0 AND size <> {10_000 + i}").status == 200
        assert sum(len(view.positions) for view in kept._values.values() if view.positions is not None) <= 100
    assert len(kept) == 2


def test_rows_that_a_kept_view_was_asked_by_are_held_too(
    hub: Hub, door: BatchDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixty-four requests of 64 MiB that drew one row of millions named held 16 GB."""
    kept = door._sources._kept
    monkeypatch.setattr(kept, "_most_bytes", 100_000)
    for i in range(20):
        operations = [["select", [i] * 1000], ["sample", 1]]
        call = {
            "call": "view.open",
            "arguments": {"source": {"dataset": "cats", "operations": operations}},
        }
        answer = door.answer(
            Head("POST", "/-/batch/v1/call", "", ()), json.dumps(call).encode(), lambda *_: True
        )
        assert answer.status == 200
    assert 1 <= len(kept) <= 3
