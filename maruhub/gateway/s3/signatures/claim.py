"""What a link says of its signature, read once for the thousands of links that say the same.

Pure: no clock. Whether a link's time has come or gone is for whoever checks one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.signatures.v4 import SignedNames, credential_of, signed_names
from maruhub.wire.signing import ALGORITHM, Scope, seconds_of

SIGNATURE: Final = "X-Amz-Signature"
LONGEST_S: Final = 7 * 24 * 3600
MALFORMED: Final = "AuthorizationQueryParametersError"
_PREFIX: Final = "X-Amz-"
_NAMES: Final = frozenset({"Algorithm", "Credential", "Date", "Expires", "SignedHeaders"})
_LINK: Final = _NAMES | {"Signature"}


@dataclass(frozen=True, slots=True)
class Claim:
    """All that stands in a link but what it is a link to.

    Attributes:
        access_key: Who is said to have signed.
        scope: Of the signing key.
        signed: The headers that are signed.
        timestamp: ``YYYYMMDDTHHMMSSZ``.
        moment: The same in seconds since 1970.
        expires_s: Seconds from then on for which the link works.
        signature: If it stands among the parameters read; else whoever read them has it.
    """

    access_key: str
    scope: Scope
    signed: SignedNames
    timestamp: str
    moment: int
    expires_s: int
    signature: str | None


def read_claim(pairs: Iterable[tuple[str, str]]) -> Claim:
    """The claim in a link's decoded names and values.

    Raises:
        S3Failure: A name is missing or stands twice, or its value can't be.
    """
    found = _link(pairs)
    if found["Algorithm"] == "AWS4-ECDSA-P256-SHA256":
        raise S3Failure(
            "NotImplemented", "Signature Version 4A is not implemented: sign with AWS4-HMAC-SHA256."
        )
    if found["Algorithm"] != ALGORITHM:
        raise S3Failure(MALFORMED, "X-Amz-Algorithm only supports AWS4-HMAC-SHA256.")
    access_key, scope = credential_of(found["Credential"], MALFORMED)
    signed = signed_names(found["SignedHeaders"], MALFORMED)
    timestamp = found["Date"]
    if timestamp[:8] != scope.date:
        raise S3Failure(MALFORMED, "The credential's date is not that of X-Amz-Date.")
    moment = seconds_of(timestamp)
    if moment is None:
        raise S3Failure(MALFORMED, "X-Amz-Date must be YYYYMMDDTHHMMSSZ.")
    expires_s = _expires(found["Expires"])
    return Claim(access_key, scope, signed, timestamp, moment, expires_s, found.get("Signature"))


def _link(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The parameters of the signature, by name without ``X-Amz-``."""
    found: dict[str, str] = {}
    for full, value in pairs:
        name = full.removeprefix(_PREFIX)
        if name in _LINK and name != full:
            if name in found:
                raise S3Failure(MALFORMED, f"X-Amz-{name} stands more than once.")
            found[name] = value
    if not found.keys() >= _NAMES:
        raise incomplete()
    return found


def incomplete() -> S3Failure:
    """The error for a link that lacks something."""
    wanted = ", ".join(f"X-Amz-{name}" for name in sorted(_LINK))
    return S3Failure(MALFORMED, f"A presigned query must hold {wanted}.")


def _expires(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= LONGEST_S:
        return int(text)
    raise S3Failure(MALFORMED, "X-Amz-Expires must be a number between 1 and 604800.")
