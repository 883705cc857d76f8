"""Listings: buckets, objects, versions, uploads, parts."""

from __future__ import annotations

from typing import Final

from maruhub.gateway.answer import Answer
from maruhub.gateway.s3 import listing
from maruhub.gateway.s3.documents import listings
from maruhub.gateway.s3.documents.listings import (
    ListedBucket,
    ListedObject,
    ListedPart,
    ListedUpload,
    ListedVersion,
    Owner,
)
from maruhub.gateway.service.authority import HUB, Authority, allowed_buckets
from maruhub.gateway.service.expiring import abort_headers
from maruhub.gateway.service.reads import check_version_id
from maruhub.gateway.service.request import Request
from maruhub.namespace.bucket import Bucket
from maruhub.namespace.object import ObjectInfo
from maruhub.namespace.part import MultipartUpload, PartInfo
from maruhub.namespace.versions import Version

REGION: Final = "us-east-1"
XML: Final = ("content-type", "application/xml")


def xml(body: bytes, *headers: tuple[str, str], status: int = 200) -> Answer:
    """An answer that is a document."""
    return Answer(status, [XML, *headers], body)


def region_of(bucket: Bucket) -> str:
    """Where a bucket was asked to be: told again, though there is one place only."""
    return str(bucket.tail.get("region", REGION))


def owner_of(bucket: Bucket) -> Owner:
    """Whose a bucket is; what no user owns is the hub's own."""
    return Owner(bucket.owner or HUB, bucket.owner or HUB)


def list_buckets(request: Request, authority: Authority) -> Answer:
    """The buckets that the caller owns or may list; of an admin all."""
    page = listing.buckets_page(request.asked)
    wanted = (
        bucket
        for bucket in request.names.buckets.all()
        if bucket.name.startswith(page.prefix) and bucket.name > page.after
    )
    found = allowed_buckets(authority, wanted)
    shown = found[: page.limit] if page.limit else found
    token = listing.make_token(shown[-1].name, "") if len(shown) < len(found) else ""
    listed = [ListedBucket(bucket.name, bucket.created_us, region_of(bucket)) for bucket in shown]
    whose = Owner(request.caller.user or HUB, request.caller.user or HUB)
    return xml(listings.buckets(whose, page, listed, next_token=token))


def list_objects(request: Request, authority: Authority) -> Answer:
    """ListObjects, version 1."""
    page = listing.objects_v1_page(request.asked)
    objects, prefixes, next_name = _page(request, authority, page)
    body = listings.objects_v1(request.bucket, page, objects, prefixes, more=next_name is not None)
    return xml(body)


def list_objects_v2(request: Request, authority: Authority) -> Answer:
    """ListObjectsV2."""
    page = listing.objects_page(request.asked)
    objects, prefixes, next_name = _page(request, authority, page)
    token = "" if next_name is None else listing.make_token(next_name, request.bucket)
    body = listings.objects_v2(request.bucket, page, objects, prefixes, next_token=token)
    return xml(body)


def _page(
    request: Request, authority: Authority, page: listing.ObjectsPage
) -> tuple[list[ListedObject], list[str], str | None]:
    owner = owner_of(authority.bucket(request.bucket)) if page.fetch_owner else None
    found = request.names.listing.page(
        request.bucket,
        prefix=page.prefix,
        delimiter=page.delimiter or None,
        start_after=page.after,
        limit=page.limit,
    )
    return [_listed(info, owner) for info in found.objects], found.prefixes, found.next_start_after


def _listed(info: ObjectInfo, owner: Owner | None) -> ListedObject:
    kinds, kind = sums_of(info)
    return ListedObject(info.key, info.etag, info.size, info.created_us, owner, kinds, kind)


def sums_of(info: ObjectInfo) -> tuple[tuple[str, ...], str]:
    """Kinds of checksums kept with a version in capitals, and whether they are of the whole."""
    sums = info.tail.get("checksums")
    if not sums:
        return (), ""
    return tuple(kind.upper() for kind in sums), info.tail.get("checksum_type", "FULL_OBJECT")


def list_object_versions(request: Request, authority: Authority) -> Answer:
    """Versions and delete markers, by key, the newest first."""
    page = listing.versions_page(request.asked)
    if page.version_id_marker:
        check_version_id(page.version_id_marker)
    owner = owner_of(authority.bucket(request.bucket))
    found = request.names.versions.page(
        request.bucket,
        prefix=page.prefix,
        delimiter=page.delimiter,
        key_marker=page.key_marker,
        version_marker=page.version_id_marker,
        limit=page.limit,
    )
    body = listings.versions(
        request.bucket,
        page,
        [_listed_version(version, owner) for version in found.versions],
        found.prefixes,
        next_key=found.next_key,
        next_version_id=found.next_version,
    )
    return xml(body)


def _listed_version(version: Version, owner: Owner) -> ListedVersion:
    info = version.info
    shown = ListedVersion(info.key, version.s3_id, version.is_latest, info.created_us, owner)
    if version.is_marker:
        return shown
    kinds, kind = sums_of(info)
    return shown._replace(etag=info.etag, size_bytes=info.size, checksums=kinds, checksum_type=kind)


def list_multipart_uploads(request: Request, authority: Authority) -> Answer:
    """Uploads that are neither completed nor aborted."""
    page = listing.uploads_page(request.asked)
    authority.bucket(request.bucket)
    found = request.names.uploads.page(
        request.bucket,
        prefix=page.prefix,
        delimiter=page.delimiter,
        key_marker=page.key_marker,
        upload_marker=page.upload_id_marker,
        limit=page.limit,
    )
    body = listings.uploads(
        request.bucket,
        page,
        [listed_upload(upload) for upload in found.uploads],
        found.prefixes,
        next_key=found.next_key,
        next_upload_id=found.next_upload,
    )
    return xml(body)


def listed_upload(upload: MultipartUpload) -> ListedUpload:
    """An upload as listings tell of it."""
    kind = upload.tail.get("checksum_kind", "").upper()
    whose = Owner(upload.actor or HUB, upload.actor or HUB)
    type_ = upload.tail.get("checksum_type", "") if kind else ""
    return ListedUpload(upload.key, upload.upload_id, upload.created_us, whose, kind, type_)


def list_parts(request: Request, authority: Authority) -> Answer:
    """The parts of one upload."""
    page = listing.parts_page(request.asked)
    bucket = authority.bucket(request.bucket)
    uploads = request.names.uploads
    upload = uploads.get(request.bucket, request.key, page.upload_id)
    found = uploads.parts(request.bucket, request.key, page.upload_id, after=page.after, limit=page.limit + 1)
    shown = found[: page.limit]
    body = listings.parts(
        request.bucket,
        request.key,
        page,
        [_listed_part(part) for part in shown],
        listed_upload(upload),
        more=len(found) > len(shown) > 0,
    )
    return xml(body, *abort_headers(bucket, upload))


def _listed_part(part: PartInfo) -> ListedPart:
    sums = part.tail.get("checksums", {})
    named = tuple((f"Checksum{kind.upper()}", value) for kind, value in sums.items())
    return ListedPart(part.number, part.etag, part.size, part.time_us, named)
