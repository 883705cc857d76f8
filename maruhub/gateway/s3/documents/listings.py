"""The answers of listings, as XML. A page of 1,000 keys takes a few milliseconds at most."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from maruhub.gateway.s3.documents.text import document, element, encode_url, escape
from maruhub.gateway.s3.listing import BucketsPage, ObjectsPage, PartsPage, UploadsPage, VersionsPage
from maruhub.gateway.s3.object_lock import to_iso_date


class Owner(NamedTuple):
    """Whose something is: an id, and a name for people."""

    id: str
    name: str = ""


class ListedObject(NamedTuple):
    """A key of a listing. ``etag`` is without quotes; times are microseconds since 1970."""

    key: str
    etag: str
    size_bytes: int
    modified_us: int
    owner: Owner | None = None
    checksums: tuple[str, ...] = ()
    checksum_type: str = ""


class ListedVersion(NamedTuple):
    """A version of a listing; without an ETag it is a delete marker."""

    key: str
    version_id: str
    is_latest: bool
    modified_us: int
    owner: Owner
    etag: str | None = None
    size_bytes: int = 0
    checksums: tuple[str, ...] = ()
    checksum_type: str = ""


class ListedUpload(NamedTuple):
    """An upload in parts that is neither completed nor aborted."""

    key: str
    upload_id: str
    begun_us: int
    owner: Owner
    checksum: str = ""
    checksum_type: str = ""


class ListedPart(NamedTuple):
    """A part of an upload; ``checksums`` are pairs of an element's name and base64."""

    number: int
    etag: str
    size_bytes: int
    modified_us: int
    checksums: tuple[tuple[str, str], ...] = ()


class ListedBucket(NamedTuple):
    """A bucket of its owner's listing."""

    name: str
    made_us: int
    region: str = ""


def objects_v1(
    bucket: str, page: ObjectsPage, objects: Sequence[ListedObject], prefixes: Sequence[str], *, more: bool
) -> bytes:
    """The answer of ListObjects. ``NextMarker`` comes with a delimiter only, as in S3."""
    name = _names(page.encode)
    parts = [
        element("Name", bucket),
        f"<Prefix>{name(page.prefix)}</Prefix><Marker>{name(page.start_after)}</Marker>",
    ]
    if more and page.delimiter:
        last = max([*(o.key for o in objects[-1:]), *prefixes[-1:]], key=str.encode, default="")
        parts.append(f"<NextMarker>{name(last)}</NextMarker>")
    parts += _bounds(page, "MaxKeys", more)
    parts += _contents(objects, name)
    parts += _common(prefixes, name)
    return document("ListBucketResult", "".join(parts))


def objects_v2(
    bucket: str,
    page: ObjectsPage,
    objects: Sequence[ListedObject],
    prefixes: Sequence[str],
    *,
    next_token: str,
) -> bytes:
    """The answer of ListObjectsV2; an empty token says that this was the last page."""
    name = _names(page.encode)
    parts = [element("Name", bucket), f"<Prefix>{name(page.prefix)}</Prefix>"]
    if page.token:
        parts.append(element("ContinuationToken", page.token))
    if next_token:
        parts.append(element("NextContinuationToken", next_token))
    if page.start_after:
        parts.append(f"<StartAfter>{name(page.start_after)}</StartAfter>")
    parts.append(f"<KeyCount>{len(objects) + len(prefixes)}</KeyCount>")
    parts += _bounds(page, "MaxKeys", bool(next_token))
    parts += _contents(objects, name)
    parts += _common(prefixes, name)
    return document("ListBucketResult", "".join(parts))


def versions(
    bucket: str,
    page: VersionsPage,
    listed: Sequence[ListedVersion],
    prefixes: Sequence[str],
    *,
    next_key: str = "",
    next_version_id: str = "",
) -> bytes:
    """The answer of ListObjectVersions; without a next key it was the last page."""
    name = _names(page.encode)
    parts = [
        element("Name", bucket),
        f"<Prefix>{name(page.prefix)}</Prefix><KeyMarker>{name(page.key_marker)}</KeyMarker>",
        f"<VersionIdMarker>{escape(page.version_id_marker)}</VersionIdMarker>",
    ]
    if next_key:
        parts.append(f"<NextKeyMarker>{name(next_key)}</NextKeyMarker>")
        parts.append(element("NextVersionIdMarker", next_version_id or None))
    parts += _bounds(page, "MaxKeys", bool(next_key))
    parts += [_version(v, name) for v in listed]
    parts += _common(prefixes, name)
    return document("ListVersionsResult", "".join(parts))


def uploads(
    bucket: str,
    page: UploadsPage,
    listed: Sequence[ListedUpload],
    prefixes: Sequence[str],
    *,
    next_key: str = "",
    next_upload_id: str = "",
) -> bytes:
    """The answer of ListMultipartUploads; without a next key it was the last page."""
    name = _names(page.encode)
    parts = [
        element("Bucket", bucket),
        f"<KeyMarker>{name(page.key_marker)}</KeyMarker>",
        element("UploadIdMarker", page.upload_id_marker),
        f"<Prefix>{name(page.prefix)}</Prefix>",
    ]
    if next_key:
        parts.append(f"<NextKeyMarker>{name(next_key)}</NextKeyMarker>")
        parts.append(element("NextUploadIdMarker", next_upload_id))
    parts += _bounds(page, "MaxUploads", bool(next_key))
    for upload in listed:
        parts.append(
            f"<Upload><Key>{name(upload.key)}</Key>{element('UploadId', upload.upload_id)}"
            f"{owner('Initiator', upload.owner)}{owner('Owner', upload.owner)}"
            f"<StorageClass>STANDARD</StorageClass><Initiated>{to_iso_date(upload.begun_us)}</Initiated>"
            f"{element('ChecksumAlgorithm', upload.checksum or None)}"
            f"{element('ChecksumType', upload.checksum_type or None)}</Upload>"
        )
    parts += _common(prefixes, name)
    return document("ListMultipartUploadsResult", "".join(parts))


