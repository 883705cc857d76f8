"""The small parts of serving: options, the socket, bodies, the crossing to threads, the log."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import select
import socket
import subprocess
import sys
import threading
from collections import Counter as Tally
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from maruhub.errors import Busy, InvalidInput
from maruhub.gateway.head import Head
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.serve.bodies import room as bodies_room
from maruhub.gateway.serve.bodies.body import Body
from maruhub.gateway.serve.bodies.room import Room
from maruhub.gateway.serve.crossing import Crossing
from maruhub.gateway.serve.exchange import Exchange
from maruhub.gateway.serve.listener import open_listeners, stop_accepting
from maruhub.gateway.serve.options import ServeOptions, listen_address
from maruhub.gateway.serve.runtime import is_news
from maruhub.gateway.serve.telemetry.access_log import AccessLog
from maruhub.gateway.serve.telemetry.ended import Ended
from maruhub.gateway.serve.telemetry.register import Register
from maruhub.gateway.serve.worker import _Server


class Wire:
    """Granian's protocol as far as a body goes: chunks, then whatever ends them."""

    def __init__(
        self, *chunks: bytes, ending: Exception | None = None, stall: bool = False, pause_s: float = 0.0
    ) -> None:
        self.chunks, self.ending, self.stall, self.pause_s = chunks, ending, stall, pause_s

    async def __call__(self) -> bytes:
        return b"".join([chunk async for chunk in self])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            if self.pause_s:
                await asyncio.sleep(self.pause_s)
            yield chunk
        if self.ending is not None:
            raise self.ending
        if self.stall:
            await asyncio.sleep(3600)


def body(wire: Wire, size: int | None, idle_s: float = 30.0) -> Body:
    length = () if size is None else (("content-length", str(size)),)
    return Body(Head("PUT", "/b/k", "", (*length, ("transfer-encoding", "chunked"))), wire, idle_s)


def whole(wire: Wire, size: int | None, most: int = 100, idle_s: float = 30.0) -> bytes:
    return asyncio.run(body(wire, size, idle_s).whole(most))


def code_of(*arguments: object, **named: object) -> str:
    with pytest.raises(S3Failure) as caught:
        whole(*arguments, **named)  # type: ignore[arg-type]
    return caught.value.code


def test_a_body_is_what_came_in():
    assert whole(Wire(b"ab", b"", b"cd"), 4) == b"abcd"
    assert whole(Wire(*[bytes(60_000)] * 10), 600_000, most=600_000) == bytes(600_000)
    assert whole(Wire(b"abcd"), None) == b"abcd"
    assert whole(Wire(), 0) == b""


def test_a_body_that_is_not_as_promised_is_refused():
    assert code_of(Wire(b"ab"), 4) == "IncompleteBody"
    assert code_of(Wire(b"ab", ending=RuntimeError("gone")), 4) == "IncompleteBody"
    assert code_of(Wire(b"ab"), 4, most=3) == "MaxMessageLengthExceeded"
    assert code_of(Wire(b"abcd"), None, most=3) == "MaxMessageLengthExceeded"
    assert code_of(Wire(b"ab", stall=True), 4, idle_s=0.01) == "RequestTimeout"
    large = 1 << 20
    assert code_of(Wire(b"ab"), large, most=large) == "IncompleteBody"
    assert code_of(Wire(b"ab", stall=True), large, most=large, idle_s=0.01) == "RequestTimeout"


def test_pieces_are_worth_a_thread():
    async def sizes() -> list[int]:
        return [len(piece) async for piece in body(Wire(*[bytes(65536)] * 40), 40 * 65536).pieces()]

    assert asyncio.run(sizes()) == [1 << 20, 1 << 20, 512 << 10]


def test_who_waits_for_room_in_vain_is_told_to_slow_down():
    async def wait() -> tuple[str, bytes]:
        room, size = Room(1 << 20), 1 << 20
        await room.take(1)
        late = body(Wire(bytes(size)), size, idle_s=0.01)
        with pytest.raises(S3Failure) as caught:
            await late.whole(size, room)
        late.let_go()
        room.give(1)
        return caught.value.code, await body(Wire(bytes(size)), size).whole(size, room)

    assert asyncio.run(asyncio.wait_for(wait(), 30)) == ("SlowDown", bytes(1 << 20))


