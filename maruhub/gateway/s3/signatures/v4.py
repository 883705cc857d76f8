"""Signature Version 4 in the ``Authorization`` header.

This file reads no clock and no keys: the caller says what time it is and finds secrets. An
access key that nobody has costs the same work as a wrong secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum
from functools import cached_property
from hashlib import sha256
from time import gmtime, strftime
from typing import NamedTuple

from maruhub.gateway.head import Head
from maruhub.gateway.s3.failure import S3Failure
from maruhub.wire.recall import recalled
from maruhub.wire.signing import (
    ALGORITHM,
    SKEW_S,
    Scope,
    Signer,
    canonical_request,
    same,
    seconds_of,
    signature_of,
    signing_key,
    string_to_sign,
)

Secrets = Callable[[str], str | None]
"""Access key -> secret, or None where no such key is valid."""

_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)
_FIELDS = ("Credential", "SignedHeaders", "Signature")
_MARK = "Signature="
_MALFORMED = "AuthorizationHeaderMalformed"


class PayloadMode(Enum):
    """How a body is protected, by the word in ``x-amz-content-sha256``."""

    SIGNED = "SHA-256"
    UNSIGNED = "UNSIGNED-PAYLOAD"
    CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    CHUNKS_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
    UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

    @property
    def is_chunked(self) -> bool:
        """True if the body is framed as ``aws-chunked``."""
        return self.value.startswith("STREAMING-")


@dataclass(frozen=True)
class Payload:
    """What the request says of its body.

    Attributes:
        mode: How it is protected.
        sha256: 64 hex digits that the body must have (`PayloadMode.SIGNED`), else empty.
    """

    mode: PayloadMode
    sha256: str = ""

    @cached_property
    def text(self) -> str:
        """What stands in the canonical request."""
        return self.sha256 or self.mode.value


@dataclass(slots=True)
class Verified:
    """A request whose signature is right.

    Attributes:
        access_key: Whose secret it was.
        payload: What was promised of the body, still to be kept; None of a form.
        signer: What a chain of chunks goes on from; None of a signature that allows none.
    """

    access_key: str
    payload: Payload | None = None
    signer: Signer | None = None


_NOTHING = sha256(b"").hexdigest()
_MODES = {mode.value: Payload(mode) for mode in PayloadMode if mode is not PayloadMode.SIGNED}
_MODES[_NOTHING] = Payload(PayloadMode.SIGNED, _NOTHING)


def payload_of(value: str) -> Payload:
    """Reads ``x-amz-content-sha256``.

    Raises:
        S3Failure: For a word that is neither a mode nor a sum; ``NotImplemented`` for ECDSA.
    """
    known = _MODES.get(value)
    if known is not None:
        return known
    if _HEX.fullmatch(value.lower()):
        return Payload(PayloadMode.SIGNED, value)
    if value.startswith("STREAMING-AWS4-ECDSA"):
        raise S3Failure(
            "NotImplemented", "Signature Version 4A is not implemented: sign with AWS4-HMAC-SHA256."
        )
    text = "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, a STREAMING mode, or 64 hex digits of a SHA-256."
    raise S3Failure("InvalidArgument", text, ArgumentName="x-amz-content-sha256", ArgumentValue=value[:200])


def unsigned_payload(headers: Mapping[str, str]) -> Payload | None:
    """What a request that nobody signed says of its body; None if it says nothing.

    Raises:
        S3Failure: ``InvalidRequest`` for chunks that would be signed; as :func:`payload_of`.
    """
    said = headers.get("x-amz-content-sha256")
    payload = payload_of(said) if said else None
    if payload is not None and payload.mode in (PayloadMode.CHUNKS, PayloadMode.CHUNKS_TRAILER):
        raise S3Failure("InvalidRequest", "Chunks are signed where the request is signed by its header.")
    return payload


def verify_header(head: Head, *, now: float, secrets: Secrets, regions: Collection[str] = ()) -> Verified:
    """Checks the ``Authorization`` header of a request.

    Args:
        head: The request, with that header.
        now: Seconds since 1970.
        secrets: Finds the secret of an access key.
        regions: Those that are accepted; empty for any.

    Raises:
        S3Failure: The request is not signed as it must be.
    """
    credential, signed, given = _authorization(_once(head, "authorization"))
    access_key, scope = credential_of(credential, _MALFORMED)
    if regions:
        check_region(scope, _MALFORMED, regions)
    timestamp = _timestamp(head)
    _check_time(timestamp, scope, now)
    if "x-amz-content-sha256" not in head.by_name:
        raise S3Failure("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
    names = signed_names(signed, _MALFORMED)
    check_signed(head, names)
    payload = payload_of(head.by_name["x-amz-content-sha256"])
    canonical = canonical_request(head, names.names, payload.text)
    text = string_to_sign(timestamp, scope, canonical)
    signer = verified_signer(access_key, scope, timestamp=timestamp, text=text, given=given, secrets=secrets)
    return Verified(access_key, payload, signer)


def verified_signer(
    access_key: str, scope: Scope, *, timestamp: str, text: str, given: str, secrets: Secrets
) -> Signer:
    """Compares signatures; the same work is done for a key that does not exist.

    Raises:
        S3Failure: ``InvalidAccessKeyId`` or ``SignatureDoesNotMatch``.
    """
    secret = secrets(access_key)
    # One stand-in for each access key, so that the cache of signing keys tells nothing either.
    # Whoever guesses it gains nothing: without a secret the answer is no, whatever was signed.
    key = signing_key(
        "\0" + access_key if secret is None else secret, scope.date, scope.region, scope.service
    )
    matches = same(signature_of(key, text), given)
    if secret is None:
        raise S3Failure("InvalidAccessKeyId", AWSAccessKeyId=access_key)
    if not matches:
        raise S3Failure(
            "SignatureDoesNotMatch",
            AWSAccessKeyId=access_key,
            StringToSign=text,
            SignatureProvided=given,
        )
    return Signer(access_key, scope, timestamp, given, key)


def credential_of(text: str, malformed: str) -> tuple[str, Scope]:
    """Access key and scope of ``key/date/region/s3/aws4_request``.

    Raises:
        S3Failure: With the code ``malformed``.
    """
    try:
        return _credential(text)
    except ValueError as wrong:
        raise S3Failure(malformed, str(wrong)) from None


def check_region(scope: Scope, malformed: str, regions: Collection[str]) -> None:
    """Nothing, if a scope's region is one of these. Raises S3Failure with the code ``malformed``."""
    if scope.region not in regions:
        expected = min(regions)
        raise S3Failure(malformed, f"The region is wrong; expecting '{expected}'.", Region=expected)


