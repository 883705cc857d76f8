"""The search for connections: many who ask at once share a look, and none has what isn't its own."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from maruhub.gateway.serve.connections import search
from maruhub.gateway.serve.connections.connection import Connection
from maruhub.gateway.serve.connections.descriptors import sole_connections
from maruhub.gateway.serve.connections.search import Search
from maruhub.gateway.serve.crossing import Crossing
from tests.unit.gateway.ends import Ends

MANY = 40


class Looks:
    """What a search does in its thread, counted; each waits until it may."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[int] = []
        self.may = threading.Event()
        monkeypatch.setattr(search, "sole_connections", self)

    def __call__(self, clients: Sequence[str]) -> Any:
        self.asked.append(len(clients))
        assert self.may.wait(30)
        return sole_connections(clients)


def test_who_asks_meanwhile_shares_the_next_look_and_has_its_own(
    ends: Ends, crossing: Crossing, monkeypatch: pytest.MonkeyPatch
):
    clients = [ends.add("127.0.0.1", other=True) for _ in range(MANY)]
    looks, seeking = Looks(monkeypatch), Search(crossing)

    async def ask() -> list[Any]:
        connections = [Connection(client, seeking) for client in [*clients, clients[0], "nobody"]]
        asked = [asyncio.create_task(connections[0].find())]
        await asyncio.sleep(0.01)
        asked += [asyncio.create_task(each.find(surely=True)) for each in connections[1:]]
        await asyncio.sleep(0.01)
        looks.may.set()
        found = await asyncio.gather(*asked)
        names = [own and own.getpeername() for own in found]
        for each in connections:
            each.close()
        return names

    before = len(os.listdir("/proc/self/fd"))
    near = [each.getpeername() for each in ends.near]
    assert asyncio.run(ask()) == [*near, near[0], None]
    assert looks.asked == [1, MANY + 1]
    assert len(os.listdir("/proc/self/fd")) == before


def test_who_leaves_keeps_nothing_open_and_others_are_told_what_went_wrong(
    ends: Ends, crossing: Crossing, monkeypatch: pytest.MonkeyPatch
):
    client = ends.add("127.0.0.1")
    looks, seeking = Looks(monkeypatch), Search(crossing)

    async def leave() -> None:
        leaving = asyncio.create_task(seeking.find(client))
        staying = asyncio.create_task(seeking.find(client))
        await asyncio.sleep(0.01)
        leaving.cancel()
        looks.may.set()
        own, _ = await staying
        assert own is not None
        own.close()
        assert (await asyncio.gather(leaving, return_exceptions=True))[0].__class__ is asyncio.CancelledError
        monkeypatch.setattr(search, "sole_connections", lambda clients: 1 // (len(clients) - 1))
        with pytest.raises(ZeroDivisionError):
            await seeking.find(client)
        monkeypatch.setattr(search, "sole_connections", sole_connections)
        again = (await seeking.find(client))[0]
        assert again is not None
        again.close()

    before = len(os.listdir("/proc/self/fd"))
    asyncio.run(leave())
    assert len(os.listdir("/proc/self/fd")) == before
