"""The arithmetic of Signature Version 4: canonical request, string to sign, key, signature.

After AWS's public description ("Create a signed AWS API request", and S3's own rules: each byte
of a key is encoded once, a slash stays, a path is never normalised).
"""

from __future__ import annotations

import calendar
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, unquote_to_bytes

if TYPE_CHECKING:
    from hashlib import _Hash as _Sha256

ALGORITHM = "AWS4-HMAC-SHA256"
SKEW_S = 15 * 60
_TIMESTAMP = re.compile(r"[0-9]{8}T[0-9]{6}Z", re.ASCII)
_SPACES = re.compile(" {2,}")
_PLAIN_PATH = re.compile("[A-Za-z0-9_.~/-]*", re.ASCII)


class Request(Protocol):
    """What of a request is signed: the server's parsed head is one, and so is what a client sends."""

    @property
    def method(self) -> str:
        """Upper case."""

    @property
    def path(self) -> str:
        """Percent-decoded once."""

    @property
    def query(self) -> str:
        """As sent, without the ``?``."""

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """Names in lower case; a name may stand more than once."""


@dataclass(frozen=True)
class Scope:
    """What a signing key is good for: one day, one region, one service.

    Attributes:
        date: ``YYYYMMDD``.
        region: As the client says it.
        service: ``s3``.
    """

    date: str
    region: str
    service: str = "s3"

    def __str__(self) -> str:
        return self._text

    @cached_property
    def _text(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


@dataclass(slots=True)
class Signer:
    """Who signed, and what is needed to go on signing with them (chunks, trailers).

    Attributes:
        access_key: Whose secret it was.
        scope: Of the key.
        timestamp: ``YYYYMMDDTHHMMSSZ``.
        signature: Of the request; the seed of the chain of chunks.
        key: The signing key; a secret, so it does not print.
    """

    access_key: str
    scope: Scope
    timestamp: str
    signature: str
    key: bytes = field(repr=False)


@lru_cache(maxsize=4096)
def _keyed(key: bytes) -> tuple[_Sha256, _Sha256]:
    """HMAC's two sums after the key: going on from copies takes a third of beginning anew."""
    padded = key.ljust(64, b"\0")
    return sha256(bytes(byte ^ 0x36 for byte in padded)), sha256(bytes(byte ^ 0x5C for byte in padded))


@lru_cache(maxsize=4096)
def signing_key(secret: str, date: str, region: str, service: str = "s3") -> bytes:
    """The key of a day, region and service; the last few thousand are kept."""
    key = ("AWS4" + secret).encode("utf-8", "surrogateescape")
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode("utf-8", "surrogateescape"), "sha256")
    return key


def signature_of(key: bytes, text: str) -> str:
    """64 hex digits over the string to sign: HMAC (RFC 2104) with a key of 32 bytes."""
    inner, outer = _keyed(key)
    inner, outer = inner.copy(), outer.copy()
    inner.update(text.encode("utf-8", "surrogateescape"))
    outer.update(inner.digest())
    return outer.hexdigest()


def same(left: str, right: str) -> bool:
    """Equality whose time tells nothing."""
    if left.isascii() and right.isascii():
        return hmac.compare_digest(left, right)
    return hmac.compare_digest(
        left.encode("utf-8", "surrogateescape"), right.encode("utf-8", "surrogateescape")
    )


def string_to_sign(timestamp: str, scope: Scope, canonical: str) -> str:
    """What is signed in place of the request."""
    digest = sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
    return f"{ALGORITHM}\n{timestamp}\n{scope}\n{digest}"


def canonical_request(
    request: Request, signed: Sequence[str], payload: str, *, query: str | None = None
) -> str:
    """The request in the one form that both sides agree on.

    Args:
        request: What is signed.
        signed: Names of the signed headers, sorted, lower case, each present.
        payload: What stands for the body: its SHA-256, or ``UNSIGNED-PAYLOAD`` and the like.
        query: Its query as :func:`canonical_query` has it, if the caller knows.
    """
    values: dict[str, str] = {}
    for name, value in request.headers:
        if name in signed:
            value = value.strip(" \t")
            value = _SPACES.sub(" ", value) if "  " in value else value
            values[name] = f"{values[name]},{value}" if name in values else value
    lines = "\n".join([f"{name}:{values[name]}" for name in signed])
    path = request.path
    if not _PLAIN_PATH.fullmatch(path):
        path = quote(path, safe="/", errors="surrogateescape")
    if query is None:
        query = canonical_query(request.query)
    return f"{request.method}\n{path}\n{query}\n{lines}\n\n{';'.join(signed)}\n{payload}"


def canonical_query(query: str, *, without: str = "") -> str:
    """A query as it is signed: encoded in one way, sorted, ``without`` one of its parameters."""
    if not query:
        return ""
    pieces = (piece.partition("=") for piece in query.split("&") if piece)
    pairs = [(_encoded_once(name), _encoded_once(value)) for name, _, value in pieces]
    return "&".join([f"{name}={value}" for name, value in sorted(pairs) if name != without])


def _encoded_once(text: str) -> str:
    if text.isascii() and text.isalnum():
        return text
    raw = text.replace("+", " ").encode("utf-8", "surrogateescape")
    return quote(unquote_to_bytes(raw), safe="")


@lru_cache(maxsize=1024)
def seconds_of(timestamp: str) -> int | None:
    """Seconds since 1970 of ``YYYYMMDDTHHMMSSZ``; None where that is no moment."""
    if not _TIMESTAMP.fullmatch(timestamp):
        return None
    year, month, day = int(timestamp[:4]), int(timestamp[4:6]), int(timestamp[6:8])
    hour, minute, second = int(timestamp[9:11]), int(timestamp[11:13]), int(timestamp[13:15])
    if not (year >= 1970 and 1 <= month <= 12 and hour < 24 and minute < 60 and second < 61):
        return None
    if not 1 <= day <= calendar.monthrange(year, month)[1]:
        return None
    return calendar.timegm((year, month, day, hour, minute, second))
