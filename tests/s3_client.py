"""A small client of S3 for tests: each request is signed, sent as it is written, and answered whole.

It hides nothing: no retries, no defaults, no redirects. What a test says is what crosses the wire.
"""

from __future__ import annotations

import hashlib
import http.client
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import quote, urlencode

from maruhub.gateway.head import Head
from maruhub.wire.signing import (
    ALGORITHM,
    Scope,
    canonical_request,
    signature_of,
    signing_key,
    string_to_sign,
)
from tests.serving import Key, Server

REGION = "us-east-1"
UNSIGNED = "UNSIGNED-PAYLOAD"
Query = Mapping[str, str] | str


@dataclass(frozen=True)
class Reply:
    """An answer: status, headers by lower-case name, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def code(self) -> str:
        """The code of an error document; empty if there is none."""
        return self.text("Code") if self.body.startswith(b"<?xml") else ""

    @property
    def document(self) -> ET.Element:
        """The body as XML, names without their namespace."""
        root = ET.fromstring(self.body)
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
        return root

    def text(self, path: str) -> str:
        """The text of the first element at a path; empty if there is none."""
        return self.document.findtext(path) or ""

    def texts(self, path: str) -> list[str]:
        """The texts of all elements at a path."""
        return [element.text or "" for element in self.document.findall(path)]

    def names(self) -> list[str]:
        """The names of the root's children, in order."""
        return [element.tag for element in self.document]


class S3Client:
    """Sends requests over one connection, which is opened anew where the server has closed it.

    Args:
        server: Whom to ask.
        key: Whose signature stands under each request; without one nobody signs.
        host: What the Host header says; by default the address.
    """

    def __init__(self, server: Server, key: Key | None = None, *, host: str = "") -> None:
        self._key = key
        self.host = host or f"127.0.0.1:{server.port}"
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_failure: object) -> None:
        self.connection.close()

    def ask(
        self,
        method: str,
        path: str,
        query: Query = "",
        *,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> Reply:
        """Asks for a decoded path, signed in a header.

        A header given by hand stands: one of the signature's (``x-amz-content-sha256``) is signed so.
        """
        given = dict(headers)
        sent = {"host": self.host, **self.signature(method, path, query, headers=given, body=body)}
        if body or method in ("PUT", "POST"):
            sent.setdefault("content-length", str(len(body)))
        return self.send(method, address(path, query), sent, body)

    def signature(
        self,
        method: str,
        path: str,
        query: Query = "",
        *,
        headers: Mapping[str, str],
        body: bytes = b"",
        at_s: float | None = None,
    ) -> dict[str, str]:
        """The headers of a request, with those that sign it."""
        lowered = {name.lower(): value for name, value in headers.items()}
        if self._key is None or "authorization" in lowered:
            return lowered
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() if at_s is None else at_s))
        digest = lowered.get("x-amz-content-sha256", hashlib.sha256(body).hexdigest())
        lowered = {"x-amz-date": stamp, "x-amz-content-sha256": digest, **lowered}
        names = sorted({"host", *(name for name in lowered if name.startswith("x-amz-"))})
        head = Head(method, path, _encoded(query), tuple({"host": self.host, **lowered}.items()))
        scope = Scope(stamp[:8], REGION)
        text = string_to_sign(stamp, scope, canonical_request(head, names, digest))
        lowered["authorization"] = (
            f"{ALGORITHM} Credential={self._key.access_key}/{scope},SignedHeaders={';'.join(names)},"
            f"Signature={signature_of(self._signing_key(scope), text)}"
        )
        return lowered

    def presigned(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        expires_s: int = 60,
        headers: Mapping[str, str] | None = None,
        at_s: float | None = None,
    ) -> str:
        """A link: path and query, which carry their own signature; ``headers`` are signed with it."""
        assert self._key is not None
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() if at_s is None else at_s))
        scope = Scope(stamp[:8], REGION)
        signed = {"host": self.host, **(headers or {})}
        parameters = {
            **(query or {}),
            "X-Amz-Algorithm": ALGORITHM,
            "X-Amz-Credential": f"{self._key.access_key}/{scope}",
            "X-Amz-Date": stamp,
            "X-Amz-Expires": str(expires_s),
            "X-Amz-SignedHeaders": ";".join(sorted(signed)),
        }
        head = Head(method, path, _encoded(parameters), tuple(signed.items()))
        canonical = canonical_request(head, sorted(signed), UNSIGNED)
        signature = signature_of(self._signing_key(scope), string_to_sign(stamp, scope, canonical))
        return address(path, {**parameters, "X-Amz-Signature": signature})

    def _signing_key(self, scope: Scope) -> bytes:
        assert self._key is not None
        return signing_key(self._key.secret_key, scope.date, scope.region)

    def send(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Reply:
        """Sends a request as it is given: an encoded target, these headers and no others."""
        connection = self.connection
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in {"host": self.host, **(headers or {})}.items():
            connection.putheader(name, value.encode("utf-8"))
        connection.endheaders(body or None)
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, found, answer.read())


@dataclass(frozen=True)
class Bucket:
    """A bucket as one client sees it: keys in place of paths."""

    client: S3Client
    name: str

    def ask(
        self,
        method: str,
        key: str = "",
        query: Query = "",
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | str = b"",
    ) -> Reply:
        """Asks for a key, or for the bucket itself."""
        raw = body.encode() if isinstance(body, str) else body
        path = f"/{self.name}/{key}" if key else f"/{self.name}"
        return self.client.ask(method, path, query, headers=headers or {}, body=raw)

    def put(self, key: str, body: bytes | str = b"", **headers: str) -> Reply:
        """Puts an object; a header's name with ``_`` in place of ``-``."""
        return self.ask("PUT", key, headers=_headers(headers), body=body)

    def get(self, key: str, query: Query = "", **headers: str) -> Reply:
        """Gets an object; headers as in :meth:`put`."""
        return self.ask("GET", key, query, headers=_headers(headers))

    def head(self, key: str, query: Query = "", **headers: str) -> Reply:
        """Asks for an object's headers."""
        return self.ask("HEAD", key, query, headers=_headers(headers))

    def delete(self, key: str, query: Query = "", **headers: str) -> Reply:
        """Deletes an object, or a version of it."""
        return self.ask("DELETE", key, query, headers=_headers(headers))

    def copy(self, key: str, source: str, **headers: str) -> Reply:
        """Copies to a key what a source (as the header has it) names."""
        return self.put(key, x_amz_copy_source=source, **headers)

    def by(self, client: S3Client) -> Bucket:
        """The same bucket, asked by somebody else."""
        return Bucket(client, self.name)


def _headers(named: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in named.items()}


def address(path: str, query: Query = "") -> str:
    """An encoded path and query, as a request line holds them."""
    text = _encoded(query)
    return quote(path, safe="/~") + (f"?{text}" if text else "")


def _encoded(query: Query) -> str:
    return query if isinstance(query, str) else urlencode(query, quote_via=quote)
