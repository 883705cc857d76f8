"""Which of a process's connections is a client's: the right one, or none."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import struct

import pytest

from maruhub.gateway.serve.connections.connection import Connection
from maruhub.gateway.serve.connections.descriptors import connections_of, sole_connections
from maruhub.gateway.serve.connections.search import Search
from maruhub.gateway.serve.crossing import Crossing
from tests.unit.gateway.ends import Ends


def connection_of(client: str, *, surely: bool = False) -> socket.socket | None:
    """As an answer finds it; the caller's to close."""

    async def find() -> socket.socket | None:
        crossing = Crossing(1, 1)
        try:
            return await Connection(client, Search(crossing)).find(surely=surely)
        finally:
            crossing.close()

    return asyncio.run(find())


def local(client: str, *, surely: bool = False) -> tuple[str, int] | None:
    found = connection_of(client, surely=surely)
    if found is None:
        return None
    with found:
        name: tuple[str, int] = found.getsockname()
        return name


def test_one_that_is_there_is_found_and_no_other(ends: Ends) -> None:
    client = ends.add("127.0.0.1")
    assert local(client) == local(client, surely=True) == ends.near[0].getsockname()
    assert local("127.0.0.1:1") is local("") is local("nobody") is None


@pytest.mark.parametrize("surely", [False, True])
def test_the_server_never_waits_in_one_that_was_found(ends: Ends, surely: bool) -> None:
    client = ends.add("127.0.0.1")
    ends.near[0].setblocking(False)
    found = connection_of(client, surely=surely)
    assert found is not None
    with found:
        assert not os.get_blocking(found.fileno())
        assert not os.get_blocking(ends.near[0].fileno())


def test_an_address_may_be_spelled_in_other_ways() -> None:
    with (
        socket.create_server(("::1", 0), family=socket.AF_INET6) as listener,
        socket.create_connection(listener.getsockname()[:2]) as far,
        listener.accept()[0],
    ):
        assert local(f"[0:0::1]:{far.getsockname()[1]}") == listener.getsockname()


def test_a_second_descriptor_of_it_is_no_other(ends: Ends) -> None:
    client = ends.add("127.0.0.1")
    with ends.near[0].dup():
        assert local(client) == ends.near[0].getsockname()


def test_two_with_one_peer_are_not_told_apart(ends: Ends) -> None:
    client = ends.add("127.0.0.1")
    assert ends.add("127.0.0.2") == client
    before = os.listdir("/proc/self/fd")
    assert local(client) is None
    assert os.listdir("/proc/self/fd") == before
    ends.near[0].close()
    assert local(client) == ends.near[1].getsockname()


def test_one_that_was_reset_may_have_been_the_one(ends: Ends) -> None:
    client = ends.add("127.0.0.1")
    ends.add("127.0.0.2")
    ends.far[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    ends.far[0].close()
    assert local(client, surely=True) is None
    assert local(client) == ends.near[1].getsockname()


def test_without_a_descriptor_to_look_with_none_is_known(ends: Ends) -> None:
    client = ends.add("127.0.0.1")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        assert sole_connections([client]) == ([None], False)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_all_of_some_peers_are_found_and_closed_again(ends: Ends) -> None:
    client = ends.add("127.0.0.1")
    assert ends.add("127.0.0.2") == client
    with connections_of([client, "127.0.0.1:1"]) as found:
        assert {each.getsockname() for each in found[client]} == {each.getsockname() for each in ends.near}
        assert found["127.0.0.1:1"] == []
    assert all(each.fileno() == -1 for each in found[client])
