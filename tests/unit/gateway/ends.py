"""Connections with both of their ends in this process."""

from __future__ import annotations

import socket


class Ends:
    """Connections of clients with one address and port, each to another address of a server.

    Attributes:
        far: The clients' ends.
        near: The server's.
    """

    def __init__(self) -> None:
        self.far: list[socket.socket] = []
        self.near: list[socket.socket] = []
        self._listener = socket.create_server(("0.0.0.0", 0))

    def add(self, address: str, *, other: bool = False, source: tuple[str, int] = ("127.0.0.1", 0)) -> str:
        """The client's address and port; those of ``other`` clients are their own."""
        far = socket.socket()
        far.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        far.bind(self.far[0].getsockname() if self.far and not other else source)
        far.connect((address, self._listener.getsockname()[1]))
        self.far.append(far)
        self.near.append(self._listener.accept()[0])
        return "{}:{}".format(*far.getsockname())

    def close(self) -> None:
        for each in [self._listener, *self.far, *self.near]:
            each.close()
