"""A key and its secret, and signatures with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from time import gmtime, strftime
from typing import Final

from maruhub.wire.signing import (
    ALGORITHM,
    Scope,
    canonical_request,
    signature_of,
    signing_key,
    string_to_sign,
)

_REGION: Final = "us-east-1"
_SIGNED: Final = ("host", "x-amz-content-sha256", "x-amz-date")


@dataclass(frozen=True)
class Credentials:
    """Who asks. The secret does not print."""

    access_key: str
    secret_key: str = field(repr=False)


@dataclass(frozen=True)
class _Unsigned:
    method: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]


def signed_headers(
    credentials: Credentials, host: str, path: str, body: bytes, *, now: float
) -> dict[str, str]:
    """The headers of a POST of ``body``; ``now`` in seconds since 1970."""
    timestamp = strftime("%Y%m%dT%H%M%SZ", gmtime(now))
    digest = sha256(body).hexdigest()
    headers = {"host": host, "x-amz-content-sha256": digest, "x-amz-date": timestamp}
    scope = Scope(timestamp[:8], _REGION)
    canonical = canonical_request(_Unsigned("POST", path, "", list(headers.items())), _SIGNED, digest)
    key = signing_key(credentials.secret_key, scope.date, scope.region)
    signature = signature_of(key, string_to_sign(timestamp, scope, canonical))
    names = ";".join(_SIGNED)
    who = f"Credential={credentials.access_key}/{scope}"
    headers["authorization"] = f"{ALGORITHM} {who}, SignedHeaders={names}, Signature={signature}"
    return headers
