"""Objects of which no intact copy is left: an error at once, whatever was sent before."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.s3_wire import Ask, Wire, request_bytes, signed
from tests.serving import Key, Server, serving

MIB = 1 << 20


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rotten")


@pytest.fixture(scope="module")
def server(hub: Path) -> Iterator[Server]:
    """Its care would notice."""
    with serving(hub, "--workers", "1", "--no-care", blades=3) as running:
        yield running


@pytest.fixture(scope="module")
def key(server: Server) -> Key:
    key = server.key("ann")
    with Wire(server, key) as ann:
        assert ann.ask("PUT", "/box").status == 200
    return key


def rot(hub: Path, data: bytes) -> None:
    """Other bytes wherever ``data`` lies."""
    found = 0
    for file in hub.glob("**/segments/*.log"):
        at = file.read_bytes().find(data)
        if at >= 0:
            found += 1
            with file.open("r+b") as raw:
                raw.seek(at)
                raw.write(bytes(64))
    assert found == 3


@pytest.mark.parametrize("size", [50_000, 3 * MIB])
def test_what_can_not_be_read_is_told_before_anything_is_sent(
    server: Server, hub: Path, key: Key, size: int
) -> None:
    data = os.urandom(size)
    with Wire(server, key) as ann:
        assert ann.ask("PUT", "/box/k", body=data).status == 200
        rot(hub, data[:64])
        told = ann.ask("GET", "/box/k")
        assert (told.status, told.code) == (500, "InternalError")
        assert b"no intact copy is left (blades " in told.body
        assert b"other bytes than were written" in told.body
        assert str(hub).encode() not in told.body
        assert ann.ask("HEAD", "/box/k").status == 200, "the connection serves on"


def test_an_answer_that_breaks_off_ends_its_connection(server: Server, hub: Path, key: Key) -> None:
    """A client waited for the rest until it, or the server's collector of garbage, lost patience."""
    data, ask = os.urandom(16 * MIB), Ask("GET", "/box/large")
    with Wire(server, key) as ann:
        assert ann.ask("PUT", "/box/large", body=data).status == 200
        rot(hub, data[9 * MIB : 9 * MIB + 64])
        head = request_bytes(ask, signed(ask, key, ann.host)[0])
    got = 0
    with socket.create_connection(("127.0.0.1", server.port), 20) as peer:
        peer.sendall(head)
        while piece := peer.recv(MIB):
            got += len(piece)
    assert 8 * MIB <= got < 16 * MIB
