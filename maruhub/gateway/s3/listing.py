"""What the five listings ask: pages of buckets, objects, versions, uploads and parts.

A continuation token is opaque to clients: it holds the name behind which the page begins, and what
it was made for, so that one of another listing, or an invented one, is refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.route import Asked

PAGE_MAX = 1000
PART_NUMBER_MAX = 10_000
_DIGITS_MAX = 10
_TOKEN_CHECK_BYTES = 8


@dataclass(frozen=True)
class ObjectsPage:
    """A page of ListObjects or ListObjectsV2.

    Attributes:
        after: Show only names greater than this; from the token, else from ``start_after``.
        start_after: As given (``marker`` in v1), to be repeated in the answer.
        token: As given, to be repeated in the answer.
        limit: Keys and common prefixes together, 0 to 1,000.
        encode: Whether names in the answer are percent-encoded.
        fetch_owner: Whether each key comes with its owner; always in v1.
    """

    prefix: str = ""
    delimiter: str = ""
    after: str = ""
    start_after: str = ""
    token: str = ""
    limit: int = PAGE_MAX
    encode: bool = False
    fetch_owner: bool = False


@dataclass(frozen=True)
class VersionsPage:
    """A page of ListObjectVersions: behind ``key_marker``, there behind ``version_id_marker``."""

    prefix: str = ""
    delimiter: str = ""
    key_marker: str = ""
    version_id_marker: str = ""
    limit: int = PAGE_MAX
    encode: bool = False


@dataclass(frozen=True)
class UploadsPage:
    """A page of ListMultipartUploads: behind ``key_marker``, there behind ``upload_id_marker``."""

    prefix: str = ""
    delimiter: str = ""
    key_marker: str = ""
    upload_id_marker: str = ""
    limit: int = PAGE_MAX
    encode: bool = False


@dataclass(frozen=True)
class PartsPage:
    """A page of ListParts: numbers greater than ``after``."""

    upload_id: str
    after: int = 0
    limit: int = PAGE_MAX
    encode: bool = False


@dataclass(frozen=True)
class BucketsPage:
    """A page of ListBuckets; a ``limit`` of 0 is none, as S3 does without ``max-buckets``."""

    prefix: str = ""
    after: str = ""
    token: str = ""
    limit: int = 0
    region: str = ""


def objects_v1_page(asked: Asked) -> ObjectsPage:
    """The page that ListObjects asks for. Raises: S3Failure: ``InvalidArgument``."""
    given = asked.parameters
    return ObjectsPage(
        prefix=given.get("prefix", ""),
        delimiter=given.get("delimiter", ""),
        after=given.get("marker", ""),
        start_after=given.get("marker", ""),
        limit=_limit(given, "max-keys"),
        encode=_encode(given),
        fetch_owner=True,
    )


def objects_page(asked: Asked) -> ObjectsPage:
    """The page that ListObjectsV2 asks for. Raises: S3Failure: ``InvalidArgument``."""
    given = asked.parameters
    start_after = given.get("start-after", "")
    after = start_after
    if "continuation-token" in given:
        after = read_token(given["continuation-token"], asked.bucket)
    return ObjectsPage(
        prefix=given.get("prefix", ""),
        delimiter=given.get("delimiter", ""),
        after=after,
        start_after=start_after,
        token=given.get("continuation-token", ""),
        limit=_limit(given, "max-keys"),
        encode=_encode(given),
        fetch_owner=given.get("fetch-owner", "").lower() == "true",
    )


def versions_page(asked: Asked) -> VersionsPage:
    """The page that ListObjectVersions asks for. Raises: S3Failure: ``InvalidArgument``."""
    given = asked.parameters
    key_marker, version_marker = _markers(given, "version-id-marker")
    return VersionsPage(
        prefix=given.get("prefix", ""),
        delimiter=given.get("delimiter", ""),
        key_marker=key_marker,
        version_id_marker=version_marker,
        limit=_limit(given, "max-keys"),
        encode=_encode(given),
    )


def uploads_page(asked: Asked) -> UploadsPage:
    """The page that ListMultipartUploads asks for. An id without a key is passed over, as S3 does."""
    given = asked.parameters
    key_marker = given.get("key-marker", "")
    return UploadsPage(
        prefix=given.get("prefix", ""),
        delimiter=given.get("delimiter", ""),
        key_marker=key_marker,
        upload_id_marker=given.get("upload-id-marker", "") if key_marker else "",
        limit=_limit(given, "max-uploads"),
        encode=_encode(given),
    )


def parts_page(asked: Asked) -> PartsPage:
    """The page that ListParts asks for. Raises: S3Failure: ``InvalidArgument``."""
    given = asked.parameters
    return PartsPage(
        upload_id=given["uploadId"],
        after=whole_number(given, "part-number-marker", 0),
        limit=_limit(given, "max-parts"),
        encode=_encode(given),
    )


def buckets_page(asked: Asked) -> BucketsPage:
    """The page that ListBuckets asks for. Raises: S3Failure: ``InvalidArgument``."""
    given = asked.parameters
    limit = whole_number(given, "max-buckets", 0)
    if "max-buckets" in given and not 1 <= limit <= 10_000:
        raise _wrong("max-buckets", given["max-buckets"], "must be from 1 to 10000")
    token = given.get("continuation-token", "")
    return BucketsPage(
        prefix=given.get("prefix", ""),
        after=read_token(token, "") if token else "",
        token=token,
        limit=limit,
        region=given.get("bucket-region", ""),
    )


def make_token(after: str, bucket: str) -> str:
    """The token of a page that begins behind a name; an empty bucket is the listing of buckets."""
    raw = after.encode()
    return base64.urlsafe_b64encode(_token_check(raw, bucket) + raw).decode()


def read_token(token: str, bucket: str) -> str:
    """The name behind which the token's page begins.

    Raises:
        S3Failure: ``InvalidArgument`` for one that wasn't made by ``make_token`` for this bucket.
    """
    try:
        raw = base64.b64decode(token.encode(), altchars=b"-_", validate=True)
        check, name = raw[:_TOKEN_CHECK_BYTES], raw[_TOKEN_CHECK_BYTES:]
        if name and check == _token_check(name, bucket):
            return name.decode()
    except (binascii.Error, ValueError):
        pass
    raise S3Failure(
        "InvalidArgument",
        "The continuation token provided is incorrect",
        ArgumentName="continuation-token",
        ArgumentValue=token[:1024],
    )


def _token_check(name: bytes, bucket: str) -> bytes:
    """Against mistakes, not against forgers: a token grants nothing that start-after doesn't."""
    return hashlib.blake2b(bucket.encode() + b"\0" + name, digest_size=_TOKEN_CHECK_BYTES).digest()


