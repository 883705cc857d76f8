"""Answers past the runtime: every byte once, in order, and none before the runtime's are there."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TypeVar

import pytest

from maruhub.errors import Unavailable
from maruhub.gateway.answer import Gathered
from maruhub.gateway.head import Head
from maruhub.gateway.serve.connections.connection import Connection
from maruhub.gateway.serve.connections.search import Search
from maruhub.gateway.serve.connections.straight import Straight, chunk, head_bytes, way_to
from maruhub.gateway.serve.crossing import Crossing
from maruhub.wire.frame import Buffer

T = TypeVar("T")
HEADERS = [("content-type", "x/y"), ("server", "MaruHub")]
BEGUN = b"h" * head_bytes(200, HEADERS) + b"".join(chunk([b"begin"]))


class Line:
    """A connection whose near end stands for the runtime's."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.far = socket.create_connection(listener.getsockname())
            self.near = listener.accept()[0]
        self.near.setblocking(False)
        host, port = self.near.getpeername()
        self.head = Head("POST", "/", "", (), client=f"{host}:{port}")
        self.received = bytearray()

    def receive(self) -> threading.Thread:
        def run() -> None:
            while more := self.far.recv(1 << 20):
                self.received += more

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def close(self) -> None:
        self.far.close()
        self.near.close()


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    yield made
    made.close()


def pieces_of(count: int) -> Iterator[list[Buffer]]:
    for i in range(count):
        block = bytes([i]) * 300_000
        yield [b"%d" % i, memoryview(block), b"", memoryview(block)[: i * 1000]]


@contextlib.asynccontextmanager
async def way(head: Head, crossing: Crossing) -> AsyncIterator[Straight]:
    connection = Connection(head.client, Search(crossing))
    try:
        yield await way_to(head, connection)
    finally:
        connection.close()


def test_what_follows_the_runtime_comes_whole_and_in_order(line: Line, crossing: Crossing) -> None:
    # More than both ends' buffers hold, from more buffers than one call takes.
    many: list[Buffer] = [b"%05d" % i for i in range(3000)]
    expected = BEGUN
    for piece in [many, *pieces_of(60)]:
        expected += b"".join(chunk(piece))

    async def answer() -> int:
        async with way(line.head, crossing) as straight:
            straight.began(200, HEADERS)
            straight.gave(b"begin")
            line.near.send(BEGUN)
            assert await straight.is_clear()
            await straight.send(crossing, many, Gathered(pieces_of(60)), 5)
            return straight.sent_bytes

    receiving = line.receive()
    sent = asyncio.run(answer())
    line.near.close()
    receiving.join()
    assert line.received == expected
    assert sent == sum(sum(map(len, piece)) for piece in [many, *pieces_of(60)])


@pytest.mark.parametrize("off_by", [-1, 1, 100], ids=["less", "more", "much more"])
def test_it_is_not_clear_while_the_kernel_has_anything_else(
    line: Line, crossing: Crossing, off_by: int
) -> None:
    async def answer() -> bool:
        async with way(line.head, crossing) as straight:
            straight.began(200, HEADERS)
            straight.gave(b"begin")
            line.near.send((BEGUN + b"h" * 100)[: len(BEGUN) + off_by])
            return await straight.is_clear()

    assert not asyncio.run(answer())


def test_what_was_sent_before_the_answer_does_not_count(line: Line, crossing: Crossing) -> None:
    async def answer() -> bool:
        line.near.send(b"an answer before")
        async with way(line.head, crossing) as straight:
            straight.began(200, HEADERS)
            straight.gave(b"begin")
            line.near.send(BEGUN)
            return await straight.is_clear()

    assert asyncio.run(answer())


@pytest.mark.parametrize("more", [{"scheme": "https"}, {"version": "1.0"}, {"client": "127.0.0.1:1"}])
def test_what_the_runtime_alone_can_send_is_left_to_it(
    line: Line, crossing: Crossing, more: dict[str, str]
) -> None:
    named = {"scheme": "http", "version": "1.1", "client": line.head.client} | more

    async def answer() -> bool:
        async with way(Head("POST", "/", "", (), **named), crossing) as straight:
            straight.began(200, HEADERS)
            straight.gave(b"begin")
            line.near.send(BEGUN)
            return await straight.is_clear()

    assert not asyncio.run(answer())