@recalled
def _credential(text: str) -> tuple[str, Scope]:
    """The same; raises ValueError."""
    parts = text.rsplit("/", 4)
    if len(parts) != 5 or not all(parts) or len(text) > 512:
        raise ValueError("The credential must be <access key>/<YYYYMMDD>/<region>/s3/aws4_request.")
    access_key, date, region, service, end = parts
    if seconds_of(f"{date}T000000Z") is None:
        raise ValueError("The date of the credential must be YYYYMMDD.")
    if service != "s3" or end != "aws4_request":
        raise ValueError("The credential must be for the service 's3' and end in 'aws4_request'.")
    return access_key, Scope(date, region, service)


class SignedNames(NamedTuple):
    """The headers that are signed: sorted, each once."""

    names: tuple[str, ...]
    as_set: frozenset[str]


def signed_names(text: str, malformed: str) -> SignedNames:
    """The names in ``SignedHeaders``.

    Raises:
        S3Failure: With the code ``malformed``, if they are out of order.
    """
    try:
        return _signed_names(text)
    except ValueError as wrong:
        raise S3Failure(malformed, str(wrong)) from None


@recalled
def _signed_names(text: str) -> SignedNames:
    """The same; raises ValueError."""
    names = text.split(";")
    if names != sorted(set(names)):
        raise ValueError("SignedHeaders must be sorted, each name in lower case and once.")
    return SignedNames(tuple(names), frozenset(names))


