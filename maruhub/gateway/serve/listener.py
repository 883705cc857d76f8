"""The listening socket: opened once by the parent, inherited by every worker.

One socket for all keeps one queue of new connections: a worker that leaves takes none with
it, which a socket each (``SO_REUSEPORT``) would.
"""

from __future__ import annotations

import contextlib
import os
import socket

from maruhub.errors import Busy, InvalidInput, Refused

BACKLOG = 4096


def open_listener(host: str, port: int) -> socket.socket:
    """A socket that listens, inheritable and not blocking.

    Raises:
        Busy: Somebody listens there.
        Refused: This user may not.
        InvalidInput: The address is none of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except PermissionError:
        raise Refused(f"port {port} needs more rights.", hint="Take one above 1023.") from None
    except OSError as error:
        listener.close()
        if isinstance(error, socket.gaierror) or error.errno == 99:
            raise InvalidInput(f"{host!r} is no address of this machine.", hint="Try 127.0.0.1.") from None
        raise Busy(f"cannot listen on {host}:{port}: {error.strerror}.", hint="Take another port.") from None
    listener.setblocking(False)
    listener.set_inheritable(True)
    return listener


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
