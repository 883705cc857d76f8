"""Sites: servers on loopback that a benchmark starts, talks to by signed links, and ends."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from maruhub.wire import signing

HOST = "127.0.0.1"
START_S = 60.0
_LINK_S = 24 * 3600
_claims: list[socket.socket] = []


class Missing(Exception):
    """A server that is not on this machine; the text says which, and how it comes there."""


@dataclass(frozen=True)
class Site:
    """Where a server listens, and the key that links to it are signed with (none: plain paths)."""

    port: int
    access_key: str = ""
    secret_key: str = ""

    @property
    def host(self) -> str:
        return f"{HOST}:{self.port}"

    def link(self, path: str, query: str = "", *, method: str = "GET") -> str:
        """Path and query of a link that is good for a day: Signature V4, the host signed, any body."""
        if not self.access_key:
            return f"{path}?{query}" if query else path
        timestamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        scope = signing.Scope(timestamp[:8], "us-east-1")
        credential = quote(f"{self.access_key}/{scope}", safe="")
        query = (
            f"{query}{'&' if query else ''}X-Amz-Algorithm={signing.ALGORITHM}&X-Amz-Credential={credential}"
            f"&X-Amz-Date={timestamp}&X-Amz-Expires={_LINK_S}&X-Amz-SignedHeaders=host"
        )
        asked = _Unsigned(method, path, query, [("host", self.host)])
        canonical = signing.canonical_request(asked, ["host"], "UNSIGNED-PAYLOAD")
        key = signing.signing_key(self.secret_key, scope.date, scope.region)
        signature = signing.signature_of(key, signing.string_to_sign(timestamp, scope, canonical))
        return f"{quote(path)}?{query}&X-Amz-Signature={signature}"

    def ask(self, method: str, link: str, body: bytes | memoryview | None = None) -> bytes:
        """The body of an answer that must be a good one."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=60)
        try:
            connection.request(method, link, body)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {link}: {answer.status} {data[:500]!r}")
        return data


@dataclass(frozen=True)
class _Unsigned:
    method: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on at this moment, and that no benchmark is given while this process lives.

    Servers that share a port (``SO_REUSEPORT``) would else begin side by side on one that two benchmarks had
    found free, and each would have half of the other's connections.
    """
    ports: list[int] = []
    while len(ports) < count:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port = int(probe.getsockname()[1])
        claim = socket.socket(socket.AF_UNIX)
        try:
            # An abstract name: the kernel lets go of it with the process, however that ends.
            claim.bind(f"\0maruhub-benchmark-port-{port}")
        except OSError:
            claim.close()
            continue
        _claims.append(claim)
        ports.append(port)
    return ports


@contextmanager
def running(
    command: Sequence[object],
    log: Path,
    *,
    port: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a server until the block ends, from when it listens on ``port``; its output goes to ``log``."""
    # The allocator's settings are this benchmark's own: servers run as their users' would.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    with log.open("ab") as output:
        server = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**kept, **(environment or {})},
        )
    try:
        if port is not None:
            _wait_for(server, port, log)
        yield server
    finally:
        _end(server)


def _wait_for(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + START_S
    while not listens(port):
        if server.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"{server.args!r} does not serve: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.05)


def listens(port: int) -> bool:
    """Whether somebody takes connections on a port of loopback."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _end(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(30)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
