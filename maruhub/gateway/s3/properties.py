"""What a write says about the object it makes, and what a read says about it in turn."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.metadata import metadata_headers, read_metadata
from maruhub.gateway.s3.object_lock import ObjectLockHeaders, read_lock_headers
from maruhub.gateway.s3.route import KEY_BYTES_MAX, Asked
from maruhub.gateway.s3.tags import read_tagging_header

DEFAULT_TYPE = "binary/octet-stream"
KEPT_HEADERS = ("cache-control", "content-disposition", "content-encoding", "content-language", "expires")
_CANNED_ACLS_WORDS = """
private public-read public-read-write authenticated-read aws-exec-read bucket-owner-read
bucket-owner-full-control log-delivery-write
"""
CANNED_ACLS = frozenset(_CANNED_ACLS_WORDS.split())
_GRANTS = tuple(
    f"x-amz-grant-{right}" for right in ("full-control", "read", "read-acp", "write", "write-acp")
)
_OVERRIDES = {
    f"response-{name}": name
    for name in ("cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires")
}  # fmt: skip


class Directive(enum.Enum):
    """Whether a copy takes something over from its source."""

    COPY = "COPY"
    REPLACE = "REPLACE"


@dataclass(frozen=True)
class Properties:
    """What a put, a copy that replaces or a new upload says about its object.

    Attributes:
        content_type: As given; empty if none was.
        headers: Those of ``KEPT_HEADERS`` that were given, to be repeated with each read.
        metadata: Users' own fields, by name without the prefix.
        tags: By name.
        lock: Retention and hold.
        acl: A canned ACL; empty if none was given.
    """

    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    lock: ObjectLockHeaders = field(default_factory=ObjectLockHeaders)
    acl: str = ""


@dataclass(frozen=True)
class CopySource:
    """Where a copy comes from; ``version_id`` None is the current version."""

    bucket: str
    key: str
    version_id: str | None = None


def read_properties(headers: Mapping[str, str], *, now_us: int) -> Properties:
    """What the headers of a write say about its object.

    Raises:
        S3Failure: for what is wrong, or isn't kept here (another storage class, grants).
    """
    storage_class(headers)
    kept = {name: headers[name] for name in KEPT_HEADERS if headers.get(name)}
    if "content-encoding" in kept:
        codings = [c.strip() for c in kept["content-encoding"].split(",")]
        # What a chunked signed body adds says nothing about the object.
        kept["content-encoding"] = ",".join(c for c in codings if c.lower() != "aws-chunked")
    for name, value in (*kept.items(), ("content-type", headers.get("content-type", ""))):
        _check_printable(name, value)
    return Properties(
        content_type=headers.get("content-type", ""),
        headers={name: value for name, value in kept.items() if value},
        metadata=read_metadata(headers),
        tags=read_tagging_header(headers.get("x-amz-tagging")),
        lock=read_lock_headers(headers, now_us=now_us),
        acl=canned_acl(headers),
    )


def storage_class(headers: Mapping[str, str]) -> str:
    """The storage class asked for: there is one. Raises: S3Failure: ``InvalidStorageClass``."""
    given = headers.get("x-amz-storage-class", "STANDARD")
    if given != "STANDARD":
        raise S3Failure(
            "InvalidStorageClass",
            "There is one storage class here: STANDARD.",
            StorageClassRequested=given[:64],
        )
    return given


def canned_acl(headers: Mapping[str, str]) -> str:
    """The canned ACL asked for; empty if none is.

    Raises:
        S3Failure: ``AccessControlListNotSupported`` for grants, ``InvalidArgument`` for another word.
    """
    for name in _GRANTS:
        if name in headers:
            raise S3Failure("AccessControlListNotSupported", "The bucket does not allow ACLs", Header=name)
    given = headers.get("x-amz-acl", "")
    if given and given not in CANNED_ACLS:
        raise S3Failure("InvalidArgument", ArgumentName="x-amz-acl", ArgumentValue=given[:64])
    return given


def directive(headers: Mapping[str, str], name: str) -> Directive:
    """The directive of a copy: ``x-amz-metadata-directive`` or ``x-amz-tagging-directive``.

    Raises:
        S3Failure: ``InvalidArgument``.
    """
    try:
        return Directive(headers.get(name, "COPY"))
    except ValueError:
        raise S3Failure(
            "InvalidArgument",
            f"Unknown {name.removeprefix('x-amz-')}.",
            ArgumentName=name,
            ArgumentValue=headers[name][:64],
        ) from None


def read_copy_source(text: str) -> CopySource:
    """The source of a copy: ``/bucket/key?versionId=…``, percent-encoded, the first ``/`` optional.

    Raises:
        S3Failure: ``InvalidArgument``; ``NotImplemented`` for access points.
    """
    if text.startswith("arn:"):
        raise S3Failure("NotImplemented", "A copy's source is a bucket and a key, not an access point.")
    path, marker, version = text.partition("?versionId=")
    try:
        path = unquote(path, errors="strict")
        path.encode()
    except ValueError:
        path = ""
    bucket, _, key = path.removeprefix("/").partition("/")
    if not bucket or not key or len(key.encode()) > KEY_BYTES_MAX or (marker and not version):
        raise S3Failure(
            "InvalidArgument",
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
            ArgumentName="x-amz-copy-source",
            ArgumentValue=text[:1024],
        )
    return CopySource(bucket, key, version or None)


def read_part_number(asked: Asked, *, most: int = 10_000) -> int | None:
    """The ``partNumber`` of a request, from 1; None if there is none.

    Raises:
        S3Failure: ``InvalidArgument``.
    """
    text = asked.parameters.get("partNumber")
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= most:
        return int(text)
    raise S3Failure(
        "InvalidArgument",
        f"Part number must be an integer between 1 and {most}, inclusive",
        ArgumentName="partNumber",
        ArgumentValue=text[:64],
    )


def response_overrides(asked: Asked, *, anonymous: bool) -> dict[str, str]:
    """Headers that a read replaces by what its query says.

    Raises:
        S3Failure: ``InvalidRequest`` for an unsigned request, ``InvalidArgument`` for a value that no
            header can have.
    """
    found: dict[str, str] = {}
    if not asked.parameters:
        return found
    for parameter, header in _OVERRIDES.items():
        if asked.parameters.get(parameter):
            found[header] = asked.parameters[parameter]
            _check_printable(parameter, found[header])
    if found and anonymous:
        raise S3Failure(
            "InvalidRequest", "Request specific response headers cannot be used for anonymous GET requests."
        )
    return found


def property_headers(properties: Properties, overrides: Mapping[str, str]) -> list[tuple[str, str]]:
    """The headers of a read: what is kept with the object, replaced by the overrides."""
    kept = {"content-type": properties.content_type or DEFAULT_TYPE, **properties.headers, **overrides}
    headers, missing = metadata_headers(properties.metadata)
    if missing:
        headers.append(("x-amz-missing-meta", str(missing)))
    if properties.tags:
        headers.append(("x-amz-tagging-count", str(len(properties.tags))))
    return [*kept.items(), *headers]


def wants_checksums(headers: Mapping[str, str]) -> bool:
    """Whether a read asks for the kept checksums: ``x-amz-checksum-mode: ENABLED``."""
    return headers.get("x-amz-checksum-mode", "").upper() == "ENABLED"


def _check_printable(name: str, value: str) -> None:
    """A value goes out in headers again: no line may be smuggled in."""
    if any(c < " " or c == "\x7f" or c > "\xff" for c in value):
        raise S3Failure("InvalidArgument", "A header must be printable.", ArgumentName=name)