def test_it_is_not_clear_before_the_client_was_seen_to_be_there(line: Line, crossing: Crossing) -> None:
    async def answer() -> bool:
        async with way(line.head, crossing) as straight:
            straight.began(200, HEADERS)
            line.near.send(b"h" * head_bytes(200, HEADERS))
            return await straight.is_clear()

    assert not asyncio.run(answer())


def send(line: Line, crossing: Crossing, pieces: Iterator[list[Buffer]], idle_s: float) -> None:
    async def answer() -> None:
        straight = Straight(line.near)
        await straight.send(crossing, [b"first"], Gathered(pieces), idle_s)

    asyncio.run(answer())


def test_a_client_that_reads_nothing_is_left(line: Line, crossing: Crossing) -> None:
    with pytest.raises(ConnectionError, match="does not read"):
        send(line, crossing, pieces_of(200), 0.2)


def test_a_client_that_takes_little_at_a_time_is_waited_for(line: Line, crossing: Crossing) -> None:
    def receive() -> None:
        for _ in range(30):
            time.sleep(0.1)
            line.received.extend(line.far.recv(70_000, socket.MSG_WAITALL))
        while more := line.far.recv(1 << 20):
            line.received.extend(more)

    # So the kernel finds room for more only after several of these.
    line.far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 100_000)
    line.near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 << 20)
    receiving = threading.Thread(target=receive, daemon=True)
    receiving.start()
    send(line, crossing, pieces_of(20), 1)
    line.near.close()
    receiving.join()
    assert line.received == b"".join(chunk([b"first"])) + b"".join(
        b"".join(chunk(piece)) for piece in pieces_of(20)
    )


def test_a_client_that_is_gone_is_left(line: Line, crossing: Crossing) -> None:
    line.far.close()
    pieces = pieces_of(200)
    send(line, crossing, pieces, 5)
    assert next(pieces, None) is not None


def test_after_an_error_the_answer_never_looks_whole(line: Line, crossing: Crossing) -> None:
    def broken() -> Iterator[list[Buffer]]:
        yield [b"good"]
        raise Unavailable("broken")

    receiving = line.receive()
    with pytest.raises(Unavailable, match="broken"):
        send(line, crossing, broken(), 5)
    receiving.join()
    with pytest.raises(OSError):
        line.near.send(b"0\r\n\r\n")
    assert line.received == b"5\r\nfirst\r\n4\r\ngood\r\n"


def test_a_cancelled_answer_lets_its_thread_finish_first(line: Line, crossing: Crossing) -> None:
    async def answer() -> None:
        straight = Straight(line.near)
        task = asyncio.ensure_future(straight.send(crossing, [b"first"], Gathered(pieces_of(200)), 60))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert crossing.pending == 0

    asyncio.run(answer())


def test_what_the_kernel_refuses_is_no_fault_of_the_client(line: Line, crossing: Crossing) -> None:
    class Unreadable(socket.socket):
        def sendmsg(self, *_arguments: object) -> int:
            raise OSError(errno.EFAULT, "Bad address")

    async def answer() -> None:
        with Unreadable(fileno=line.near.dup().detach()) as connection:
            await Straight(connection).send(crossing, [b"first"], Gathered(pieces_of(1)), 5)

    with pytest.raises(OSError, match="Bad address") as refused:
        asyncio.run(answer())
    assert not isinstance(refused.value, ConnectionError)


def test_a_steady_client_of_ordinary_speed_holds_no_thread(line: Line) -> None:
    """It takes something in each few milliseconds, and all the same most of the time no thread waits."""

    class Counted(Crossing):
        held_s = 0.0

        async def finish(self, call: Callable[..., T], *arguments: object) -> T:
            def timed() -> T:
                since_s = time.monotonic()
                try:
                    return call(*arguments)
                finally:
                    self.held_s += time.monotonic() - since_s

            return await super().finish(timed)

    def receive() -> None:
        while more := line.far.recv(16 << 10):
            line.received.extend(more)
            time.sleep(0.002)

    line.far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 << 10)
    line.near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 128 << 10)
    receiving, since_s, counted = (
        threading.Thread(target=receive, daemon=True),
        time.monotonic(),
        Counted(1, 8),
    )
    receiving.start()
    try:
        send(line, counted, pieces_of(10), 5)
    finally:
        counted.close()
    share = counted.held_s / (time.monotonic() - since_s)
    line.near.close()
    receiving.join()
    assert share < 0.5
