"""Signature Version 2 in the query: the links that older SDKs make, and boto3 by default.

After AWS's public description ("Signing and authenticating REST requests", "Query string request
authentication alternative"). Links only: whoever signs headers signs with version 4. This file reads
no clock and no keys, and an access key that nobody has costs the same work as a wrong secret.

Version 2 leaves most of the query unsigned. Whoever holds a link must not be able to make another
request of it, so a link with a sub-resource that its signature does not cover is refused.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable, Mapping
from time import gmtime, strftime
from urllib.parse import quote, unquote, unquote_plus

from maruhub.gateway.head import Head
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.operation import Operation
from maruhub.gateway.s3.signatures.presigned import LONGEST_S
from maruhub.gateway.s3.signatures.v4 import PayloadMode, Secrets, Verified, payload_of
from maruhub.wire.signing import SKEW_S, same

_NAMES = ("AWSAccessKeyId", "Expires", "Signature")
_SIGNED_WORDS = """
accelerate acl analytics cors delete inventory lifecycle location logging metrics notification
object-lock partNumber policy replication requestPayment response-cache-control
response-content-disposition response-content-encoding response-content-language
response-content-type response-expires restore select select-type tagging torrent uploadId uploads
versionId versioning versions website
"""
_SIGNED = frozenset(_SIGNED_WORDS.split())
# A kind of listing is as harmless as its page; headers in the query are signed like headers.
_HARMLESS = frozenset({"", "list-type", "x-amz-copy-source"})
_UNSIGNED = frozenset(o.chosen_by.partition("&")[0] for o in Operation) - _SIGNED - _HARMLESS


def is_link_v2(head: Head) -> bool:
    """True if the query claims to be signed with version 2, however badly."""
    return ("AWSAccessKeyId" in head.query or "Signature" in head.query) and any(
        name in ("AWSAccessKeyId", "Signature") for name, _ in _pairs(head.query)
    )


def verify_link_v2(head: Head, *, now: float, secrets: Secrets, virtual_bucket: str = "") -> Verified:
    """Checks a link.

    Args:
        head: The request.
        now: Seconds since 1970.
        secrets: Finds the secret of an access key.
        virtual_bucket: The bucket that the host names; empty where the path does.

    Raises:
        S3Failure: The link is not signed as it must be, expired, good for longer than seven days, or
            asks for what version 2 doesn't sign.
    """
    found = _given(head.query)
    if len(found) != len(_NAMES):
        text = "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"
        raise S3Failure("AccessDenied", text)
    _check_time(found["Expires"], now)
    _check_signable(head.query)
    text = string_to_sign_v2(head, found["Expires"], virtual_bucket=virtual_bucket)
    access_key = found["AWSAccessKeyId"]
    check_signature_v2(access_key, text, given=found["Signature"], secrets=secrets)
    payload = payload_of(head.by_name.get("x-amz-content-sha256") or PayloadMode.UNSIGNED.value)
    if payload.mode in (PayloadMode.CHUNKS, PayloadMode.CHUNKS_TRAILER):
        raise S3Failure("InvalidRequest", "Chunks are signed with version 4; this link is of version 2.")
    return Verified(access_key, payload)


def check_signature_v2(access_key: str, text: str, *, given: str, secrets: Secrets) -> None:
    """Compares signatures; of a form the text is its policy in Base64.

    Raises:
        S3Failure: ``InvalidAccessKeyId`` or ``SignatureDoesNotMatch``.
    """
    secret = secrets(access_key)
    matches = same(signature_v2("\0" + access_key if secret is None else secret, text), given)
    if secret is None:
        raise S3Failure("InvalidAccessKeyId", AWSAccessKeyId=access_key)
    if not matches:
        raise S3Failure(
            "SignatureDoesNotMatch", AWSAccessKeyId=access_key, StringToSign=text, SignatureProvided=given
        )


def signature_v2(secret: str, text: str) -> str:
    """HMAC-SHA1 in Base64 over the string to sign."""
    key, message = (word.encode("utf-8", "surrogateescape") for word in (secret, text))
    return base64.b64encode(hmac.digest(key, message, "sha1")).decode()


def string_to_sign_v2(head: Head, when: str, *, virtual_bucket: str = "") -> str:
    """What is signed in place of the request.

    Args:
        head: The request. Its path is taken as encoded by RFC 3986: the server has only the decoded
            one, and whoever encodes otherwise signs with version 4.
        when: What stands in the place of the date: when the link expires.
        virtual_bucket: The bucket that the host names; empty where the path does.
    """
    headers = _with_hoisted(head)
    lines = [head.method, headers.get("content-md5", ""), headers.get("content-type", ""), when]
    lines += [f"{name}:{value}" for name, value in sorted(headers.items()) if name.startswith("x-amz-")]
    path = quote(head.path, safe="/", errors="surrogateescape")
    bucket = f"/{virtual_bucket}" if virtual_bucket else ""
    # Signed is a bucket's address as its host would have it, also where its path ends without a slash.
    if not bucket and path.count("/") == 1 and path != "/":
        path += "/"
    return "\n".join([*lines, bucket + path + _signed_query(head.query)])


def _with_hoisted(head: Head) -> Mapping[str, str]:
    """Headers by name; boto3's links carry them in the query, and a header that was sent stands."""
    hoisted = {}
    for name, value in _pairs(head.query):
        name = name.lower()
        if name.startswith("x-amz-") or name in ("content-md5", "content-type"):
            hoisted[name] = unquote_plus(value or "", errors="surrogateescape")
    return {**hoisted, **head.by_name}


def _signed_query(query: str) -> str:
    """The sub-resources in their order, with decoded values."""
    signed = [(name, value) for name, value in _pairs(query) if name in _SIGNED]
    # One that stands with a value and without has no order of its own.
    pairs = sorted(signed, key=lambda pair: (pair[0], pair[1] or ""))
    words = [
        name if value is None else f"{name}={unquote(value, errors='surrogateescape')}"
        for name, value in pairs
    ]
    return "?" + "&".join(words) if words else ""


def _pairs(query: str) -> Iterable[tuple[str, str | None]]:
    """Decoded names with encoded values; None where there is no ``=``."""
    for piece in query.split("&"):
        name, equals, value = piece.partition("=")
        if name:
            yield unquote_plus(name, errors="surrogateescape"), value if equals else None


def _given(query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in _pairs(query):
        if name in _NAMES:
            if name in found:
                raise S3Failure("InvalidArgument", f"{name} stands more than once.", ArgumentName=name)
            found[name] = unquote(value or "")
    return found


def _check_time(expires: str, now: float) -> None:
    if not (expires.isascii() and expires.isdigit() and len(expires) <= 12):
        raise S3Failure("AccessDenied", "Invalid date (should be seconds since epoch)")
    moment = int(expires)
    times = {"Expires": _iso(moment), "ServerTime": _iso(now)}
    if now > moment:
        raise S3Failure("AccessDenied", "Request has expired", **times)
    if moment > now + LONGEST_S + SKEW_S:
        raise S3Failure("AccessDenied", "A link must expire within seven days", **times)


def _check_signable(query: str) -> None:
    for name, _ in _pairs(query):
        if name in _UNSIGNED:
            text = f"Signature Version 2 does not cover {name}: sign with AWS4-HMAC-SHA256."
            raise S3Failure("AccessDenied", text)


def _iso(moment: float) -> str:
    return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(moment))
