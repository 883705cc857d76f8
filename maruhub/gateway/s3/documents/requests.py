"""What the documents of requests say: parts to complete, keys to delete, tags, locks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from maruhub.gateway.s3.documents.element import Element, malformed, read_document
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.object_lock import (
    YEARS_MAX,
    DefaultRetention,
    LockMode,
    Retention,
    check_future,
    read_iso_date,
)
from maruhub.gateway.s3.tags import OBJECT_TAGS_MAX, check_tags

PARTS_MAX = 10_000
DELETES_MAX = 1000
_CHECKSUMS = tuple(
    f"Checksum{kind}"
    for kind in ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "SHA512", "MD5", "XXHASH64", "XXHASH3", "XXHASH128")
)  # fmt: skip


@dataclass(frozen=True)
class CompletedPart:
    """A part as the client knows it; checksums in base64 by algorithm, in lower case (``crc32``)."""

    number: int
    etag: str
    checksums: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ObjectToDelete:
    """A key, or one version of it; an ETag without quotes is a condition."""

    key: str
    version_id: str | None = None
    etag: str | None = None


@dataclass(frozen=True)
class Deletion:
    """What DeleteObjects is to delete, and whether to report failures only."""

    objects: tuple[ObjectToDelete, ...]
    quiet: bool = False


@dataclass(frozen=True)
class NewBucket:
    """What CreateBucket says: a region, empty for the default one, and tags."""

    location: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


def read_complete_upload(raw: bytes) -> tuple[CompletedPart, ...]:
    """The parts of CompleteMultipartUpload, in rising order.

    Raises:
        S3Failure: ``MalformedXML``, ``InvalidPartOrder``, or ``InvalidArgument`` for a number out of bounds.
    """
    root = read_document(raw, "CompleteMultipartUpload", "CompleteMultipartUploadRequest").only("Part")
    if not 1 <= len(root.children) <= PARTS_MAX:
        raise malformed(f"An upload has 1 to {PARTS_MAX} parts.")
    parts = tuple(_part(element) for element in root.children)
    if any(a.number >= b.number for a, b in pairwise(parts)):
        raise S3Failure("InvalidPartOrder")
    return parts


def _part(element: Element) -> CompletedPart:
    element.only("PartNumber", "ETag", *_CHECKSUMS)
    number, etag = element.number("PartNumber"), element.word("ETag")
    if number is None or etag is None:
        raise malformed("A Part has a PartNumber and an ETag.")
    if not 1 <= number <= PARTS_MAX:
        raise S3Failure(
            "InvalidArgument",
            f"Part number must be an integer between 1 and {PARTS_MAX}, inclusive",
            ArgumentName="partNumber",
            ArgumentValue=str(number),
        )
    given = {name.removeprefix("Checksum").lower(): element.word(name) for name in _CHECKSUMS}
    return CompletedPart(number, etag.strip('"'), {k: v for k, v in given.items() if v is not None})


def read_delete(raw: bytes) -> Deletion:
    """What DeleteObjects is to delete.

    Raises:
        S3Failure: ``MalformedXML``; ``NotImplemented`` for conditions that only directory buckets have.
    """
    root = read_document(raw, "Delete").only("Object", "Quiet")
    listed = root.all("Object")
    if not 1 <= len(listed) <= DELETES_MAX:
        raise malformed(f"1 to {DELETES_MAX} objects can be deleted at once.")
    return Deletion(tuple(_to_delete(element) for element in listed), root.truth("Quiet"))


def _to_delete(element: Element) -> ObjectToDelete:
    element.only("Key", "VersionId", "ETag", "LastModifiedTime", "Size")
    if element.one("LastModifiedTime") or element.one("Size"):
        raise S3Failure("NotImplemented", "Deletes have no condition on time or size.")
    key, etag = element.value("Key"), element.word("ETag")
    if not key:
        raise malformed("An Object has a Key.")
    return ObjectToDelete(key, element.word("VersionId") or None, etag.strip('"') if etag else None)


def read_tagging(raw: bytes, *, most: int = OBJECT_TAGS_MAX) -> dict[str, str]:
    """Tags by name. Raises: S3Failure: ``MalformedXML`` or as ``check_tags``."""
    root = read_document(raw, "Tagging").only("TagSet")
    found = root.one("TagSet")
    if found is None:
        raise malformed("A Tagging has a TagSet.")
    return _tags(found, most=most)


def _tags(tag_set: Element, *, most: int) -> dict[str, str]:
    return check_tags((read_tag(tag) for tag in tag_set.only("Tag").children), most=most)


def read_tag(tag: Element) -> tuple[str, str]:
    """Name and value of a ``Tag``. Raises: S3Failure: ``MalformedXML``."""
    tag.only("Key", "Value")
    key, value = tag.value("Key"), tag.value("Value")
    if key is None or value is None:
        raise malformed("A Tag has a Key and a Value.")
    return key, value


def read_versioning(raw: bytes) -> bool:
    """Whether versioning is to be enabled; else it is to be suspended.

    Raises:
        S3Failure: ``MalformedXML``; ``NotImplemented`` for deletes that need a second factor.
    """
    root = read_document(raw, "VersioningConfiguration").only("Status", "MfaDelete")
    if root.word("MfaDelete", ("Enabled", "Disabled")) == "Enabled":
        raise S3Failure("NotImplemented", "MFA Delete is not implemented.")
    status = root.word("Status", ("Enabled", "Suspended"))
    if status is None:
        raise S3Failure("IllegalVersioningConfigurationException")
    return status == "Enabled"


def read_create_bucket(raw: bytes) -> NewBucket:
    """What CreateBucket says; an empty body says nothing.

    Raises:
        S3Failure: ``MalformedXML``; ``NotImplemented`` for directory buckets.
    """
    if not raw.strip():
        return NewBucket()
    root = read_document(raw, "CreateBucketConfiguration", "CreateBucketRequest")
    root.only("LocationConstraint", "Location", "Bucket", "Tags")
    if root.one("Location") or root.one("Bucket"):
        raise S3Failure("NotImplemented", "Directory buckets are not implemented.")
    tags = root.one("Tags")
    return NewBucket(root.word("LocationConstraint") or "", _tags(tags, most=50) if tags else {})


def read_object_lock(raw: bytes) -> DefaultRetention | None:
    """The default retention of a bucket with object lock; None for none.

    Raises:
        S3Failure: ``MalformedXML``, or ``InvalidArgument`` for a time out of bounds.
    """
    root = read_document(raw, "ObjectLockConfiguration").only("ObjectLockEnabled", "Rule")
    if root.word("ObjectLockEnabled", ("Enabled",)) is None:
        raise malformed("An ObjectLockConfiguration says that it is Enabled.")
    rule = root.one("Rule")
    if rule is None:
        return None
    default = rule.only("DefaultRetention").one("DefaultRetention")
    if default is None:
        raise malformed("A Rule has a DefaultRetention.")
    mode = _mode(default.only("Mode", "Days", "Years"))
    days, years = default.number("Days"), default.number("Years")
    if (days is None) == (years is None):
        raise malformed("A DefaultRetention has Days or Years.")
    days, years = days or 0, years or 0
    if days + years <= 0:
        raise S3Failure("InvalidArgument", "Default retention period must be a positive integer value.")
    if years > YEARS_MAX or days > YEARS_MAX * 365:
        raise S3Failure(
            "InvalidArgument", f"Default retention period is too long: at most {YEARS_MAX} years."
        )
    return DefaultRetention(mode, days, years)


def _mode(element: Element) -> LockMode:
    word = element.word("Mode", [mode.value for mode in LockMode])
    if word is None:
        raise malformed(f"{element.name} has a Mode.")
    return LockMode(word)


def read_retention(raw: bytes, *, now_us: int) -> Retention | None:
    """The retention that a version is to get; None takes one away.

    Raises:
        S3Failure: ``MalformedXML``, or ``InvalidArgument`` for a date past.
    """
    root = read_document(raw, "Retention").only("Mode", "RetainUntilDate")
    if not root.children:
        return None
    until = root.word("RetainUntilDate")
    if until is None:
        raise malformed("A Retention has a RetainUntilDate.")
    mode = _mode(root)
    try:
        retention = Retention(mode, read_iso_date(until, "RetainUntilDate"))
    except S3Failure:
        raise malformed("RetainUntilDate is a date of ISO 8601.") from None
    check_future(retention, now_us=now_us)
    return retention


def read_legal_hold(raw: bytes) -> bool:
    """Whether a version is to be held. Raises: S3Failure: ``MalformedXML``."""
    status = read_document(raw, "LegalHold").only("Status").word("Status", ("ON", "OFF"))
    if status is None:
        raise malformed("A LegalHold has a Status.")
    return status == "ON"
