"""A worker whose parent is gone ends, even if a request of its does not."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.serving import working

SILENT = b"POST /box HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: 9\r\n\r\n"
GONE_S = 30.0


def test_a_worker_without_parent_ends_beside_a_request_without_end(tmp_path: Path):
    with (
        working(tmp_path, idle_s=3600.0, stop_s=0.5) as server,
        socket.create_connection((server.address, server.port)) as client,
    ):
        client.sendall(SILENT)
        client.settimeout(1)
        try:
            assert client.recv(1) == b"", "it waits for the rest"
        except TimeoutError:
            pass
        server.orphan()
        assert server.process.wait(GONE_S) == 1
