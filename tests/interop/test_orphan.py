"""A worker whose parent is gone ends, even if a request of its does not."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import maruhub
from maruhub.gateway.serve.listener import open_listeners
from maruhub.gateway.serve.options import ServeOptions

SILENT = b"POST /box HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: 9\r\n\r\n"
GONE_S = 30.0


def test_a_worker_without_parent_ends_beside_a_request_without_end(tmp_path: Path):
    maruhub.create(tmp_path / "hub").close()
    options = ServeOptions(hub=tmp_path / "hub", idle_s=3600.0, stop_s=0.5)
    (listener,) = open_listeners("127.0.0.1", 0, 1)
    ready, told = os.pipe()
    alive, parents = os.pipe()
    command = [sys.executable, "-m", "maruhub.gateway.serve.worker", options.to_json()]
    command += [*map(str, (listener.fileno(), told, alive)), str(tmp_path)]
    worker = subprocess.Popen(command, pass_fds=(listener.fileno(), told, alive))
    try:
        assert os.read(ready, 1) == b"r"
        with socket.create_connection(listener.getsockname()) as client:
            client.sendall(SILENT)
            client.settimeout(1)
            try:
                assert client.recv(1) == b"", "it waits for the rest"
            except TimeoutError:
                pass
            os.close(parents)
            assert worker.wait(GONE_S) == 1
    finally:
        worker.kill()
        worker.wait()
        for each in (ready, told, alive):
            os.close(each)
        listener.close()
