"""The listening sockets: opened once by the parent, one for each worker's place, on one port.

The kernel deals new connections out to them (``SO_REUSEPORT``): of one socket for all, whoever wakes
first takes everybody who waits. The parent keeps them open for as long as it runs, and who takes
the place of a worker goes on with its queue, so a worker that leaves takes no connection with it.
"""

from __future__ import annotations

import contextlib
import os
import socket

from maruhub.errors import Busy, InvalidInput, Refused

BACKLOG = 4096


def open_listeners(host: str, port: int, count: int) -> list[socket.socket]:
    """Sockets that listen on one port, inheritable and not blocking.

    Raises:
        Busy: Somebody listens there.
        Refused: This user may not.
        InvalidInput: The address is none of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listeners = [socket.socket(family, socket.SOCK_STREAM) for _ in range(count)]
    try:
        _bind(listeners, host, port)
        for listener in listeners:
            listener.listen(BACKLOG)
            listener.setblocking(False)
            listener.set_inheritable(True)
    except PermissionError:
        _close(listeners)
        raise Refused(f"port {port} needs more rights.", hint="Take one above 1023.") from None
    except OSError as error:
        _close(listeners)
        if isinstance(error, socket.gaierror) or error.errno == 99:
            raise InvalidInput(f"{host!r} is no address of this machine.", hint="Try 127.0.0.1.") from None
        raise Busy(f"cannot listen on {host}:{port}: {error.strerror}.", hint="Take another port.") from None
    return listeners


def _bind(listeners: list[socket.socket], host: str, port: int) -> None:
    first, *others = listeners
    first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Before it may be shared: so another server on this port is an error, and not a second home
    # for half of the connections.
    first.bind((host, port))
    for listener in listeners:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    for listener in others:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, first.getsockname()[1]))


def _close(listeners: list[socket.socket]) -> None:
    for listener in listeners:
        listener.close()


def address_of(listener: socket.socket) -> str:
    """``HOST:PORT`` that clients of this machine can use."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def stop_accepting(listener: int) -> None:
    """Lets this process take no more connections; those it has, and other processes, go on.

    The descriptor and each of its duplicates become a socket on which nobody ever calls: closing
    them is not ours (the server's runtime owns them), and to shut the socket down would end it
    for all processes.
    """
    inode = os.fstat(listener).st_ino
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        silent.setblocking(False)
        for name in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):
                if os.fstat(int(name)).st_ino == inode:
                    os.dup2(silent.fileno(), int(name), inheritable=False)