def check_signed(head: Head, signed: SignedNames) -> None:
    """Nothing, if the signed headers are there, and all are signed that must be.

    Raises:
        S3Failure: ``SignatureDoesNotMatch`` where one is absent, or ``AccessDenied`` where a header
            that must be signed (``host``, every ``x-amz-*``) is not.
    """
    names, present = signed.as_set, head.by_name
    if not present.keys() >= names:
        missing = ", ".join(sorted(names.difference(present)))
        text = f"SignedHeaders names what the request does not have, or not in ASCII: {missing[:200]}"
        raise S3Failure("SignatureDoesNotMatch", text)
    bare = [name for name in present if name.startswith("x-amz-") and name not in names]
    if bare or "host" not in names:
        missing = ", ".join(sorted({*bare, *({"host"} - names)}))
        text = "There were headers present in the request which were not signed"
        raise S3Failure("AccessDenied", text, HeadersNotSigned=missing)


def signature_text(text: str, malformed: str) -> str:
    """The signature as given, if it has the form of one.

    Raises:
        S3Failure: With the code ``malformed``.
    """
    if not _HEX.fullmatch(text):
        raise S3Failure(malformed, "The signature must be 64 hex digits in lower case.")
    return text


def _authorization(text: str) -> tuple[str, str, str]:
    """Credential, names of the signed headers, and the signature."""
    before, mark, given = text.rpartition(_MARK)
    if not mark or not _HEX.fullmatch(given):
        return _parsed(text)
    # All but the signature stands in thousands of requests alike.
    credential, signed, _ = _parsed_before(before)
    return credential, signed, given


def _parsed(authorization: str) -> tuple[str, str, str]:
    algorithm, _, rest = authorization.partition(" ")
    if algorithm == "AWS4-ECDSA-P256-SHA256":
        raise S3Failure(
            "NotImplemented", "Signature Version 4A is not implemented: sign with AWS4-HMAC-SHA256."
        )
    if algorithm != ALGORITHM:
        raise S3Failure(
            "InvalidRequest",
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
        )
    found: dict[str, str] = {}
    for piece in rest.split(",", 4):
        name, equals, value = piece.strip().partition("=")
        if not equals or name not in _FIELDS or name in found or not value:
            raise S3Failure(
                "AuthorizationHeaderMalformed", "It must hold Credential, SignedHeaders, Signature."
            )
        found[name] = value
    if len(found) != len(_FIELDS):
        raise S3Failure("AuthorizationHeaderMalformed", "It must hold Credential, SignedHeaders, Signature.")
    given = signature_text(found["Signature"], "AuthorizationHeaderMalformed")
    return found["Credential"], found["SignedHeaders"], given


_parsed_before = recalled(lambda before: _parsed(before + _MARK + 64 * "0"), longest=512)


def _once(head: Head, name: str) -> str:
    if name in head.by_name and not head.has_doubles:
        return head.by_name[name]
    values = [value for key, value in head.headers if key == name]
    if len(values) != 1:
        raise S3Failure("InvalidArgument", f"The header {name} must stand exactly once.")
    return values[0]


def _timestamp(head: Head) -> str:
    if "x-amz-date" in head.by_name:
        return head.by_name["x-amz-date"]
    try:
        moment = parsedate_to_datetime(head.by_name.get("date", ""))
        return strftime("%Y%m%dT%H%M%SZ", gmtime(moment.timestamp()))
    except (TypeError, ValueError, OverflowError, IndexError):
        text = "AWS authentication requires a valid Date or x-amz-date header"
        raise S3Failure("AccessDenied", text) from None


def _check_time(timestamp: str, scope: Scope, now: float) -> None:
    moment = seconds_of(timestamp)
    if moment is None:
        raise S3Failure("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
    if timestamp[:8] != scope.date:
        raise S3Failure("AuthorizationHeaderMalformed", "The credential's date is not that of the request.")
    if abs(moment - now) > SKEW_S:
        raise S3Failure(
            "RequestTimeTooSkewed",
            RequestTime=timestamp,
            ServerTime=strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(now)),
            MaxAllowedSkewMilliseconds=str(SKEW_S * 1000),
        )