@pytest.mark.parametrize("crowd", ["uploads", "forms"])
def test_a_slow_body_ends_for_those_who_wait_for_its_place_and_for_no_others(
    crowd: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("maruhub.gateway.serve.bodies.body._GRACE_S", -1.0)
    monkeypatch.setattr("maruhub.gateway.serve.bodies.body._LEAST_BYTES_S", 1 << 60)

    class Kept:
        def write(self, _data: bytes) -> None: ...

        def finish(self) -> str:
            return "kept"

        def abort(self) -> None: ...

    async def pour() -> object:
        desk = SimpleNamespace(crossing=Crossing(1, 1), uploads=Room(2), forms=Room(2))
        exchange: Any = object.__new__(Exchange)
        exchange._desk, exchange._body = desk, body(Wire(b"ab", b"cd", pause_s=0.01), 4)
        full = getattr(desk, crowd)
        await full.take(1)
        pouring = asyncio.create_task(exchange._pour(Kept, desk.uploads))
        await asyncio.sleep(0)
        if crowd == "forms":
            await full.take(1)
        waiting = asyncio.create_task(full.take(1))
        try:
            return await pouring
        finally:
            waiting.cancel()

    if crowd == "forms":
        assert asyncio.run(pour()) == "kept"
    else:
        with pytest.raises(S3Failure) as caught:
            asyncio.run(pour())
        assert caught.value.code == "RequestTimeout"


def test_a_little_of_a_refused_body_is_passed_over_and_a_lot_is_not():
    assert asyncio.run(body(Wire(b"ab", b"cd"), 4).pass_over())
    assert not asyncio.run(body(Wire(b"ab"), 1 << 40).pass_over())
    assert not asyncio.run(body(Wire(b"ab"), None).pass_over())


def test_who_comes_when_too_many_wait_is_told_to_slow_down():
    async def crowd() -> tuple[int, list[str]]:
        crossing, go = Crossing(threads=2, waiting=1), threading.Event()
        begun = [asyncio.ensure_future(crossing.run(go.wait, 30)) for _ in range(3)]
        await asyncio.sleep(0)
        refused = []
        try:
            await crossing.run(int)
        except S3Failure as failure:
            refused.append(failure.code)
        # What was begun may always be ended.
        ending = asyncio.ensure_future(crossing.finish(int))
        await asyncio.sleep(0)
        go.set()
        done = await asyncio.gather(*begun, ending)
        crossing.close()
        return len(done), refused

    assert asyncio.run(crowd()) == (4, ["SlowDown"])


def test_options_cross_to_a_worker_as_they_are(tmp_path: Path):
    options = ServeOptions(tmp_path, host="::1", workers=3, base_hosts=("a.b", "c"), care=False)
    assert ServeOptions.from_json(options.to_json()) == options
    with pytest.raises(InvalidInput, match="certificate and a key"):
        ServeOptions(tmp_path, tls_cert=tmp_path / "cert.pem")
    with pytest.raises(InvalidInput, match="cannot be read"):
        ServeOptions(tmp_path, tls_cert=tmp_path / "cert.pem", tls_key=tmp_path / "key.pem")
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).write_text("-----BEGIN NOTHING-----\n")
    with pytest.raises(InvalidInput, match="no certificate and its private key"):
        ServeOptions(tmp_path, tls_cert=tmp_path / "cert.pem", tls_key=tmp_path / "key.pem")


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.1:90", ("127.0.0.1", 90)), (":80", ("", 80)), ("9000", ("", 9000)), ("[::1]:9", ("::1", 9))],
)
def test_addresses_to_listen_on(text: str, address: tuple[str, int]):
    assert listen_address(text) == address


@pytest.mark.parametrize("text", ["", "host", "host:", "host:port", "host:65536", "host:-1", "host:١"])
def test_what_is_no_address(text: str):
    with pytest.raises(InvalidInput):
        listen_address(text)


def test_a_taken_port_is_said_to_be_taken():
    listeners = open_listeners("127.0.0.1", 0, 2)
    # Each of them shares its port, but with nobody else's.
    for taken in listeners:
        with pytest.raises(Busy, match="cannot listen"):
            open_listeners("127.0.0.1", taken.getsockname()[1], 2)
    for listener in listeners:
        listener.close()
    with pytest.raises(InvalidInput, match="no address of this machine"):
        open_listeners("203.0.113.7", 0, 1)


def test_connections_are_dealt_out_to_all_listeners():
    listeners = open_listeners("127.0.0.1", 0, 3)
    callers = [socket.create_connection(listeners[0].getsockname(), 5) for _ in range(120)]
    # Forty are to be expected of each; a socket that nobody is sent to has none.
    assert all(_waiting(listener) >= 5 for listener in listeners)
    for one in (*callers, *listeners):
        one.close()


