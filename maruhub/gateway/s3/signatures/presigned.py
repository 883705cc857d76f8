"""Signature Version 4 in the query: a link that works until it expires."""

from __future__ import annotations

from collections.abc import Collection
from time import gmtime, strftime

from maruhub.gateway.head import Head
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.signatures.claim import LONGEST_S, MALFORMED, Claim, incomplete
from maruhub.gateway.s3.signatures.query import read_query
from maruhub.gateway.s3.signatures.v4 import (
    PayloadMode,
    Secrets,
    Verified,
    check_region,
    check_signed,
    payload_of,
    signature_text,
    verified_signer,
)
from maruhub.wire.signing import SKEW_S, canonical_request, string_to_sign

_UNSIGNED = PayloadMode.UNSIGNED.value

__all__ = ["LONGEST_S", "is_presigned", "verify_query"]


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
    claim = query.claim
    given = signature_text(_signature(claim, signature), MALFORMED)
    access_key, scope, timestamp = claim.access_key, claim.scope, claim.timestamp
    if regions:
        check_region(scope, MALFORMED, regions)
    check_signed(head, claim.signed)
    _check_time(claim, now)
    payload = payload_of(head.by_name.get("x-amz-content-sha256") or _UNSIGNED)
    canonical = canonical_request(head, claim.signed.names, payload.text, query=query.canonical)
    text = string_to_sign(timestamp, scope, canonical)
    signer = verified_signer(access_key, scope, timestamp=timestamp, text=text, given=given, secrets=secrets)
    return Verified(access_key, payload, signer)


def _signature(claim: Claim, apart: str | None) -> str:
    """A link's signature, which stands apart from the rest where it is written as everybody does."""
    if apart is None:
        apart = claim.signature
    elif claim.signature is not None:
        raise S3Failure(MALFORMED, "X-Amz-Signature stands more than once.")
    if apart is None:
        raise incomplete()
    return apart


def _check_time(claim: Claim, now: float) -> None:
    if claim.moment > now + SKEW_S:
        raise S3Failure("AccessDenied", "Request is not yet valid", ServerTime=_iso(now))
    ends = claim.moment + claim.expires_s
    if now > ends:
        raise S3Failure(
            "AccessDenied",
            "Request has expired",
            Expires=_iso(ends),
            ServerTime=_iso(now),
            **{"X-Amz-Expires": str(claim.expires_s)},
        )


def _iso(moment: float) -> str:
    return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(moment))
