"""A client's connection as the kernel knows it; the server's runtime doesn't show its sockets.

It is found among this process's own by its peer's address.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from typing import Final

_ACKED: Final = struct.Struct("=Q")
_ACKED_OFFSET: Final = 120
"""Of ``tcpi_bytes_acked`` in ``struct tcp_info`` in ``linux/tcp.h``."""
_CLOSED: Final = 7


def connection_of(client: str) -> socket.socket | None:
    """This process's connection with a peer, duplicated and so the caller's to close; None if it isn't there."""
    host, _, port = client.rpartition(":")
    wanted = host.strip("[]"), int(port) if port.isdigit() else -1
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                continue
            found = socket.socket(fileno=os.dup(int(name)))
            if _peer(found) == wanted:
                return found
            found.close()
    return None


def _peer(connection: socket.socket) -> tuple[str, int] | None:
    try:
        name = connection.getpeername()
    except OSError:
        return None
    return (name[0], name[1]) if isinstance(name, tuple) else None


def is_closed(connection: socket.socket) -> bool:
    """Whether the peer, or this side, has ended it."""
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _CLOSED


def acknowledged_bytes(connection: socket.socket) -> int | None:
    """Bytes that the peer has acknowledged since the connection began; None if the kernel doesn't say."""
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKED_OFFSET + _ACKED.size)
    return int(_ACKED.unpack_from(info, _ACKED_OFFSET)[0]) if len(info) > _ACKED_OFFSET else None
