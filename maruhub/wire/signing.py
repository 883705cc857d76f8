"""The arithmetic of Signature Version 4: canonical request, string to sign, key, signature.

After AWS's public description ("Create a signed AWS API request", and S3's own rules: each byte
of a key is encoded once, a slash stays, a path is never normalised).
"""

from __future__ import annotations

import calendar
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Protocol
from urllib.parse import quote, unquote_to_bytes

from maruhub.wire.recall import recalled

ALGORITHM = "AWS4-HMAC-SHA256"
SKEW_S = 15 * 60
_TIMESTAMP = re.compile(r"[0-9]{8}T[0-9]{6}Z", re.ASCII)
_SPACES = re.compile(" {2,}")


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
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


@dataclass(frozen=True)
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
def signing_key(secret: str, date: str, region: str, service: str = "s3") -> bytes:
    """The key of a day, region and service; the last few thousand are kept."""
    key = ("AWS4" + secret).encode("utf-8", "surrogateescape")
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode("utf-8", "surrogateescape"), "sha256")
    return key


def signature_of(key: bytes, text: str) -> str:
    """64 hex digits over the string to sign."""
    return hmac.digest(key, text.encode("utf-8", "surrogateescape"), "sha256").hex()


def same(left: str, right: str) -> bool:
    """Equality whose time tells nothing."""
    return hmac.compare_digest(
        left.encode("utf-8", "surrogateescape"), right.encode("utf-8", "surrogateescape")
    )


def string_to_sign(timestamp: str, scope: Scope, canonical: str) -> str:
    """What is signed in place of the request."""
    digest = sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
    return f"{ALGORITHM}\n{timestamp}\n{scope}\n{digest}"


def canonical_request(request: Request, signed: Iterable[str], payload: str, *, without: str = "") -> str:
    """The request in the one form that both sides agree on.

    Args:
        request: What is signed.
        signed: Names of the signed headers, sorted, lower case, each present.
        payload: What stands for the body: its SHA-256, or ``UNSIGNED-PAYLOAD`` and the like.
        without: A parameter of the query that is left out (``X-Amz-Signature``).
    """
    names = list(signed)
    values = _canonical_values(request, names)
    lines = "".join(f"{name}:{values[name]}\n" for name in names)
    path = quote(request.path, safe="/", errors="surrogateescape")
    query = _canonical_query(request.query, without) if request.query else ""
    return f"{request.method}\n{path}\n{query}\n{lines}\n{';'.join(names)}\n{payload}"


def _canonical_values(request: Request, names: list[str]) -> dict[str, str]:
    wanted = set(names)
    found: dict[str, list[str]] = {}
    for name, value in request.headers:
        if name in wanted:
            value = value.strip(" \t")
            found.setdefault(name, []).append(_SPACES.sub(" ", value) if "  " in value else value)
    return {name: ",".join(values) for name, values in found.items()}


def _canonical_query(query: str, without: str) -> str:
    pairs = []
    for piece in query.split("&"):
        if not piece:
            continue
        # Told apart here as it usually stands: it is the one part that no other link has.
        if without and piece.startswith(f"{without}="):
            continue
        name, _, value = piece.partition("=")
        name = _encoded_once(name)
        if name != without:
            pairs.append((name, _encoded_once(value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


@recalled
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
