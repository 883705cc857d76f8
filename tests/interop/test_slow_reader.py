"""A client that doesn't read its answer has little of it in the server's memory, and an end."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from tests.interop.test_crowd import own_mib
from tests.interop.test_restart import _certificate
from tests.s3_wire import Ask, Wire, request_bytes, signed
from tests.serving import serving

OBJECT_MIB = 192
MORE_MIB = 64


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_who_does_not_read_costs_no_memory_and_others_get_all(tmp_path: Path, tls: bool):
    options = _certificate(tmp_path) if tls else ()
    with serving(tmp_path, "--workers", "1", "--no-care", *options, blades=1) as server:
        key = server.key("ann")
        block = bytes(range(256)) * 4096
        with Wire(server, key) as wire:
            assert wire.ask("PUT", "/slowly").status == 200
            assert wire.ask("PUT", "/slowly/large", body=block * OBJECT_MIB).status == 200
            assert wire.ask("GET", "/slowly/large").body == block * OBJECT_MIB
            before = own_mib(server)
            with Wire(server, key) as idle:
                idle._connection.connect()
                peer: socket.socket = idle._connection.sock
                ask = Ask("GET", "/slowly/large")
                peer.sendall(request_bytes(ask, signed(ask, key, wire.host)[0]))
                time.sleep(3)
                assert own_mib(server) - before < MORE_MIB
                # It may still have the rest.
                received = 0
                while received < OBJECT_MIB << 20:
                    received += len(peer.recv(1 << 20))
            assert wire.ask("GET", "/slowly/large").body == block * OBJECT_MIB
