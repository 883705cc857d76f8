"""Signature Version 4 in the query: a link that works until it expires."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from time import gmtime, strftime

from maruhub.gateway.head import Head
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.query import Query, read_query
from maruhub.gateway.s3.signature import (
    PayloadMode,
    Secrets,
    Verified,
    check_signed,
    credential_of,
    payload_of,
    signature_text,
    verified_signer,
)
from maruhub.wire.signing import (
    ALGORITHM,
    SKEW_S,
    canonical_request,
    seconds_of,
    string_to_sign,
)

LONGEST_S = 7 * 24 * 3600
_MALFORMED = "AuthorizationQueryParametersError"
_NAMES = frozenset({"Algorithm", "Credential", "Date", "Expires", "SignedHeaders"})


def is_presigned(head: Head) -> bool:
    """True if the query claims to be signed, however badly."""
    query, signature = read_query(head.query)
    return signature is not None or query.is_presigned


def verify_query(head: Head, *, now: float, secrets: Secrets, regions: Collection[str] = ()) -> Verified:
    """Checks a presigned request.

    Args:
        head: The request.
        now: Seconds since 1970.
        secrets: Finds the secret of an access key.
        regions: Those that are accepted; empty for any.

    Raises:
        S3Failure: The link is not signed as it must be, expired, or not valid yet.
    """
    query, signature = read_query(head.query)
    found, signature = _link(query, signature)
    if found["Algorithm"] == "AWS4-ECDSA-P256-SHA256":
        raise S3Failure(
            "NotImplemented", "Signature Version 4A is not implemented: sign with AWS4-HMAC-SHA256."
        )
    if found["Algorithm"] != ALGORITHM:
        raise S3Failure(_MALFORMED, "X-Amz-Algorithm only supports AWS4-HMAC-SHA256.")
    access_key, scope = credential_of(found["Credential"], _MALFORMED, regions)
    given = signature_text(signature, _MALFORMED)
    names = check_signed(head, found["SignedHeaders"], _MALFORMED)
    timestamp = found["Date"]
    if timestamp[:8] != scope.date:
        raise S3Failure(_MALFORMED, "The credential's date is not that of X-Amz-Date.")
    _check_time(timestamp, found["Expires"], now)
    declared = head.by_name.get("x-amz-content-sha256", "")
    payload = payload_of(declared or PayloadMode.UNSIGNED.value)
    canonical = canonical_request(head, names, payload.text, query=query.canonical)
    text = string_to_sign(timestamp, scope, canonical)
    signer = verified_signer(access_key, scope, timestamp=timestamp, text=text, given=given, secrets=secrets)
    return Verified(access_key, payload, signer)


def _link(query: Query, signature: str | None) -> tuple[Mapping[str, str], str]:
    """What a link says of its signature, and that."""
    found = query.link
    if signature is None:
        signature = found.get("Signature")
    elif "Signature" in found:
        raise S3Failure(_MALFORMED, "X-Amz-Signature stands more than once.")
    if signature is None or not found.keys() >= _NAMES:
        wanted = ", ".join(f"X-Amz-{name}" for name in sorted({*_NAMES, "Signature"}))
        raise S3Failure(_MALFORMED, f"A presigned query must hold {wanted}.")
    return found, signature


def _check_time(timestamp: str, expires: str, now: float) -> None:
    moment = seconds_of(timestamp)
    if moment is None:
        raise S3Failure(_MALFORMED, "X-Amz-Date must be YYYYMMDDTHHMMSSZ.")
    if not (expires.isascii() and expires.isdigit() and len(expires) <= 6):
        raise S3Failure(_MALFORMED, "X-Amz-Expires must be a number between 1 and 604800.")
    if not 1 <= int(expires) <= LONGEST_S:
        raise S3Failure(_MALFORMED, "X-Amz-Expires must be a number between 1 and 604800.")
    if moment > now + SKEW_S:
        raise S3Failure("AccessDenied", "Request is not yet valid", ServerTime=_iso(now))
    if now > moment + int(expires):
        raise S3Failure(
            "AccessDenied",
            "Request has expired",
            Expires=_iso(moment + int(expires)),
            ServerTime=_iso(now),
            **{"X-Amz-Expires": expires},
        )


def _iso(moment: float) -> str:
    return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(moment))
