"""The answers about single objects and uploads, and errors, as XML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from maruhub.gateway.s3.documents.listings import ListedPart, Owner, owner
from maruhub.gateway.s3.documents.text import DECLARATION, SCHEMA_INSTANCE, document, element, escape, legible
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.object_lock import Retention, to_iso_date

ATTRIBUTES = ("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize")


@dataclass(frozen=True)
class DeletedObject:
    """A key that DeleteObjects has deleted; ``marker_id`` if a delete marker was made or deleted."""

    key: str
    version_id: str = ""
    marker_id: str = ""


@dataclass(frozen=True)
class DeleteError:
    """A key that DeleteObjects could not delete."""

    key: str
    version_id: str
    failure: S3Failure


@dataclass(frozen=True)
class ObjectAttributes:
    """What GetObjectAttributes may tell.

    Attributes:
        checksums: Base64 by an element's name (``ChecksumCRC32``).
        parts: A page of the parts, if the object was uploaded in parts.
        total_parts: How many there are, 0 if it wasn't.
    """

    etag: str
    size_bytes: int
    checksums: Mapping[str, str] = field(default_factory=dict)
    checksum_type: str = ""
    parts: Sequence[ListedPart] = ()
    total_parts: int = 0
    part_marker: int = 0
    max_parts: int = 1000
    more_parts: bool = False


def error(failure: S3Failure, *, resource: str, request_id: str, host_id: str) -> bytes:
    """A document of an error, which any parser takes; it has no namespace, as S3's has none."""
    fields = "".join(element(name, legible(value)) for name, value in failure.fields.items())
    return (
        f"{DECLARATION}<Error>{element('Code', failure.code)}{element('Message', legible(failure.message))}{fields}"
        f"{element('Resource', legible(resource))}{element('RequestId', request_id)}{element('HostId', host_id)}</Error>"
    ).encode("utf-8", "replace")


def copied_object(etag: str, modified_us: int, checksums: Mapping[str, str]) -> bytes:
    """The answer of CopyObject; checksums in base64 by an element's name."""
    return document("CopyObjectResult", _copied(etag, modified_us, checksums))


def copied_part(etag: str, modified_us: int, checksums: Mapping[str, str]) -> bytes:
    """The answer of UploadPartCopy."""
    return document("CopyPartResult", _copied(etag, modified_us, checksums))


def _copied(etag: str, modified_us: int, checksums: Mapping[str, str]) -> str:
    return f"<LastModified>{to_iso_date(modified_us)}</LastModified>{_etag(etag)}{_sums(checksums)}"


def begun_upload(bucket: str, key: str, upload_id: str) -> bytes:
    """The answer of CreateMultipartUpload."""
    content = element("Bucket", bucket) + element("Key", key) + element("UploadId", upload_id)
    return document("InitiateMultipartUploadResult", content)


def completed_upload(
    location: str,
    bucket: str,
    key: str,
    *,
    etag: str,
    checksums: Mapping[str, str],
    checksum_type: str = "",
) -> bytes:
    """The answer of CompleteMultipartUpload."""
    content = (
        element("Location", location)
        + element("Bucket", bucket)
        + element("Key", key)
        + _etag(etag)
        + _sums(checksums)
        + element("ChecksumType", checksum_type or None)
    )
    return document("CompleteMultipartUploadResult", content)


def posted_object(location: str, bucket: str, key: str, etag: str) -> bytes:
    """The answer of a form upload whose ``success_action_status`` is 201."""
    content = element("Location", location) + element("Bucket", bucket) + element("Key", key) + _etag(etag)
    return f"{DECLARATION}<PostResponse>{content}</PostResponse>".encode("utf-8", "replace")


def deleted(objects: Sequence[DeletedObject], errors: Sequence[DeleteError], *, quiet: bool) -> bytes:
    """The answer of DeleteObjects; quiet tells failures only."""
    content = [] if quiet else [_deleted(gone) for gone in objects]
    content += [
        f"<Error>{element('Key', wrong.key)}{element('VersionId', wrong.version_id or None)}"
        f"{element('Code', wrong.failure.code)}{element('Message', wrong.failure.message)}</Error>"
        for wrong in errors
    ]
    return document("DeleteResult", "".join(content))