def _waiting(listener: socket.socket) -> int:
    """How many connections can be taken at once."""
    count = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            listener.accept()[0].close()
            count += 1
    return count


def test_a_process_that_stops_accepting_leaves_the_socket_to_others():
    (shared,) = open_listeners("127.0.0.1", 0, 1)
    with shared, socket.fromfd(shared.fileno(), 2, 1) as mine:
        # As another process would have it: this one's table is changed, the socket is not.
        address = shared.getsockname()
        kept = socket.socket(fileno=shared.detach())
        stop_accepting(mine.fileno())
        with pytest.raises(ConnectionRefusedError), socket.create_connection(address, 5):
            # Every descriptor of this process is another socket by now, so nobody listens any more.
            pass
        kept.close()


def test_the_log_has_a_line_a_request(tmp_path: Path):
    access = AccessLog(str(tmp_path / "log"))
    common = {"id": "1F", "client": "::1", "key": "", "operation": "GetObject", "received": 0, "sent": 3}
    access.write([Ended(1.9996, 0.25, method="GET", path='/a\nb"\udcff', status=200, **common)])
    access.write([Ended(2.0, 0.25, method="GET", path="/c", status=404, **common)])
    access.close()

    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [(line["path"], line["status"]) for line in lines] == [('/a\nb"\udcff', 200), ("/c", 404)]
    assert lines[0] == common | {
        "time": "1970-01-01T00:00:01.999Z",
        "method": "GET",
        "path": '/a\nb"\udcff',
        "status": 200,
        "ms": 250.0,
    }


def ended(path: str, number: int = 0) -> Ended:
    return Ended(2.0, 0.25, f"{number:X}", "::1", "", "GetObject", "GET", path, 200, 0, 3)


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[AccessLog, int]]:
    """A log on standard output, which is a pipe, and the pipe's other end."""
    reader, writer = os.pipe()
    with open(writer, "wb") as out, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", out)
        access = AccessLog("-")
    yield access, reader
    os.close(reader)
    access.close()


def test_a_stalled_reader_of_the_log_stops_nobody(piped: tuple[AccessLog, int]):
    access, reader = piped
    told = 0
    lines = [ended("/" + "a" * 1000)] * 200
    counted = Tally[str]()

    class Counts:
        def count(self, ended: Sequence[Ended], *, refused: int, unlogged: int) -> None:
            counted.update(ended=len(ended), unlogged=unlogged)

    register = Register(Counts(), access)  # type: ignore[arg-type]

    def note_all() -> None:
        nonlocal told
        for _ in range(100):
            for line in lines:
                register.note(line)
            told += len(lines)
        register.flush()
        register.flush()

    noting = threading.Thread(target=note_all, daemon=True)
    noting.start()
    noting.join(20)
    assert not noting.is_alive()
    assert counted["ended"] == told
    assert 0 < counted["unlogged"] < told
    # Once it reads again, the log has every line that wasn't lost, each of them whole.
    closing = threading.Thread(target=access.close)
    closing.start()
    with open(os.dup(reader), "rb") as log:
        read = [json.loads(line) for line in log]
    closing.join()
    assert len(read) + counted["unlogged"] == told


def test_workers_that_share_a_pipe_share_no_line(monkeypatch: pytest.MonkeyPatch):
    reader, writer = os.pipe()
    with open(writer, "wb") as out, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", out)
        logs = [AccessLog("-") for _ in range(3)]

    def work(access: AccessLog) -> None:
        for length in (10, 900, 3000, 9000):
            access.write([ended("/" + "\x01" * length, length)] * 60)
        access.close()

    working = [threading.Thread(target=work, args=(access,)) for access in logs]
    for thread in working:
        thread.start()
    with open(reader, "rb") as log:
        lines = log.read().splitlines(keepends=True)
    assert all(len(line) <= select.PIPE_BUF for line in lines)
    assert Tally(json.loads(line)["id"] for line in lines) == {
        f"{length:X}": 180 for length in (10, 900, 3000, 9000)
    }
    for thread in working:
        thread.join()


def test_lines_that_no_drive_took_are_counted():
    access = AccessLog("/dev/full")
    access.write([ended("/a"), ended("/b")])
    access.close()
    assert access.take_lost() == 2
    assert access.take_lost() == 0


def test_a_flush_that_fails_is_not_the_last():
    armed: list[Any] = []

    class Loop:
        def call_later(self, _seconds: float, call: Any, *_arguments: Any) -> None:
            armed.append(call)

    class App:
        def flush(self) -> None:
            raise OSError("no room")

    server = object.__new__(_Server)
    server._app = App()
    with pytest.raises(OSError, match="no room"):
        server._flush(Loop())  # type: ignore[arg-type]
    assert armed == [server._flush]


