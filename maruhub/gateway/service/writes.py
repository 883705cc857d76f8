"""PutObject, CopyObject, DeleteObject, DeleteObjects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from maruhub.errors import InvalidInput, MaruError, NoSuchKey, PreconditionFailed
from maruhub.gateway.answer import Answer
from maruhub.gateway.need import Need
from maruhub.gateway.s3.answers import (
    DeletedObject,
    DeleteError,
    deleted,
)
from maruhub.gateway.s3.conditions import Conditions, Verdict, write_conditions
from maruhub.gateway.s3.documents import ObjectToDelete, read_delete
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.permission import BYPASS, bypasses_governance, deletion_need
from maruhub.gateway.s3.properties import (
    Properties,
    read_properties,
)
from maruhub.gateway.s3.signature import Payload
from maruhub.gateway.service.authority import Authority
from maruhub.gateway.service.expiring import expiration_headers
from maruhub.gateway.service.listings import xml
from maruhub.gateway.service.reads import check_version_id, checksum_headers
from maruhub.gateway.service.request import Request
from maruhub.gateway.service.settings import refuse_public_acl
from maruhub.gateway.service.sinks import SMALL_BYTES, Intake
from maruhub.gateway.service.translation import failure_of
from maruhub.namespace.bucket import Bucket, Versioning
from maruhub.namespace.deleting import Deleted
from maruhub.namespace.object import ObjectInfo
from maruhub.namespace.placing import Placing, place_together
from maruhub.namespace.put import PutItem
from maruhub.namespace.stream import Upload
from maruhub.namespace.versions import Version
from maruhub.store.format.row import Row
from maruhub.wire.signing import Signer

T = TypeVar("T")


def fields_of(request: Request, bucket: Bucket, said: Properties) -> dict[str, Any]:
    """The named fields of an object that a write makes.

    Raises:
        S3Failure: ``InvalidRequest`` for a lock in a bucket without object lock.
    """
    fields: dict[str, Any] = {}
    for name, value in (("headers", said.headers), ("tags", said.tags)):
        if value:
            fields[name] = dict(value)
    if said.acl and said.acl != "private":
        refuse_public_acl(bucket, said.acl)
        fields["acl"] = said.acl
    lock = said.lock
    if (lock.retention is not None or lock.legal_hold is not None) and not bucket.locks:
        raise S3Failure("InvalidRequest", "Bucket is missing Object Lock Configuration")
    if lock.retention is not None:
        fields |= {"lock_mode": lock.retention.mode.value, "lock_until_us": lock.retention.until_us}
    if lock.legal_hold is not None:
        fields["hold"] = lock.legal_hold
    return fields


def condition_of(request: Request) -> tuple[Conditions, dict[str, Any]]:
    """The conditions of a write, and how the namespace takes them."""
    given = write_conditions(request.headers)
    if len(given.match) > 1:
        raise S3Failure("NotImplemented", "A write takes one ETag in If-Match.", Header="If-Match")
    if not given:
        return given, {}
    return given, {
        "if_match": given.match[0] if given.match else None,
        "if_none_match": bool(given.none_match),
    }


def refused(request: Request, conditions: Conditions, failure: PreconditionFailed) -> S3Failure:
    """What S3 says of a condition that failed: with If-Match where nothing is, that there is nothing."""
    if conditions.match:
        try:
            request.names.objects.head(request.bucket, request.key)
        except NoSuchKey:
            return S3Failure("NoSuchKey", Key=request.key)
    name = "If-Match" if conditions.match else "If-None-Match"
    return S3Failure("PreconditionFailed", failure.what, Condition=name)


class PutSink:
    """Takes the bytes of one object."""

    def __init__(
        self, request: Request, authority: Authority, payload: Payload | None, signer: Signer | None
    ) -> None:
        bucket = authority.bucket(request.bucket)
        said = read_properties(request.headers, now_us=request.now_us)
        self._request = request
        self._bucket = bucket
        self._intake = Intake(request.headers, payload, signer)
        self._conditions, condition = condition_of(request)
        self._kind: dict[str, Any] = {
            "content_type": said.content_type or None,
            "metadata": dict(said.metadata) or None,
        }
        self._how: dict[str, Any] = {"request": request.retry_id, **condition}
        self._fields = fields_of(request, bucket, said)
        self._held: memoryview | bytearray = memoryview(b"")
        self._upload: Upload[ObjectInfo] | None = None
        if self._intake.size_bytes > SMALL_BYTES:
            self._upload = self._put(self._begin)

    def _begin(self) -> Upload[ObjectInfo]:
        objects = self._request.names.objects
        return objects.upload(
            self._request.bucket,
            self._request.key,
            fields=self._fields,
            size_bytes=self._intake.size_bytes,
            **self._kind,
            **self._how,
        )

    def _put(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except PreconditionFailed as failure:
            raise refused(self._request, self._conditions, failure) from None

    def write(self, data: bytes) -> None:
        """See :class:`Sink`."""
        take = self._hold if self._upload is None else self._upload.write
        for view in self._intake.payload(data):
            take(view)

    def _hold(self, view: memoryview) -> None:
        """One view is kept as it is, several as one buffer: a view of each tiny chunk is far larger than it."""
        if not self._held:
            self._held = view
            return
        if isinstance(self._held, memoryview):
            self._held = bytearray(self._held)
        self._held += view

    def finish(self) -> Answer:
        """See :class:`Sink`."""
        if self._upload is None:
            (outcome,) = place_together(self._request.names.store, [self.placing()])
            return self.answer(outcome)
        fields, upload = self._summed(), self._upload
        return self._answer(self._put(lambda: upload.commit(fields=fields)))

    def placing(self) -> Placing:
        """What is left to do once a small body has ended: several are placed together.

        Raises:
            S3Failure, MaruError: The body is not what was promised, or its condition fails already.
        """
        fields, data = self._fields | self._summed(), memoryview(self._held)
        item = PutItem(self._request.key, data, **self._kind, fields=fields, digest=self._intake.digest(data))
        objects = self._request.names.objects
        return self._put(lambda: objects.prepare(self._request.bucket, item, **self._how))

    def answer(self, outcome: list[ObjectInfo] | Exception) -> Answer:
        """What to say of what :meth:`placing` has come to. Raises S3Failure, MaruError."""

        def info() -> ObjectInfo:
            if isinstance(outcome, Exception):
                raise outcome
            return outcome[0]

        return self._answer(self._put(info))

    def _summed(self) -> dict[str, Any]:
        """The body has ended: its checksum, as fields of the object."""
        sums = self._intake.finish()
        return {"checksums": sums, "checksum_type": "FULL_OBJECT"} if sums else {}

    def _answer(self, info: ObjectInfo) -> Answer:
        return Answer(200, written_headers(self._bucket, info))

    def abort(self) -> None:
        """See :class:`Sink`."""
        if self._upload is not None:
            self._upload.abort()


def written_headers(bucket: Bucket, info: ObjectInfo) -> list[tuple[str, str]]:
    """What every write answers: ETag, checksums, when it expires, version."""
    headers = [("etag", f'"{info.etag}"'), *checksum_headers(info), *expiration_headers(bucket, info)]
    if bucket.versioning is not Versioning.OFF:
        headers.append(("x-amz-version-id", Version(info, True).s3_id))
    return headers


def headers_beside(bucket: Bucket, info: ObjectInfo) -> list[tuple[str, str]]:
    """Of :func:`written_headers` those that an answer has whose document says the rest."""
    return [h for h in written_headers(bucket, info) if h[0] in ("x-amz-version-id", "x-amz-expiration")]


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
    plain = [doomed.key for doomed in asked.objects if doomed.version_id is None and doomed.etag is None]
    may = {key for key in plain if authority.allows(deletion_need(request.bucket, ObjectToDelete(key)))}
    keys = [key for key in dict.fromkeys(plain) if key in may and _is_key(key)]
    together = (
        dict(zip(keys, request.names.versions.delete_current(request.bucket, keys), strict=True))
        if keys
        else {}
    )
    gone: list[DeletedObject] = []
    errors: list[DeleteError] = []
    for doomed in asked.objects:
        try:
            done = together.get(doomed.key) if doomed.version_id is None and doomed.etag is None else None
            gone.append(_told(bucket, doomed, done or _delete_one(request, authority, doomed)))
        except MaruError as error:
            errors.append(DeleteError(doomed.key, doomed.version_id or "", failure_of(error)))
    return xml(deleted(gone, errors, quiet=asked.quiet))


def _is_key(key: str) -> bool:
    return len(key.encode(errors="replace")) <= 1024


def _delete_one(request: Request, authority: Authority, doomed: ObjectToDelete) -> Deleted:
    authority.require(deletion_need(request.bucket, doomed))
    if not _is_key(doomed.key):
        raise InvalidInput("the key is too long.")
    conditions = Conditions(match=(doomed.etag,)) if doomed.etag else Conditions()
    return _delete(request, authority, doomed, conditions)


def _told(bucket: Bucket, doomed: ObjectToDelete, done: Deleted) -> DeletedObject:
    if bucket.versioning is Versioning.OFF or not done.marker_id:
        return DeletedObject(doomed.key, doomed.version_id or "")
    marker = "null" if done.was_null else done.marker_id
    return DeletedObject(doomed.key, doomed.version_id or "", marker)
