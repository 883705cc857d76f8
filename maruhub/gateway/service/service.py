"""The S3 door without its wire: which function answers which operation, and for whom.

Nothing is served that is not in the table; a test holds it against all operations.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar

from maruhub.errors import MaruError
from maruhub.gateway.answer import Answer
from maruhub.gateway.s3.cors import cors_headers, preflight, read_cors
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.operation import FIXED, PREFLIGHT
from maruhub.gateway.s3.operation import Operation as Op
from maruhub.gateway.s3.signatures.v4 import Payload
from maruhub.gateway.service import (
    attributes,
    buckets,
    copies,
    deletes,
    listings,
    object_settings,
    puts,
    reads,
    settings,
    uploads,
)
from maruhub.gateway.service.authority import Authority
from maruhub.gateway.service.frozen import BUCKET, FrozenDoor
from maruhub.gateway.service.request import Request
from maruhub.gateway.service.sinks import Sink
from maruhub.gateway.service.translation import refusal_of
from maruhub.namespace.bucket import Bucket
from maruhub.wire.signing import Signer

if TYPE_CHECKING:
    from maruhub.api import Hub

T = TypeVar("T")
Handler = Callable[[Request, Authority], Answer]

HANDLERS: Final = MappingProxyType[Op, Handler](
    {
        Op.LIST_BUCKETS: listings.list_buckets,
        Op.CREATE_BUCKET: buckets.create_bucket,
        Op.DELETE_BUCKET: buckets.delete_bucket,
        Op.HEAD_BUCKET: buckets.head_bucket,
        Op.LIST_OBJECTS: listings.list_objects,
        Op.LIST_OBJECTS_V2: listings.list_objects_v2,
        Op.LIST_OBJECT_VERSIONS: listings.list_object_versions,
        Op.LIST_MULTIPART_UPLOADS: listings.list_multipart_uploads,
        Op.DELETE_OBJECTS: deletes.delete_objects,
        Op.GET_BUCKET_LOCATION: buckets.get_bucket_location,
        Op.GET_BUCKET_VERSIONING: buckets.get_bucket_versioning,
        Op.PUT_BUCKET_VERSIONING: buckets.put_bucket_versioning,
        Op.GET_BUCKET_TAGGING: settings.get_bucket_tagging,
        Op.PUT_BUCKET_TAGGING: settings.put_bucket_tagging,
        Op.DELETE_BUCKET_TAGGING: settings.delete_bucket_tagging,
        Op.GET_BUCKET_POLICY: settings.get_bucket_policy,
        Op.PUT_BUCKET_POLICY: settings.put_bucket_policy,
        Op.DELETE_BUCKET_POLICY: settings.delete_bucket_policy,
        Op.GET_BUCKET_POLICY_STATUS: settings.get_bucket_policy_status,
        Op.GET_BUCKET_CORS: settings.get_bucket_cors,
        Op.PUT_BUCKET_CORS: settings.put_bucket_cors,
        Op.DELETE_BUCKET_CORS: settings.delete_bucket_cors,
        Op.GET_BUCKET_LIFECYCLE_CONFIGURATION: settings.get_bucket_lifecycle,
        Op.PUT_BUCKET_LIFECYCLE_CONFIGURATION: settings.put_bucket_lifecycle,
        Op.DELETE_BUCKET_LIFECYCLE: settings.delete_bucket_lifecycle,
        Op.GET_OBJECT_LOCK_CONFIGURATION: settings.get_object_lock,
        Op.PUT_OBJECT_LOCK_CONFIGURATION: settings.put_object_lock,
        Op.GET_PUBLIC_ACCESS_BLOCK: settings.get_public_access_block,
        Op.PUT_PUBLIC_ACCESS_BLOCK: settings.put_public_access_block,
        Op.DELETE_PUBLIC_ACCESS_BLOCK: settings.delete_public_access_block,
        Op.GET_BUCKET_ACL: settings.get_bucket_acl,
        Op.PUT_BUCKET_ACL: settings.put_bucket_acl,
        Op.GET_OBJECT: reads.get_object,
        Op.HEAD_OBJECT: reads.head_object,
        Op.GET_OBJECT_ATTRIBUTES: attributes.get_object_attributes,
        Op.COPY_OBJECT: copies.copy_object,
        Op.DELETE_OBJECT: deletes.delete_object,
        Op.GET_OBJECT_TAGGING: object_settings.get_object_tagging,
        Op.PUT_OBJECT_TAGGING: object_settings.put_object_tagging,
        Op.DELETE_OBJECT_TAGGING: object_settings.delete_object_tagging,
        Op.GET_OBJECT_ACL: object_settings.get_object_acl,
        Op.PUT_OBJECT_ACL: object_settings.put_object_acl,
        Op.GET_OBJECT_RETENTION: object_settings.get_object_retention,
        Op.PUT_OBJECT_RETENTION: object_settings.put_object_retention,
        Op.GET_OBJECT_LEGAL_HOLD: object_settings.get_object_legal_hold,
        Op.PUT_OBJECT_LEGAL_HOLD: object_settings.put_object_legal_hold,
        Op.CREATE_MULTIPART_UPLOAD: uploads.create_multipart_upload,
        Op.UPLOAD_PART_COPY: uploads.upload_part_copy,
        Op.LIST_PARTS: listings.list_parts,
        Op.COMPLETE_MULTIPART_UPLOAD: uploads.complete_multipart_upload,
        Op.ABORT_MULTIPART_UPLOAD: uploads.abort_multipart_upload,
    }
)

SinkMaker = Callable[[Request, Authority, Payload | None, Signer | None], Sink]
SINKS: Final = MappingProxyType[Op, SinkMaker](
    {Op.PUT_OBJECT: puts.PutSink, Op.UPLOAD_PART: uploads.PartSink}
)
"""Operations whose body is an object's bytes."""


