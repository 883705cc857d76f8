"""What the server's runtime may hold of an answer: little by right, more on loan, and all of it told."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Awaitable, Callable

import pytest

from maruhub.gateway.serve.connections.allowance import STEP_BYTES, Allowance, _end, _look
from maruhub.gateway.serve.connections.connection import Connection
from maruhub.gateway.serve.connections.kernel import acknowledged_bytes
from maruhub.gateway.serve.connections.outflow import FIRST_BYTES, MOST_BYTES, Outflow
from maruhub.gateway.serve.connections.search import Search
from maruhub.gateway.serve.crossing import Crossing
from tests.unit.gateway.ends import Ends

PIECE = 1 << 20
LARGE = 64 << 20


class Answer:
    """An answer's outflow, to be used in a loop."""

    def __init__(self, client: str, crossing: Crossing, allowance: Allowance, idle_s: float = 60) -> None:
        self._connection = Connection(client, Search(crossing))
        self.outflow = Outflow(self._connection, "http", idle_s, allowance)
        self.sent_bytes = 0

    async def goes_on(self, size_bytes: int) -> int:
        """Sends pieces up to a size, until one has to wait; bytes sent so far."""
        while self.sent_bytes < size_bytes:
            try:
                async with asyncio.timeout(0.3):
                    if not await self.outflow.room(self.sent_bytes, PIECE):
                        break
            except TimeoutError:
                break
            self.sent_bytes += PIECE
        return self.sent_bytes

    def end(self) -> None:
        self.outflow.end(self.sent_bytes)
        self._connection.close()


def nobody(_crossing: object, *_: object) -> object:
    raise AssertionError("nobody need look")


def filled(near: socket.socket) -> int:
    """Gives the kernel as much as it takes."""
    near.setblocking(False)
    count = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            count += near.send(bytes(1 << 16))
    return count


