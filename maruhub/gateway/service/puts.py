"""PutObject: what its head asks for, and the two ways of its body, as a whole or piece by piece."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from maruhub.errors import PreconditionFailed
from maruhub.gateway.answer import Answer
from maruhub.gateway.s3.properties import read_properties
from maruhub.gateway.s3.signatures.v4 import Payload
from maruhub.gateway.service.authority import Authority
from maruhub.gateway.service.request import Request
from maruhub.gateway.service.sinks import Intake
from maruhub.gateway.service.writes import condition_of, fields_of, refused, written_headers
from maruhub.namespace.object import ObjectInfo
from maruhub.namespace.placing import Placing
from maruhub.namespace.put import PutItem
from maruhub.namespace.stream import Upload
from maruhub.wire.signing import Signer

T = TypeVar("T")


class Put:
    """A PutObject whose head was found good; its body is taken once, in one of the two ways.

    Args:
        request: What is asked.
        authority: Knows the bucket.
        payload: What the signature says of the body; None without a signature.
        signer: Who signed, for the chain of chunks.

    Attributes:
        intake: Checks the body.

    Raises:
        S3Failure, MaruError: What is asked can't be.
    """

    def __init__(
        self, request: Request, authority: Authority, payload: Payload | None, signer: Signer | None
    ) -> None:
        bucket = authority.bucket(request.bucket)
        said = read_properties(request.headers, now_us=request.now_us)
        self.intake = Intake(request.headers, payload, signer)
        self._request = request
        self._bucket = bucket
        self._conditions, condition = condition_of(request)
        self._kind: dict[str, Any] = {
            "content_type": said.content_type or None,
            "metadata": dict(said.metadata) or None,
        }
        self._how: dict[str, Any] = {"request": request.retry_id, **condition}
        self._fields = fields_of(request, bucket, said)

    def placing(self, body: bytes) -> Placing:
        """All of the body at once, checked: what is left is to place it, together with others.

        Raises:
            S3Failure, MaruError: It is not what was promised, or a condition fails already.
        """
        request, data = self._request, self._whole(body)
        fields = self._fields | self.summed()
        item = PutItem(request.key, data, **self._kind, fields=fields, digest=self.intake.digest(data))
        return self.heeded(lambda: request.names.objects.prepare(request.bucket, item, **self._how))

    def _whole(self, body: bytes) -> memoryview:
        """One view is kept as it is, several as one buffer: a view of each tiny chunk is far larger than it."""
        views = self.intake.payload(body)
        first, second = next(views, memoryview(b"")), next(views, None)
        if second is None:
            return first
        held = bytearray(first) + second
        for view in views:
            held += view
        return memoryview(held)

    def upload(self) -> Upload[ObjectInfo]:
        """Where the payload goes piece by piece. Raises as :meth:`placing` does."""
        request, size_bytes = self._request, self.intake.size_bytes
        how = {"fields": self._fields, "size_bytes": size_bytes, **self._kind, **self._how}
        return self.heeded(lambda: request.names.objects.upload(request.bucket, request.key, **how))

    def summed(self) -> dict[str, Any]:
        """The body has ended: its checksum, as fields of the object. Raises S3Failure."""
        sums = self.intake.finish()
        return {"checksums": sums, "checksum_type": "FULL_OBJECT"} if sums else {}

    def heeded(self, call: Callable[[], T]) -> T:
        """What ``call`` returns; of a condition that fails it raises S3's word."""
        try:
            return call()
        except PreconditionFailed as failure:
            raise refused(self._request, self._conditions, failure) from None

    def answer(self, info: ObjectInfo) -> Answer:
        """What to say of the object that was made."""
        return Answer(200, written_headers(self._bucket, info))


class PutSink:
    """Takes the bytes of one object, piece by piece."""

    def __init__(
        self, request: Request, authority: Authority, payload: Payload | None, signer: Signer | None
    ) -> None:
        self._put = Put(request, authority, payload, signer)
        self._upload = self._put.upload()

    def write(self, data: bytes) -> None:
        """See :class:`Sink`."""
        for view in self._put.intake.payload(data):
            self._upload.write(view)

    def finish(self) -> Answer:
        """See :class:`Sink`."""
        put, fields = self._put, self._put.summed()
        return put.answer(put.heeded(lambda: self._upload.commit(fields=fields)))

    def abort(self) -> None:
        """See :class:`Sink`."""
        self._upload.abort()
