"""What the kernel says of a connection: how much it was given, how much the peer has, whether it has ended."""

from __future__ import annotations

import fcntl
import select
import socket
import struct
import termios
from typing import Final

_ACKED: Final = struct.Struct("=Q")
_ACKED_OFFSET: Final = 120
"""Of ``tcpi_bytes_acked`` in ``struct tcp_info`` in ``linux/tcp.h``."""
_COUNT: Final = struct.Struct("=i")
_CLOSED: Final = 7


def is_closed(connection: socket.socket) -> bool:
    """Whether the peer, or this side, has ended it."""
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _CLOSED


def acknowledged_bytes(connection: socket.socket) -> int | None:
    """Bytes that the peer has acknowledged since the connection began; None if the kernel doesn't say."""
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKED_OFFSET + _ACKED.size)
    return int(_ACKED.unpack_from(info, _ACKED_OFFSET)[0]) if len(info) > _ACKED_OFFSET else None


def written_bytes(connection: socket.socket) -> int:
    """Bytes that the kernel was given since the connection began; rather fewer than it was."""
    acknowledged = acknowledged_bytes(connection)
    (queued,) = _COUNT.unpack(fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(_COUNT.size)))
    return (acknowledged or 0) + int(queued)


def takes_more(connection: socket.socket) -> bool:
    """Whether the kernel would take more at this moment: whoever has something for it is about to give it."""
    asked = select.poll()
    asked.register(connection, select.POLLOUT)
    return bool(asked.poll(0))