class Service:
    """Answers requests. Safe from many threads.

    Args:
        hub: What is served.
    """

    def __init__(self, hub: Hub) -> None:
        self._frozen = FrozenDoor(hub)

    def answer(self, request: Request) -> Answer:
        """The answer to a request without a body, or with a document as its body.

        Raises:
            S3Failure: What the client is told instead.
        """
        operation = request.asked.operation
        if operation is PREFLIGHT:
            return self._preflight(request)
        authority = Authority(request)
        try:
            authority.require_all()
            if request.bucket == BUCKET:
                return self._frozen.answer(request, authority)
            if operation.support is FIXED:
                return settings.fixed(request, authority)
            return HANDLERS[operation](request, authority)
        except MaruError as error:
            raise refusal_of(error, request.asked) from error

    def sink(self, request: Request, payload: Payload | None, signer: Signer | None) -> Sink:
        """Where the body of an upload goes piece by piece. Raises S3Failure before a byte of it is read."""
        make = SINKS[request.asked.operation]
        return self._allowed(request, None, lambda authority: make(request, authority, payload, signer))

    def put(
        self, request: Request, payload: Payload | None, signer: Signer | None, buckets: dict[str, Bucket]
    ) -> puts.Put:
        """A PutObject whose body is there as a whole. Raises S3Failure.

        ``buckets`` are shared by requests that are looked at in the same moment.
        """
        return self._allowed(
            request, buckets, lambda authority: puts.Put(request, authority, payload, signer)
        )

    @staticmethod
    def _allowed(request: Request, buckets: dict[str, Bucket] | None, make: Callable[[Authority], T]) -> T:
        """What takes a body, made for whoever may send it."""
        authority = Authority(request, buckets)
        try:
            authority.require_all()
            if request.bucket == BUCKET:
                raise S3Failure(
                    "AccessDenied",
                    "The bucket 'dataset' shows versions of datasets: it can only be read.",
                )
            return make(authority)
        except MaruError as error:
            raise refusal_of(error, request.asked) from error

    @staticmethod
    def cors(request: Request) -> list[tuple[str, str]]:
        """Headers for a page of another site, by the bucket's rules; none where it has none."""
        if "origin" not in request.asked.headers or request.bucket in ("", BUCKET):
            return []
        try:
            text = request.names.buckets.get(request.bucket).tail.get("cors")
        except MaruError:
            return []
        return (
            cors_headers(read_cors(text.encode()), request.head.method, request.asked.headers) if text else []
        )

    @staticmethod
    def _preflight(request: Request) -> Answer:
        try:
            text = request.names.buckets.get(request.bucket).tail.get("cors") if request.bucket else None
        except MaruError as error:
            raise refusal_of(error, request.asked) from error
        return Answer(200, preflight(read_cors(text.encode()) if text else (), request.asked.headers))