def test_a_worker_settles_before_it_serves():
    script = (
        "import gc, sys; from maruhub.gateway.serve import worker; before = sys.getswitchinterval()\n"
        "worker._settle(); print(gc.get_freeze_count() > 1000, sys.getswitchinterval() < before)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]


@pytest.mark.parametrize(
    ("error", "news"), [("ConnectionError: it does not read", False), ("KeyError: 5", True)]
)
def test_a_client_that_was_given_up_is_not_told_of_twice(error: str, news: bool):
    text = f"Application callable raised an exception\nTraceback (most recent call last):\n  ...\n{error}\n"
    record = logging.LogRecord("_granian.utils", logging.ERROR, "", 0, text, (), None)
    assert is_news(record) is news


def test_room_is_lent_in_the_order_in_which_it_is_asked_for():
    async def lend() -> list[str]:
        room, told = Room(10), list[str]()

        async def use(name: str, size: int) -> None:
            await room.take(size)
            told.append(name)

        await use("large", 9)
        tasks = [asyncio.create_task(use(name, size)) for name, size in (("six", 6), ("two", 2), ("five", 5))]
        await asyncio.sleep(0)
        assert (told, room.is_crowded) == (["large"], True)
        tasks[0].cancel()
        await asyncio.gather(tasks[0], return_exceptions=True)
        room.give(9)
        await asyncio.sleep(0)
        assert (told, room.is_crowded) == (["large", "two", "five"], False)
        room.give(2)
        room.give(5)
        await asyncio.wait_for(use("larger than all", 11), 5)
        waiting = asyncio.create_task(use("one", 1))
        await asyncio.sleep(0)
        # Given in the same moment in which the one that waits is given up.
        room.give(11)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await asyncio.wait_for(use("ten", 10), 5)
        return told

    assert asyncio.run(lend())[3:] == ["larger than all", "ten"]


def test_a_large_body_waits_for_room_and_gives_it_back():
    async def take() -> None:
        room, size = Room(1 << 20), 1 << 20
        first, second = (body(Wire(bytes(size)), size) for _ in range(2))
        assert len(await first.whole(size, room)) == size
        waiting = asyncio.create_task(second.whole(size, room))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        first.let_go()
        first.let_go()
        assert len(await asyncio.wait_for(waiting, 5)) == size
        assert await body(Wire(b"small"), 5).whole(size, room) == b"small"

    asyncio.run(take())


def test_the_body_that_was_silent_longest_ends_for_who_waits_for_its_room(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bodies_room, "_LOOK_S", 0.01)
    size = 1 << 20

    async def told(room: Room, wire: Wire) -> str:
        mine = body(wire, size)
        try:
            return "whole" if len(await mine.whole(size, room)) == size else "cut"
        except S3Failure as failure:
            return failure.code
        finally:
            mine.let_go()

    async def crowd() -> None:
        room = Room(3 * size, silent_s=0.1)
        dripping, first, second = (
            asyncio.create_task(told(room, wire))
            for wire in (Wire(*[b"x"] * 999, pause_s=0.01), Wire(b"x", stall=True), Wire(stall=True))
        )
        await asyncio.sleep(0.3)
        assert not any(task.done() for task in (dripping, first, second)), "nobody waits for them"
        assert await asyncio.wait_for(told(room, Wire(bytes(size))), 10) == "whole"
        assert first.done()
        assert first.result() == "RequestTimeout"
        assert not second.done(), "one was enough"
        assert not dripping.done(), "something comes of it"
        dripping.cancel()
        second.cancel()
        await asyncio.gather(dripping, second, return_exceptions=True)
        await asyncio.wait_for(room.take(3 * size), 10)

    asyncio.run(crowd())


def test_a_body_of_which_something_comes_keeps_its_room(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bodies_room, "_LOOK_S", 0.01)
    size = 1 << 20

    async def crowd() -> tuple[bytes, str]:
        room, coming = Room(size, silent_s=1.0), body(Wire(*[bytes(size // 32)] * 32, pause_s=0.06), size)
        slow = asyncio.create_task(coming.whole(size, room))
        await asyncio.sleep(0)
        late = body(Wire(bytes(size)), size, idle_s=1.5)
        with pytest.raises(S3Failure) as caught:
            await late.whole(size, room)
        return await slow, caught.value.code

    assert asyncio.run(crowd()) == (bytes(size), "SlowDown")
