"""How to serve: every setting of ``maru serve`` as one value."""

from __future__ import annotations

import json
import os
import ssl
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from maruhub.errors import InvalidInput

REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Settings of a server.

    Args:
        hub: The hub's folder.
        host: Address to listen on; an empty one is every address.
        port: Port to listen on; 0 takes a free one.
        workers: Processes; 0 is one a core.
        tls_cert: Certificate chain in PEM; None serves plain HTTP.
        tls_key: Its private key in PEM.
        base_hosts: Names below which a label is a bucket (virtual-host style).
        region: The region told to clients; signatures for any region are accepted.
        threads: Threads a worker for what waits on drives.
        waiting: Requests a worker that may wait for a thread; more are told to slow down.
        uploads: Bodies a worker that are taken in at a time; others wait unread.
        connections: Connections a worker.
        header_bytes: Most bytes of a request's headers.
        idle_s: Seconds in which a body must make some progress, or come whole if it is small.
        quiet_s: Seconds after which a client that waits for a long piece of work is sent white space.
        keep_s: Seconds that a connection may wait for a next request, or take for its headers.
        drain_s: Seconds that a worker which is replaced goes on with open connections.
        stop_s: Seconds that a worker may take to end what it is at, before it is killed.
        access_log: File for the access log; ``-`` is standard output, empty none.
        care: Whether a worker takes care of the hub in the background.
    """

    hub: Path
    host: str = "127.0.0.1"
    port: int = 9000
    workers: int = 0
    tls_cert: Path | None = None
    tls_key: Path | None = None
    base_hosts: tuple[str, ...] = ()
    region: str = REGION
    threads: int = 32
    waiting: int = 1024
    uploads: int = 64
    connections: int = 16384
    header_bytes: int = 16 << 10
    idle_s: float = 30.0
    quiet_s: float = 5.0
    keep_s: float = 120.0
    drain_s: float = 5.0
    stop_s: float = 60.0
    access_log: str = ""
    care: bool = True

    def __post_init__(self) -> None:
        if (self.tls_cert is None) is not (self.tls_key is None):
            raise InvalidInput("TLS needs a certificate and a key.", hint="Give --tls-cert and --tls-key.")
        for path in (self.tls_cert, self.tls_key):
            if path is not None and not os.access(path, os.R_OK):
                raise InvalidInput(f"{path} cannot be read.", hint="Name a PEM file that this user may read.")
        if self.tls_cert is not None and self.tls_key is not None:
            _check_pair(self.tls_cert, self.tls_key)

    @property
    def worker_count(self) -> int:
        """How many processes serve."""
        return self.workers or len(os.sched_getaffinity(0))

    @property
    def scheme(self) -> str:
        """``https`` with a certificate, else ``http``."""
        return "https" if self.tls_cert else "http"

    def to_json(self) -> str:
        """As text, for a worker's command line; there is no secret in it."""
        return json.dumps({name: _plain(value) for name, value in asdict(self).items()})

    @classmethod
    def from_json(cls, text: str) -> ServeOptions:
        """What :meth:`to_json` wrote."""
        given: dict[str, Any] = json.loads(text)
        for field in fields(cls):
            if field.name in ("hub", "tls_cert", "tls_key") and given[field.name] is not None:
                given[field.name] = Path(given[field.name])
        given["base_hosts"] = tuple(given["base_hosts"])
        return cls(**given)


def _check_pair(certificate: Path, key: Path) -> None:
    """That TLS can be spoken with these; the server's runtime would fail without saying why."""
    try:
        # A key under a passphrase can't be used: nobody is there to be asked.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: "")
    except (ssl.SSLError, ValueError):
        raise InvalidInput(
            f"{certificate} and {key} are no certificate and its private key.",
            hint="Give the chain in PEM, the server's own first, and its key in PEM without a passphrase.",
        ) from None


def listen_address(text: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT``, ``[IPv6]:PORT``, ``:PORT`` or ``PORT``; raises InvalidInput."""
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    if not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise InvalidInput(
            f"{text!r} is no address to listen on.", hint="Write HOST:PORT, as 127.0.0.1:9000."
        )
    return host, int(port)


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else value