def _deleted(gone: DeletedObject) -> str:
    marker = ""
    if gone.marker_id:
        marker = f"<DeleteMarker>true</DeleteMarker>{element('DeleteMarkerVersionId', gone.marker_id)}"
    return f"<Deleted>{element('Key', gone.key)}{element('VersionId', gone.version_id or None)}{marker}</Deleted>"


def asked_attributes(header: str | None) -> frozenset[str]:
    """The words of ``x-amz-object-attributes``. Raises: S3Failure: ``InvalidArgument``."""
    words = frozenset(word.strip() for word in (header or "").split(",") if word.strip())
    if not words or not words <= set(ATTRIBUTES):
        raise S3Failure(
            "InvalidArgument",
            "Invalid attribute name specified.",
            ArgumentName="x-amz-object-attributes",
            ArgumentValue=(header or "")[:256],
        )
    return words


def object_attributes(told: ObjectAttributes, asked: frozenset[str]) -> bytes:
    """The answer of GetObjectAttributes."""
    content = []
    if "ETag" in asked:
        content.append(f"<ETag>{escape(told.etag)}</ETag>")
    if "Checksum" in asked and told.checksums:
        kind = element("ChecksumType", told.checksum_type or None)
        content.append(f"<Checksum>{_sums(told.checksums)}{kind}</Checksum>")
    if "ObjectParts" in asked and told.total_parts:
        content.append(_object_parts(told))
    if "StorageClass" in asked:
        content.append("<StorageClass>STANDARD</StorageClass>")
    if "ObjectSize" in asked:
        content.append(element("ObjectSize", told.size_bytes))
    return document("GetObjectAttributesResponse", "".join(content))


def _object_parts(told: ObjectAttributes) -> str:
    content = [element("PartsCount", told.total_parts)]
    if told.parts:
        content += [
            element("PartNumberMarker", told.part_marker),
            element("NextPartNumberMarker", told.parts[-1].number),
            element("MaxParts", told.max_parts),
            f"<IsTruncated>{'true' if told.more_parts else 'false'}</IsTruncated>",
        ]
    for part in told.parts:
        sums = "".join(element(kind, value) for kind, value in part.checksums)
        content.append(
            f"<Part>{sums}<PartNumber>{part.number}</PartNumber><Size>{part.size_bytes}</Size></Part>"
        )
    return f"<ObjectParts>{''.join(content)}</ObjectParts>"


def acl(whose: Owner) -> bytes:
    """The answer of GetObjectAcl and GetBucketAcl as AWS gives it with ACLs disabled."""
    grantee = owner("Grantee", whose).replace("<Grantee>", _CANONICAL_USER, 1)
    grant = f"<Grant>{grantee}<Permission>FULL_CONTROL</Permission></Grant>"
    content = f"{owner('Owner', whose)}<AccessControlList>{grant}</AccessControlList>"
    return document("AccessControlPolicy", content)


_CANONICAL_USER = f'<Grantee {SCHEMA_INSTANCE} xsi:type="CanonicalUser">'


def tagging(tags: Mapping[str, str]) -> bytes:
    """The answer of GetObjectTagging and GetBucketTagging."""
    listed = "".join(f"<Tag>{element('Key', k)}{element('Value', v)}</Tag>" for k, v in tags.items())
    return document("Tagging", f"<TagSet>{listed}</TagSet>")


def retention(kept: Retention) -> bytes:
    """The answer of GetObjectRetention."""
    date = to_iso_date(kept.until_us)
    return document("Retention", element("Mode", kept.mode.value) + element("RetainUntilDate", date))


def legal_hold(held: bool) -> bytes:
    """The answer of GetObjectLegalHold."""
    return document("LegalHold", element("Status", "ON" if held else "OFF"))


def _etag(etag: str) -> str:
    return f"<ETag>&quot;{escape(etag)}&quot;</ETag>"


def _sums(checksums: Mapping[str, str]) -> str:
    return "".join(element(kind, value) for kind, value in checksums.items())
