"""DeleteObject, DeleteObjects."""

from __future__ import annotations

from maruhub.errors import InvalidInput, MaruError
from maruhub.gateway.answer import Answer
from maruhub.gateway.need import Need
from maruhub.gateway.s3.conditions import Conditions, Verdict, write_conditions
from maruhub.gateway.s3.documents.answers import (
    DeletedObject,
    DeleteError,
    deleted,
)
from maruhub.gateway.s3.documents.requests import ObjectToDelete, read_delete
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.permission import BYPASS, bypasses_governance, deletion_needs
from maruhub.gateway.service.authority import Authority
from maruhub.gateway.service.listings import xml
from maruhub.gateway.service.reads import check_version_id
from maruhub.gateway.service.request import Request
from maruhub.gateway.service.translation import failure_of
from maruhub.namespace.bucket import Bucket, Versioning
from maruhub.namespace.deleting import Deleted
from maruhub.namespace.object import ObjectInfo
from maruhub.store.format.row import Row


def delete_object(request: Request, authority: Authority) -> Answer:
    """Hides what a key holds, adds a marker, or takes one version away."""
    bucket, wanted = authority.bucket(request.bucket), request.asked.version_id
    conditions = write_conditions(request.headers)
    if conditions.none_match:
        raise S3Failure("NotImplemented", "A delete takes no If-None-Match.", Header="If-None-Match")
    gone = _delete(request, authority, ObjectToDelete(request.key, wanted), conditions)
    headers = []
    if bucket.versioning is not Versioning.OFF:
        if gone.marker_id:
            headers.append(("x-amz-delete-marker", "true"))
        shown = wanted or (("null" if gone.was_null else gone.marker_id) if gone.marker_id else "")
        if shown:
            headers.append(("x-amz-version-id", shown))
    return Answer(204, headers)


def _delete(
    request: Request, authority: Authority, doomed: ObjectToDelete, conditions: Conditions
) -> Deleted:
    def refuse(_key: bytes, row: Row | None) -> None:
        etag = None if row is None else ObjectInfo.of_row(request.bucket, row, doomed.key).etag
        verdict = conditions.of_write(etag)
        if verdict is Verdict.NOT_FOUND:
            raise S3Failure("NoSuchKey", Key=doomed.key)
        if verdict is Verdict.FAILED:
            raise S3Failure("PreconditionFailed", Condition="If-Match")

    versions = request.names.versions
    if doomed.version_id is None:
        if conditions:
            return versions.delete_current(request.bucket, [doomed.key], refuse=refuse)[0]
        return versions.delete_current(request.bucket, [doomed.key])[0]
    check_version_id(doomed.version_id)
    bypass = bypasses_governance(request.headers) and authority.allows(
        Need(BYPASS, request.bucket, doomed.key)
    )
    how = {"refuse": refuse} if conditions else {}
    return versions.delete(request.bucket, doomed.key, doomed.version_id, bypass_governance=bypass, **how)


def delete_objects(request: Request, authority: Authority) -> Answer:
    """Up to a thousand deletes; each succeeds or fails by itself."""
    bucket = authority.bucket(request.bucket)
    asked = read_delete(request.body)
    # A key of which a version is named too goes in the order of the document: it decides what is left.
    plain = dict.fromkeys(doomed.key for doomed in asked.objects if doomed == ObjectToDelete(doomed.key))
    others = {doomed.key for doomed in asked.objects if doomed != ObjectToDelete(doomed.key)}
    keys = [
        key
        for key in plain
        if key not in others and _is_key(key) and _may(request, authority, ObjectToDelete(key))
    ]
    together = (
        dict(zip(keys, request.names.versions.delete_current(request.bucket, keys), strict=True))
        if keys
        else {}
    )
    gone: list[DeletedObject] = []
    errors: list[DeleteError] = []
    for doomed in asked.objects:
        try:
            done = together.get(doomed.key) or _delete_one(request, authority, doomed)
            gone.append(_told(bucket, doomed, done))
        except MaruError as error:
            errors.append(DeleteError(doomed.key, doomed.version_id or "", failure_of(error)))
    return xml(deleted(gone, errors, quiet=asked.quiet))


def _may(request: Request, authority: Authority, doomed: ObjectToDelete) -> bool:
    return all(authority.allows(need) for need in deletion_needs(request.bucket, doomed))


def _is_key(key: str) -> bool:
    return len(key.encode(errors="replace")) <= 1024


def _delete_one(request: Request, authority: Authority, doomed: ObjectToDelete) -> Deleted:
    if not _may(request, authority, doomed):
        raise S3Failure("AccessDenied")
    if not _is_key(doomed.key):
        raise InvalidInput("the key is too long.")
    conditions = Conditions(match=(doomed.etag,)) if doomed.etag else Conditions()
    return _delete(request, authority, doomed, conditions)


def _told(bucket: Bucket, doomed: ObjectToDelete, done: Deleted) -> DeletedObject:
    if bucket.versioning is Versioning.OFF or not done.marker_id:
        return DeletedObject(doomed.key, doomed.version_id or "")
    marker = "null" if done.was_null else done.marker_id
    return DeletedObject(doomed.key, doomed.version_id or "", marker)
