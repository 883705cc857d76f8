"""A client of S3 as bare as can be: what it signs and sends is exactly what a test says.

No retries, no redirects, no checks of its own; a connection is one of ``http.client``, or a raw
socket for what that would not send.
"""

from __future__ import annotations

import hashlib
import http.client
import re
import select
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self
from urllib.parse import quote

from maruhub.wire.signing import (
    ALGORITHM,
    Scope,
    Signer,
    canonical_request,
    signature_of,
    signing_key,
    string_to_sign,
)
from tests.serving import Key, Server

Headers = list[tuple[str, str]]
REGION = "us-east-1"


@dataclass(frozen=True)
class Ask:
    """A request before it is signed; ``path`` is decoded, ``query`` as it is sent."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def target(self) -> str:
        """What stands in the request line."""
        path = quote(self.path, safe="/", errors="surrogateescape")
        return f"{path}?{self.query}" if self.query else path


@dataclass(frozen=True)
class Told:
    """An answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """S3's code of an error; empty for a success or an answer without a document."""
        found = re.search(rb"<Code>(\w+)</Code>", self.body) if self.status >= 300 else None
        return found[1].decode() if found else ""


@dataclass(frozen=True)
class _Signable:
    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]


def stamp(now: float) -> str:
    """``YYYYMMDDTHHMMSSZ``."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))


def signed(
    ask: Ask, key: Key, host: str, *, now: float | None = None, payload: str | None = None
) -> tuple[Headers, Signer]:
    """The headers of a request with its signature, and what a chain of chunks goes on from."""
    timestamp = stamp(time.time() if now is None else now)
    sha256 = hashlib.sha256(ask.body).hexdigest() if payload is None else payload
    headers = {"host": host, "x-amz-date": timestamp, "x-amz-content-sha256": sha256, **ask.headers}
    names = sorted(headers)
    scope = Scope(timestamp[:8], REGION)
    signing = signing_key(key.secret_key, scope.date, REGION)
    sent = _Signable(ask.method, ask.path, ask.query, tuple(headers.items()))
    text = string_to_sign(timestamp, scope, canonical_request(sent, names, sha256))
    signature = signature_of(signing, text)
    said = f"Credential={key.access_key}/{scope},SignedHeaders={';'.join(names)},Signature={signature}"
    signer = Signer(key.access_key, scope, timestamp, signature, signing)
    return [*headers.items(), ("authorization", f"{ALGORITHM} {said}")], signer


def presigned(ask: Ask, key: Key, host: str, *, now: float, expires: int = 60) -> Ask:
    """The request as a link that works until it expires."""
    timestamp = stamp(now)
    scope = Scope(timestamp[:8], REGION)
    headers = {"host": host, **ask.headers}
    names = sorted(headers)
    words = {
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": f"{key.access_key}/{scope}",
        "X-Amz-Date": timestamp,
        "X-Amz-Expires": str(expires),
        "X-Amz-SignedHeaders": ";".join(names),
    }
    query = "&".join([*filter(None, [ask.query]), *(f"{n}={quote(v, safe='')}" for n, v in words.items())])
    sent = _Signable(ask.method, ask.path, query, tuple(headers.items()))
    text = string_to_sign(timestamp, scope, canonical_request(sent, names, "UNSIGNED-PAYLOAD"))
    signature = signature_of(signing_key(key.secret_key, scope.date, REGION), text)
    return replace(ask, query=f"{query}&X-Amz-Signature={signature}")


class Wire:
    """One kept connection to a server, with one key; used by one thread.

    Args:
        server: Whom to ask.
        key: Who signs; None for nobody.
        timeout_s: Of each send and receive.
        source: An address of loopback to come from: each is another client to the server.
    """

    def __init__(
        self, server: Server, key: Key | None = None, *, timeout_s: float = 60, source: str = "127.0.0.1"
    ) -> None:
        self.host = f"127.0.0.1:{server.port}"
        self._key = key
        if server.scheme == "https":
            trusting = ssl._create_unverified_context()
            self._connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                "127.0.0.1", server.port, timeout=timeout_s, context=trusting
            )
        else:
            self._connection = http.client.HTTPConnection(
                "127.0.0.1", server.port, timeout=timeout_s, source_address=(source, 0)
            )

    def ask(
        self,
        method: str,
        path: str,
        query: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Told:
        """Signs, sends, reads."""
        return self.send(Ask(method, path, query, headers or {}, body))

    def send(self, ask: Ask, *, payload: str | None = None, now: float | None = None) -> Told:
        """The same for a request that is made already."""
        if self._key is None:
            headers: Headers = [("host", self.host), *ask.headers.items()]
        else:
            headers, _ = signed(ask, self._key, self.host, payload=payload, now=now)
        return self.plain(ask.method, ask.target, headers, ask.body)

    def plain(self, method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes = b"") -> Told:
        """Sends what is given, with a length if there is a body or may be one; reads the answer."""
        connection = self._connection
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        names = set()
        for name, value in headers:
            names.add(name)
            connection.putheader(name, value.encode("utf-8", "surrogateescape"))
        if (body or method in ("PUT", "POST")) and "content-length" not in names:
            connection.putheader("content-length", str(len(body)))
        connection.endheaders()
        if body:
            # A server may answer and close before it has read all.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.send(body)
        answer = connection.getresponse()
        return Told(answer.status, {n.lower(): v for n, v in answer.getheaders()}, answer.read())

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def request_bytes(ask: Ask, headers: Iterable[tuple[str, str]]) -> bytes:
    """A request as it stands on the wire, with the length of its body unless headers say one."""
    lines = [f"{ask.method} {ask.target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    if not any(name.lower() in ("content-length", "transfer-encoding") for name, _ in headers):
        lines.append(f"content-length: {len(ask.body)}")
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + ask.body


def exchange(
    port: int,
    raw: bytes,
    *,
    timeout_s: float = 30,
    source: str = "127.0.0.1",
    patience_s: float | None = None,
) -> Told | None:
    """Sends bytes on a connection of their own; the answer, or None if the server only closed.

    Args:
        port: Of the server.
        raw: Whatever is to be sent.
        timeout_s: How long to wait for an answer.
        source: An address of loopback to come from.
        patience_s: Without an answer for so long the client says that it sends no more, and the
            server has to let go of it.

    Raises:
        TimeoutError: The server neither answered nor closed.
    """
    with socket.create_connection(("127.0.0.1", port), timeout_s, source_address=(source, 0)) as peer:
        with suppress(BrokenPipeError, ConnectionResetError):
            peer.sendall(raw)
        if patience_s is not None and not select.select([peer], [], [], patience_s)[0]:
            with suppress(OSError):
                peer.shutdown(socket.SHUT_WR)
        answer = http.client.HTTPResponse(
            peer, method="HEAD" if raw.lstrip(b"\r\n").startswith(b"HEAD ") else None
        )
        try:
            answer.begin()
            while answer.status == 100:
                answer.begin()
            return Told(answer.status, {n.lower(): v for n, v in answer.getheaders()}, answer.read())
        except TimeoutError:
            raise
        except (http.client.HTTPException, OSError):
            return None
        finally:
            answer.close()
