"""How a request comes from the server's runtime, and what is noted of it: no event loop where nothing waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from maruhub.gateway.serve.runtime import _handing
from maruhub.gateway.serve.telemetry.ended import Ended
from maruhub.gateway.serve.telemetry.metrics import _Times
from maruhub.gateway.serve.telemetry.register import Register


class Watcher:
    """Granian's word for one request and its connection."""

    scope, proto = "scope", "proto"

    def __init__(self) -> None:
        self.heard: list[object] = []

    def done(self) -> None:
        self.heard.append("done")

    def err(self, error: BaseException) -> None:
        self.heard.append(error)

    def taskref(self, task: asyncio.Task[None]) -> None:
        self.task = task


def handed(answer: Callable[[Any, Any], Coroutine[Any, Any, None] | None]) -> Watcher:
    """What a watcher has heard once a request was handed over from another thread."""
    watcher = Watcher()

    async def run() -> None:
        hand = _handing(answer, asyncio.get_running_loop())
        await asyncio.to_thread(hand, watcher)
        # Begun behind this, if it was begun.
        await asyncio.sleep(0)
        if hasattr(watcher, "task"):
            await watcher.task

    asyncio.run(run())
    return watcher


def test_what_is_answered_at_once_never_comes_to_the_loop():
    where = []

    def answer(scope: object, proto: object) -> None:
        where.append((scope, proto, threading.current_thread() is threading.main_thread()))

    watcher = handed(answer)
    assert where == [("scope", "proto", False)]
    assert not hasattr(watcher, "task")
    assert not watcher.heard


def test_the_rest_runs_in_the_loop_and_its_end_is_told():
    where = []

    async def rest() -> None:
        await asyncio.sleep(0)
        where.append(threading.current_thread() is threading.main_thread())

    assert handed(lambda scope, proto: rest()).heard == ["done"]
    assert where == [True]


@pytest.mark.parametrize("late", [False, True])
def test_whatever_goes_wrong_is_told_to_the_connection(late: bool):
    async def rest() -> None:
        raise ValueError

    def answer(scope: object, proto: object) -> Coroutine[Any, Any, None]:
        if late:
            return rest()
        raise ValueError

    (heard,) = handed(answer).heard
    assert isinstance(heard, ValueError)


def test_a_request_that_comes_behind_the_loops_end_is_an_error():
    loop = asyncio.new_event_loop()
    loop.close()

    async def rest() -> None:
        pass

    watcher = Watcher()
    _handing(lambda scope, proto: rest(), loop)(watcher)
    (heard,) = watcher.heard
    assert isinstance(heard, RuntimeError)


class Heard:
    """Metrics and log, which only listen."""

    def __init__(self) -> None:
        self.counted: list[Ended] = []
        self.written: list[Ended] = []
        self.refused = 0
        self.unlogged = 0

    def count(self, ended: list[Ended], *, refused: int, unlogged: int) -> None:
        self.counted += ended
        self.refused += refused
        self.unlogged += unlogged

    def write(self, ended: list[Ended]) -> None:
        self.written += ended

    def take_lost(self) -> int:
        """Of each flush one line."""
        return 1


def test_each_request_is_noted_once_whatever_thread_it_ends_in():
    heard = Heard()
    register = Register(heard, heard)  # type: ignore[arg-type]
    threads, each = 4, 1000

    def work(number: int) -> None:
        for i in range(each):
            register.note(Ended(0.0, 0.0, f"{number}-{i}", "", "", "", "", "", 200, 0, 0))
            register.refused()

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(heard.counted) > (threads - 1) * each, "nothing is held for long"
    register.flush()
    assert heard.written == heard.counted
    assert heard.unlogged > 1, "each flush asks for what was lost"
    assert len({one.id for one in heard.counted}) == len(heard.counted) == heard.refused == threads * each


def test_many_observations_at_once_are_what_each_would_be():
    one, many = CollectorRegistry(), CollectorRegistry()
    values = [0.0, 0.1, 0.1000001, 0.25, 0.5, 0.75, 9.0]
    single = Histogram("seconds", "S.", ("name",), registry=one, buckets=(0.1, 0.25, 0.5))
    for value in values:
        single.labels("a").observe(value)
    _Times("seconds", "S.", ("name",), registry=many, buckets=(0.1, 0.25, 0.5)).labels("a").observe_all(
        values
    )

    def lines(registry: CollectorRegistry) -> list[str]:
        text = generate_latest(registry).decode()
        return [line for line in text.splitlines() if "created" not in line]

    assert lines(one) == lines(many)
