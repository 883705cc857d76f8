"""Connections from one address and port to two addresses of a server: each gets its own answer."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path

import maruhub
from tests.s3_wire import Ask, request_bytes, signed
from tests.serving import Server, serving

COUNT = 6
OBJECT_BYTES = 1 << 20
ADDRESSES = {b"A": "127.0.0.1", b"B": "127.0.0.2"}


def test_clients_with_one_address_and_port_get_their_own_bytes(tmp_path: Path) -> None:
    hub = tmp_path / "hub"
    with maruhub.create(hub, blades=1) as made:
        for letter in ADDRESSES:
            made.bucket(letter.decode().lower() * 3).put_many(
                {f"k{i}": letter * OBJECT_BYTES for i in range(COUNT)}
            )
    with serving(tmp_path, "--workers", "1", hub=hub, address="0.0.0.0") as server:
        key = server.key("ann", admin=True)
        for _ in range(3):
            peers = _connections(server)
            for letter, peer in peers.items():
                bucket = letter.decode().lower() * 3
                asked = {
                    "format": 1,
                    "objects": [{"bucket": bucket, "keys": [f"k{i}" for i in range(COUNT)]}],
                }
                ask = Ask("POST", "/-/batch/v1/read", body=json.dumps(asked).encode())
                peer.sendall(request_bytes(ask, signed(ask, key, f"127.0.0.1:{server.port}")[0]))
            received = _all_of(peers)
            for letter, raw in received.items():
                (other,) = set(ADDRESSES) - {letter}
                assert raw.count(letter * 4096) == COUNT * OBJECT_BYTES // 4096
                assert other * 4096 not in raw
                assert raw.endswith(b"\r\n0\r\n\r\n")


def _connections(server: Server) -> dict[bytes, socket.socket]:
    peers: dict[bytes, socket.socket] = {}
    place = ("127.0.0.1", 0)
    for letter, address in ADDRESSES.items():
        peers[letter] = peer = socket.socket()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        peer.bind(place)
        place = peer.getsockname()
        peer.settimeout(20)
        peer.connect((address, server.port))
    return peers


def _all_of(peers: dict[bytes, socket.socket]) -> dict[bytes, bytes]:
    received: dict[bytes, bytes] = {}

    def receive(letter: bytes, peer: socket.socket) -> None:
        raw = bytearray()
        with peer:
            while not raw.endswith(b"\r\n0\r\n\r\n"):
                more = peer.recv(1 << 20)
                if not more:
                    break
                raw += more
        received[letter] = bytes(raw)

    threads = [threading.Thread(target=receive, args=each) for each in peers.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return received
