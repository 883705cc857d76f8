"""Clients' connections among this process's own descriptors; the server's runtime doesn't show its sockets.

They are found by their peer's address and port. Those may be those of several
connections, to several addresses of the server; then it isn't said which one is meant.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Final

from maruhub.gateway.serve.connections.kernel import is_closed

Name = tuple[str, int]
"""Address and port."""
Key = tuple[bytes | str, int]
"""The same, however it is spelled."""
_RESET: Final = ("", 0)
_LOOKING: Final = threading.Lock()
"""One at a time: threads that look together take the interpreter from each other, and from the event loop."""

_A_STRETCH: Final = 64
_BREATH_S: Final = 0.0005
"""Behind so many descriptors, which take as long, the event loop may have the interpreter for this time."""


def sole_connections(clients: Sequence[str]) -> tuple[list[socket.socket | None], bool]:
    """This process's connections with some peers, duplicated and so the caller's to close, in their order.

    None for a peer that has none or several, and for all if it can't be said. After its end another may
    have come instead: whoever writes into one goes on only if the runtime has it still. Then one that was
    reset and is still held counts too, which doesn't say whose it was: whether there is any comes second.
    """
    own: list[socket.socket | None] = []
    try:
        with contextlib.ExitStack() as ours:
            found, reset = _among(clients, ours)
            known = map(found.__getitem__, clients)
            own.extend(_duplicate(each[0].fileno()) if len(each) == 1 else None for each in known)
            return own, reset
    except OSError:
        for each in own:
            if each is not None:
                each.close()
        return [None] * len(clients), False


@contextlib.contextmanager
def connections_of(clients: Sequence[str]) -> Iterator[dict[str, list[socket.socket]]]:
    """All of this process's connections with some peers, as duplicates that are closed behind the block.

    Raises:
        OSError: It can't be said.
    """
    with contextlib.ExitStack() as ours:
        yield _among(clients, ours)[0]


def _among(clients: Sequence[str], ours: contextlib.ExitStack) -> tuple[dict[str, list[socket.socket]], bool]:
    """By client; and whether there is one that was reset."""
    wanted = {_named(client): client for client in clients}
    ports = {port for _, port in wanted}
    found: dict[str, dict[int, socket.socket]] = {client: {} for client in clients}
    reset = False
    with _LOOKING:
        for looked, number in enumerate(map(int, os.listdir("/proc/self/fd")), 1):
            if not looked % _A_STRETCH:
                time.sleep(_BREATH_S)
            name = _name(number)
            reset = reset or name is _RESET
            if name is None or name[1] not in ports or _key(name) not in wanted:
                continue
            own = ours.enter_context(_duplicate(number))
            name = _peer(own)
            reset = reset or name is _RESET
            client = None if name is None else wanted.get(_key(name))
            if client is not None:
                found[client][os.fstat(own.fileno()).st_ino] = own
    return {client: list(known.values()) for client, known in found.items()}, reset


def _named(client: str) -> Key:
    host, _, port = client.rpartition(":")
    return _key((host.strip("[]"), int(port) if port.isdigit() else -1))


def _name(number: int) -> Name | None:
    """The peer of a descriptor that isn't ours, and may be another at any time."""
    try:
        # The family only says how much room a name has: this one's is the longest.
        borrowed = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, number)
    except OSError:
        return None
    try:
        return _peer(borrowed)
    finally:
        borrowed.detach()


def _duplicate(number: int) -> socket.socket:
    """Raises OSError where that can't be, or is no socket any more."""
    # A socket's own dup() sets whether it blocks, and so would the runtime's: that is one state for both.
    own = os.dup(number)
    try:
        return socket.socket(fileno=own)
    except OSError:
        os.close(own)
        raise


def _peer(connection: socket.socket) -> Name | None:
    with contextlib.suppress(OSError):
        try:
            name = connection.getpeername()
        except OSError:
            return _RESET if is_closed(connection) else None
        if isinstance(name, tuple) and isinstance(name[0], str):
            return name[0], name[1]
    return None


def _key(name: Name) -> Key:
    return _packed(name[0]), name[1]


def _packed(host: str) -> bytes | str:
    """An address however it is spelled, without its zone."""
    address = host.partition("%")[0]
    try:
        return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    except OSError:
        return host