def in_loop(call: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await call()

    asyncio.run(run())


def test_what_is_lent_as_a_whole_needs_no_look(
    ends: Ends, crossing: Crossing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Crossing, "finish", nobody)
    allowance = Allowance(crossing, 60, LARGE)

    async def answer() -> None:
        one = Answer(ends.add("127.0.0.1"), crossing, allowance)
        await one.outflow.begin(MOST_BYTES)
        assert await one.goes_on(MOST_BYTES) == MOST_BYTES
        assert allowance.left_bytes == LARGE - (MOST_BYTES - FIRST_BYTES)
        one.end()

    in_loop(answer)


def test_with_nothing_to_lend_the_runtime_has_what_is_its_by_right(ends: Ends, crossing: Crossing) -> None:
    allowance = Allowance(crossing, 60, 0)

    async def answer() -> None:
        small = Answer(ends.add("127.0.0.1"), crossing, allowance)
        await small.outflow.begin(FIRST_BYTES)
        assert await small.goes_on(FIRST_BYTES) == FIRST_BYTES
        large = Answer(ends.add("127.0.0.1", other=True), crossing, allowance)
        await large.outflow.begin(LARGE)
        assert await large.goes_on(LARGE) == FIRST_BYTES
        given = filled(ends.near[1])
        await large.goes_on(LARGE)
        assert FIRST_BYTES - PIECE < large.sent_bytes - given <= FIRST_BYTES
        for one in (small, large):
            one.end()

    in_loop(answer)


def test_of_a_size_that_nobody_knew_a_piece_follows_once_the_kernel_has_the_one_before(
    ends: Ends, crossing: Crossing
) -> None:
    async def answer() -> None:
        one = Answer(ends.add("127.0.0.1"), crossing, Allowance(crossing, 60, 0))
        await one.outflow.begin(0)
        assert await one.goes_on(LARGE) == FIRST_BYTES + PIECE
        given = filled(ends.near[0])
        await one.goes_on(LARGE)
        assert 0 <= one.sent_bytes - FIRST_BYTES - given <= PIECE
        one.end()

    in_loop(answer)


def test_a_piece_that_is_larger_than_all_that_may_be_held_goes_alone(ends: Ends, crossing: Crossing) -> None:
    async def answer() -> None:
        one = Answer(ends.add("127.0.0.1"), crossing, Allowance(crossing, 60, 0))
        await one.outflow.begin(2 * LARGE)
        assert await one.outflow.room(0, LARGE)
        one.end()

    in_loop(answer)


def test_who_is_slow_gives_back_what_was_lent(ends: Ends, crossing: Crossing) -> None:
    allowance = Allowance(crossing, 60, LARGE)

    async def answer() -> None:
        one = Answer(ends.add("127.0.0.1"), crossing, allowance)
        await one.outflow.begin(LARGE)
        sent = await one.goes_on(LARGE)
        assert sent > FIRST_BYTES
        assert allowance.left_bytes < LARGE
        for _ in range(sent // PIECE):
            ends.near[0].setblocking(False)
            with contextlib.suppress(BlockingIOError):
                ends.near[0].send(bytes(PIECE))
            ends.far[0].recv(PIECE)
        await one.goes_on(LARGE)
        assert allowance.left_bytes == LARGE
        one.end()

    in_loop(answer)


def test_the_next_answer_to_the_same_client_gives_back_what_the_last_was_lent(
    ends: Ends, crossing: Crossing
) -> None:
    allowance = Allowance(crossing, 60, LARGE)

    async def answer() -> None:
        client = ends.add("127.0.0.1")
        for _ in range(3):
            one = Answer(client, crossing, allowance)
            assert allowance.left_bytes == LARGE
            await one.goes_on(MOST_BYTES)
            one.end()
            assert allowance.left_bytes == LARGE - (MOST_BYTES - FIRST_BYTES)

    in_loop(answer)


async def owed(allowance: Allowance, client: str, size_bytes: int) -> None:
    loan = allowance.loan(client)
    assert loan.covers(size_bytes)
    loan.end()
    assert allowance.left_bytes == 0


async def collect(allowance: Allowance, times: int) -> None:
    for _ in range(times):
        await allowance.collect()
        # The longer a look took, the longer there is none.
        await asyncio.sleep(max(0.0, allowance._next_look_s - time.monotonic()) + 0.01)


def test_what_a_client_owed_that_has_gone_is_lent_again(ends: Ends, crossing: Crossing) -> None:
    allowance = Allowance(crossing, 60, STEP_BYTES)

    async def debt() -> None:
        await owed(allowance, ends.add("127.0.0.1"), STEP_BYTES)
        ends.near[0].close()
        await collect(allowance, 1)
        assert allowance.left_bytes == STEP_BYTES

    in_loop(debt)


def test_a_debtor_whose_connection_is_quiet_has_everything(ends: Ends, crossing: Crossing) -> None:
    allowance = Allowance(crossing, 60, STEP_BYTES)

    async def debt() -> None:
        await owed(allowance, ends.add("127.0.0.1"), STEP_BYTES)
        await collect(allowance, 1)
        assert allowance.left_bytes == 0, "the runtime may not have had its turn"
        ends.near[0].send(b"more")
        await collect(allowance, 1)
        assert allowance.left_bytes == 0, "it was about to send"
        await collect(allowance, 1)
        assert allowance.left_bytes == STEP_BYTES

    in_loop(debt)


def test_a_debtor_whose_address_another_connection_has_now_has_gone(ends: Ends, crossing: Crossing) -> None:
    allowance = Allowance(crossing, 60, STEP_BYTES)

    async def debt() -> None:
        await owed(allowance, ends.add("127.0.0.1"), STEP_BYTES)
        filled(ends.near[0])
        await collect(allowance, 1)
        name = ends.far[0].getsockname()
        # Reset, so that the address is free at once.
        ends.near[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        ends.near[0].close()
        ends.far.pop(0).close()
        ends.add("127.0.0.1", source=name)
        filled(ends.near[1])
        await collect(allowance, 1)
        assert allowance.left_bytes == STEP_BYTES

    in_loop(debt)


def test_only_a_connection_that_is_still_as_it_was_seen_is_ended(ends: Ends) -> None:
    client = ends.add("127.0.0.1")
    filled(ends.near[0])
    seen = _look([client])
    ends.far[0].recv(1 << 20, socket.MSG_WAITALL)
    assert _end(seen) == []
    assert acknowledged_bytes(ends.near[0])
    assert _end(_look([client])) == [client]


def test_a_debtor_that_does_not_read_has_an_end(
    ends: Ends, crossing: Crossing, caplog: pytest.LogCaptureFixture
) -> None:
    allowance = Allowance(crossing, 0.4, STEP_BYTES)
    client = ends.add("127.0.0.1")

    async def debt() -> None:
        await owed(allowance, client, STEP_BYTES)
        filled(ends.near[0])
        await collect(allowance, 2)
        assert allowance.left_bytes == 0
        while not allowance.left_bytes:
            await collect(allowance, 1)
        with pytest.raises(BrokenPipeError):
            ends.near[0].send(b"more")

    in_loop(debt)
    assert client in caplog.text


def test_no_more_is_queued_for_one_that_is_not_known(ends: Ends, crossing: Crossing) -> None:
    client = ends.add("127.0.0.1")
    ends.add("127.0.0.2")

    async def wait(idle_s: float) -> bool:
        one = Answer(client, crossing, Allowance(crossing, idle_s, 0), idle_s)
        try:
            await one.outflow.begin(LARGE)
            assert await one.goes_on(MOST_BYTES) == MOST_BYTES
            return await one.outflow.room(MOST_BYTES, 1)
        finally:
            one.end()

    with pytest.raises(ConnectionError, match="can't be said"):
        asyncio.run(wait(0.1))

    async def until_the_other_ends() -> bool:
        waiting = asyncio.ensure_future(wait(60))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        ends.near[1].close()
        return await waiting

    assert asyncio.run(until_the_other_ends())