def parts(
    bucket: str, key: str, page: PartsPage, listed: Sequence[ListedPart], upload: ListedUpload, *, more: bool
) -> bytes:
    """The answer of ListParts."""
    name = _names(page.encode)
    content = [
        element("Bucket", bucket),
        f"<Key>{name(key)}</Key>",
        element("UploadId", page.upload_id),
        owner("Initiator", upload.owner) + owner("Owner", upload.owner),
        "<StorageClass>STANDARD</StorageClass>",
        element("PartNumberMarker", page.after),
        element("NextPartNumberMarker", listed[-1].number if listed else page.after),
        element("MaxParts", page.limit),
        f"<IsTruncated>{'true' if more else 'false'}</IsTruncated>",
        "<EncodingType>url</EncodingType>" if page.encode else "",
        element("ChecksumAlgorithm", upload.checksum or None),
        element("ChecksumType", upload.checksum_type or None),
    ]
    for part in listed:
        sums = "".join(element(kind, value) for kind, value in part.checksums)
        content.append(
            f"<Part><PartNumber>{part.number}</PartNumber>"
            f"<LastModified>{to_iso_date(part.modified_us)}</LastModified>"
            f"<ETag>&quot;{part.etag}&quot;</ETag><Size>{part.size_bytes}</Size>{sums}</Part>"
        )
    return document("ListPartsResult", "".join(content))


def buckets(
    whose: Owner, page: BucketsPage, listed: Iterable[ListedBucket], *, next_token: str = ""
) -> bytes:
    """The answer of ListBuckets."""
    content = [owner("Owner", whose), "<Buckets>"]
    content += [
        f"<Bucket><Name>{escape(bucket.name)}</Name>"
        f"<CreationDate>{to_iso_date(bucket.made_us)}</CreationDate>"
        f"{element('BucketRegion', bucket.region or None)}</Bucket>"
        for bucket in listed
    ]
    content.append("</Buckets>")
    content.append(element("ContinuationToken", next_token or None))
    content.append(element("Prefix", page.prefix or None))
    return document("ListAllMyBucketsResult", "".join(content))


def owner(name: str, whose: Owner | None) -> str:
    """An element that says whose something is."""
    if whose is None:
        return ""
    return f"<{name}>{element('ID', whose.id)}{element('DisplayName', whose.name or whose.id)}</{name}>"


def _names(encode: bool) -> Callable[[str], str]:
    return encode_url if encode else escape


def _bounds(page: ObjectsPage | VersionsPage | UploadsPage, limit_name: str, more: bool) -> list[str]:
    name = _names(page.encode)
    return [
        f"<Delimiter>{name(page.delimiter)}</Delimiter>" if page.delimiter else "",
        f"<{limit_name}>{page.limit}</{limit_name}>",
        "<EncodingType>url</EncodingType>" if page.encode else "",
        f"<IsTruncated>{'true' if more else 'false'}</IsTruncated>",
    ]


def _contents(objects: Sequence[ListedObject], name: Callable[[str], str]) -> list[str]:
    return [
        f"<Contents><Key>{name(o.key)}</Key><LastModified>{to_iso_date(o.modified_us)}</LastModified>"
        f"<ETag>&quot;{o.etag}&quot;</ETag>{_sums(o) if o.checksums else ''}<Size>{o.size_bytes}</Size>"
        f"{owner('Owner', o.owner) if o.owner else ''}<StorageClass>STANDARD</StorageClass></Contents>"
        for o in objects
    ]


def _version(version: ListedVersion, name: Callable[[str], str]) -> str:
    head = (
        f"<Key>{name(version.key)}</Key>{element('VersionId', version.version_id)}"
        f"<IsLatest>{'true' if version.is_latest else 'false'}</IsLatest>"
        f"<LastModified>{to_iso_date(version.modified_us)}</LastModified>"
    )
    if version.etag is None:
        return f"<DeleteMarker>{head}{owner('Owner', version.owner)}</DeleteMarker>"
    return (
        f"<Version>{head}<ETag>&quot;{version.etag}&quot;</ETag>{_sums(version)}"
        f"<Size>{version.size_bytes}</Size>"
        f"{owner('Owner', version.owner)}<StorageClass>STANDARD</StorageClass></Version>"
    )


def _sums(listed: ListedObject | ListedVersion) -> str:
    kinds = "".join(element("ChecksumAlgorithm", kind) for kind in listed.checksums)
    return kinds + element("ChecksumType", listed.checksum_type or None)


def _common(prefixes: Sequence[str], name: Callable[[str], str]) -> list[str]:
    return [f"<CommonPrefixes><Prefix>{name(p)}</Prefix></CommonPrefixes>" for p in prefixes]