def whole_number(given: Mapping[str, str], name: str, default: int) -> int:
    """A whole number from 0 to 2^31 - 1 in the query; the default if it isn't there or is empty.

    Raises:
        S3Failure: ``InvalidArgument``.
    """
    text = given.get(name, "")
    if not text:
        return default
    # Counted before it is converted, zeros too: Python refuses what has thousands of digits.
    digits = text.lstrip("0") or "0"
    plain = text.isascii() and text.isdigit() and len(digits) <= _DIGITS_MAX
    if not plain or int(digits) > 2**31 - 1:
        raise _wrong(name, text, "must be an integer between 0 and 2147483647")
    return int(digits)


def _limit(given: Mapping[str, str], name: str) -> int:
    return min(whole_number(given, name, PAGE_MAX), PAGE_MAX)


def _encode(given: Mapping[str, str]) -> bool:
    kind = given.get("encoding-type")
    if kind is not None and kind != "url":
        raise S3Failure(
            "InvalidArgument",
            "Invalid Encoding Method specified in Request",
            ArgumentName="encoding-type",
            ArgumentValue=kind[:256],
        )
    return kind == "url"


def _markers(given: Mapping[str, str], name: str) -> tuple[str, str]:
    key_marker, marker = given.get("key-marker", ""), given.get(name, "")
    if marker and not key_marker:
        raise S3Failure(
            "InvalidArgument",
            f"A {name} cannot be specified without a key marker.",
            ArgumentName=name,
            ArgumentValue=marker[:256],
        )
    return key_marker, marker


def _wrong(name: str, value: str, rule: str) -> S3Failure:
    return S3Failure(
        "InvalidArgument", f"Argument {name} {rule}", ArgumentName=name, ArgumentValue=value[:256]
    )
