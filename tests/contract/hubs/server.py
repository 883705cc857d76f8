"""A server of the batch door in this process, for tests that need to break it at will."""

from __future__ import annotations

import contextlib
import itertools
import random
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from maruhub.api.hub import Hub
from maruhub.gateway.batch.door import BatchDoor
from maruhub.gateway.head import Head
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.signatures.v4 import verify_header

KEY, SECRET = "reader", "a secret"


class BatchServer:
    """Serves a hub on a free port of this machine until closed.

    Attributes:
        cut_after: Draws how many bytes of a read's answer are sent before the connection is
            cut; None never cuts.
        refuse: So many of the next requests are answered by closing the connection.
        time_out: So many of the next requests came too slowly.
    """

    def __init__(self, hub: Hub, *, port: int = 0) -> None:
        self.door = BatchDoor(hub)
        self.cut_after: random.Random | None = None
        self.cut_most = 0
        self.cuts = 0
        self.refuse = 0
        self.time_out = 0
        self.connections: set[socket.socket] = set()
        self.closed = False
        handler = type("Handler", (_Handler,), {"server_of": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._http.daemon_threads = True
        self.port = self._http.server_address[1]
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Ends it as a kill would: connections that are open are cut. Again has no effect."""
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
        self.closed = True
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server_of: BatchServer
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.server_of.connections.add(self.connection)
        if self.server_of.closed:  # accepted just before: nobody else would cut it
            self.connection.shutdown(socket.SHUT_RDWR)

    def finish(self) -> None:
        self.server_of.connections.discard(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def handle(self) -> None:
        with contextlib.suppress(OSError):  # cut by a test
            super().handle()

    def do_POST(self) -> None:
        server = self.server_of
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        if server.refuse:
            server.refuse -= 1
            self.close_connection = True
            return
        if server.time_out:
            server.time_out -= 1
            self._whole(400, [], b"<Error><Code>RequestTimeout</Code></Error>")
            return
        head = Head(
            "POST", self.path, "", tuple((name.lower(), value) for name, value in self.headers.items())
        )
        try:
            verify_header(head, now=time.time(), secrets={KEY: SECRET}.get)
        except S3Failure as failure:
            self._whole(failure.status, [], f"<Error><Code>{failure.code}</Code></Error>".encode())
            return
        answer = server.door.answer(head, body, lambda *_: True)
        if isinstance(answer.body, bytes):
            self._whole(answer.status, answer.headers, answer.body)
        else:
            self._stream(answer.status, answer.headers, answer.body)

    def _whole(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in [*headers, ("content-length", str(len(body)))]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, status: int, headers: list[tuple[str, str]], pieces: Iterator[bytes]) -> None:
        self.send_response(status)
        for name, value in [*headers, ("transfer-encoding", "chunked")]:
            self.send_header(name, value)
        self.end_headers()
        server = self.server_of
        left = server.cut_after.randrange(server.cut_most) if server.cut_after else None
        for piece in itertools.chain(pieces, [b""]):
            data = f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
            if left is not None and len(data) > left:
                self.wfile.write(data[:left])
                self.close_connection = True
                server.cuts += 1
                return
            left = None if left is None else left - len(data)
            self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass
