"""Where the bytes of a body go: a sink takes pieces and ends in an answer.

A sink is used by one request at a time, though from several threads one after the other.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from typing import Final, Protocol

from maruhub.gateway.answer import Answer
from maruhub.gateway.s3.checksums import Expected, new_sum
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.signatures.chunks import Chunks
from maruhub.gateway.s3.signatures.v4 import Payload, PayloadMode
from maruhub.namespace.digests import INLINE_BYTES, Digest
from maruhub.wire.signing import Signer

OBJECT_BYTES_MAX: Final = 5 << 40


class Sink(Protocol):
    """Takes a body."""

    def write(self, data: bytes) -> None:
        """The next bytes of the body, as they came over the wire. Raises S3Failure, MaruError."""

    def finish(self) -> Answer:
        """The body has ended: makes of it what was asked. Raises S3Failure, MaruError."""

    def abort(self) -> None:
        """Gives it up; nothing of it is seen by anyone."""


class Intake:
    """A body's framing and sums: what comes out is the payload, checked when it ends.

    Args:
        headers: Of the request, by name.
        payload: What its signature says of the body; None without a signature.
        signer: Who signed, for the chain of chunks.

    Raises:
        S3Failure: A size is missing or too large, a checksum is malformed.
    """

    def __init__(self, headers: Mapping[str, str], payload: Payload | None, signer: Signer | None) -> None:
        mode = _mode(headers, payload)
        self.size_bytes = _size(headers, chunked=mode.is_chunked)
        self.expected = Expected(headers)
        self._chunks: Chunks | None = None
        self._sha256 = None
        self._wanted = ""
        self._kind = ""
        self._extra = new_sum("crc32")
        if mode.is_chunked:
            signed = mode in (PayloadMode.CHUNKS, PayloadMode.CHUNKS_TRAILER)
            trailer = mode in (PayloadMode.CHUNKS_TRAILER, PayloadMode.UNSIGNED_TRAILER)
            self._chunks = Chunks(self.size_bytes, signer=signer if signed else None, with_trailer=trailer)
        elif mode is PayloadMode.SIGNED and payload is not None:
            self._sha256, self._wanted = hashlib.sha256(), payload.sha256
        self._got = 0

    def also(self, kind: str) -> None:
        """Has a checksum of that kind made, should the client bring none."""
        if kind and not self.expected.kind:
            self._kind, self._extra = kind, new_sum(kind)

    def payload(self, data: bytes) -> Iterator[memoryview]:
        """The payload in these bytes, views into them."""
        views = iter((memoryview(data),)) if self._chunks is None else self._chunks.feed(data)
        for view in views:
            self._got += len(view)
            self.expected.update(view)
            if self._sha256 is not None:
                self._sha256.update(view)
            if self._kind:
                self._extra.update(view)
            yield view

    def finish(self) -> dict[str, str]:
        """Says that the body has ended.

        Returns:
            The checksum to keep, by kind, in base64; nothing where none was promised or wanted.

        Raises:
            S3Failure: Bytes are missing, or a sum is wrong.
        """
        trailers = self._chunks.finish() if self._chunks is not None else {}
        if self._got != self.size_bytes:
            raise S3Failure("IncompleteBody")
        if self._sha256 is not None and self._sha256.hexdigest() != self._wanted.lower():
            raise S3Failure(
                "XAmzContentSHA256Mismatch",
                ClientComputedContentSHA256=self._wanted,
                S3ComputedContentSHA256=self._sha256.hexdigest(),
            )
        value = self.expected.finish(trailers)
        if self.expected.kind:
            return {self.expected.kind: value}
        if self._kind:
            return {self._kind: base64_of(self._extra.digest())}
        return {}

    def digest(self, data: bytes | memoryview) -> Digest | None:
        """The sums that an object is kept under, of its whole payload ``data``, if they are made here.

        None: it is large, and none of them was promised; whoever keeps it makes both, beside writing it.
        """
        md5, sha256 = self.expected.made("md5"), self.expected.made("sha256")
        if self._sha256 is not None:
            sha256 = self._sha256.digest()
        if md5 is None and sha256 is None and len(data) > INLINE_BYTES:
            return None
        md5 = hashlib.md5(data, usedforsecurity=False).digest() if md5 is None else md5
        return Digest(md5, hashlib.sha256(data).digest() if sha256 is None else sha256)


def base64_of(digest: bytes) -> str:
    """A digest as S3 writes checksums."""
    return base64.b64encode(digest).decode()


def _mode(headers: Mapping[str, str], payload: Payload | None) -> PayloadMode:
    """How the body comes. SDKs frame it, to send a checksum behind it, also where nobody signs and says so."""
    mode = PayloadMode.UNSIGNED if payload is None else payload.mode
    if mode is PayloadMode.UNSIGNED and "x-amz-decoded-content-length" in headers:
        codings = headers.get("content-encoding", "").lower().split(",")
        if "aws-chunked" in map(str.strip, codings):
            return PayloadMode.UNSIGNED_TRAILER
    return mode


def _size(headers: Mapping[str, str], *, chunked: bool) -> int:
    """The payload's promised size."""
    name = "x-amz-decoded-content-length" if chunked else "content-length"
    text = headers.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise S3Failure("MissingContentLength")
    if int(text) > OBJECT_BYTES_MAX:
        raise S3Failure("EntityTooLarge", ProposedSize=text, MaxSizeAllowed=str(OBJECT_BYTES_MAX))
    return int(text)
