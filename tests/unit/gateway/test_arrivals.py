"""Bodies that are awaited past the event loop: told of once, whatever becomes of them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from maruhub.gateway.head import Head
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.serve.bodies.arrivals import Arrivals
from maruhub.gateway.serve.bodies.body import Body
from maruhub.gateway.serve.runtime import _telling


class Promise:
    """The runtime's future of a body."""

    def __init__(self, data: bytes | Exception = b"") -> None:
        self._data = data
        self._callback: Any = None
        self.cancelled = 0

    def add_done_callback(self, callback: Any, context: Any) -> None:
        self._callback = callback

    def cancel(self) -> None:
        self.cancelled += 1

    def result(self) -> bytes:
        if isinstance(self._data, Exception):
            raise self._data
        return self._data

    def come(self) -> None:
        self._callback(self)


def test_a_body_is_told_of_once() -> None:
    arrivals, heard = Arrivals(0.0), []
    first, second = Promise(), Promise()
    for promise in (first, second):
        arrivals.expect(promise, heard.append)
    first.come()
    first.come()
    arrivals.give_up_late()
    second.come()
    assert heard == [first, None]
    assert (first.cancelled, second.cancelled) == (0, 1)


def test_whoever_is_in_time_is_not_given_up() -> None:
    arrivals, heard = Arrivals(3600.0), []
    promise = Promise()
    arrivals.expect(promise, heard.append)
    arrivals.give_up_late()
    assert (heard, promise.cancelled) == ([], 0)
    promise.come()
    assert heard == [promise]


def test_of_two_threads_one_tells() -> None:
    for _ in range(200):
        arrivals, heard, promise = Arrivals(0.0), [], Promise()
        arrivals.expect(promise, heard.append)
        late = threading.Thread(target=arrivals.give_up_late)
        late.start()
        promise.come()
        late.join()
        assert len(heard) == 1


@contextlib.contextmanager
def let_go_of(thing: object) -> Iterator[None]:
    """The block lets go of the last name of ``thing``.

    The runtime's future is nothing in which the search for garbage would find a part of a circle.
    """
    gone = weakref.ref(thing)
    del thing
    gc.disable()
    try:
        yield
        assert gone() is None
    finally:
        gc.enable()


def test_a_body_that_was_told_of_is_kept_by_nobody() -> None:
    for idle_s, come in ((3600.0, Promise.come), (0.0, None)):
        arrivals, heard, promise = Arrivals(idle_s), [], Promise()
        arrivals.expect(promise, lambda future, heard=heard: heard.append(future is None))
        if come is not None:
            come(promise)
        arrivals.give_up_late()
        assert heard == [come is None]
        with let_go_of(promise):
            del promise


def test_a_body_that_broke_off_is_kept_by_nobody() -> None:
    broken = RuntimeError()
    promise = Promise(broken)
    body = Body(Head("PUT", "/b/k", "", (("content-length", "4"),)), lambda: promise, 30.0)
    with pytest.raises(S3Failure):
        body.received(body.ask())
    # The future keeps its error for as long as somebody keeps the future: so the error must not.
    with let_go_of(body):
        del body


def received(data: bytes | Exception | None, size: int = 4) -> bytes:
    promise = None if data is None else Promise(data)
    body = Body(Head("PUT", "/b/k", "", (("content-length", str(size)),)), lambda: promise, 30.0)
    assert body.is_in_one_piece
    assert body.ask() is promise
    assert body.is_over
    return body.received(promise)


def test_a_body_is_what_was_promised_or_an_error() -> None:
    assert received(b"abcd") == b"abcd"
    for data, code in (
        (b"abc", "IncompleteBody"),
        (RuntimeError(), "IncompleteBody"),
        (None, "RequestTimeout"),
    ):
        with pytest.raises(S3Failure) as caught:
            received(data)
        assert caught.value.code == code


def test_only_who_says_so_is_told_in_any_thread() -> None:
    class Anywhere:
        any_thread = True

        def __call__(self, name: str) -> None:
            heard.append((name, threading.get_ident()))

    heard: list[tuple[str, int]] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()
        tell = _telling(loop.call_soon_threadsafe)
        done = asyncio.Event()

        def in_loop(name: str) -> None:
            heard.append((name, threading.get_ident()))
            done.set()

        thread = threading.Thread(target=lambda: (tell(Anywhere(), "any"), tell(in_loop, "loop")))
        thread.start()
        await done.wait()
        thread.join()

    asyncio.run(run())
    (any_name, any_thread), (loop_name, loop_thread) = heard
    assert (any_name, loop_name) == ("any", "loop")
    assert loop_thread == threading.get_ident() != any_thread
