"""Bodies framed as ``aws-chunked``: lines of sizes and signatures between the bytes.

Payload is given out as it comes and each chunk's signature is checked where the chunk ends, so
memory does not grow with a chunk. What was given out counts only once `Chunks.finish` returns. A chunk
may be as large as the body: the SDKs for Go and Rust send unsigned ones as a single chunk.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256

from maruhub.gateway.s3.failure import S3Failure
from maruhub.wire.signing import Signer, same, signature_of

_LONGEST_LINE = 4096
_MOST_TRAILERS = 16
_EMPTY = sha256(b"").hexdigest()
_SIZE = re.compile(rb"([0-9a-fA-F]{1,16})(?:;chunk-signature=([0-9a-f]{64}))?")
_TRAILER = re.compile(rb"([A-Za-z0-9-]{1,128}):[ \t]*([^\r\n\x00]*)")


class Chunks:
    """Decodes one body; not safe from several threads.

    Args:
        size_bytes: What ``x-amz-decoded-content-length`` promises.
        signer: Whose chain of signatures begins with the request's; None for unsigned chunks.
        with_trailer: True if headers follow the last chunk.
    """

    def __init__(self, size_bytes: int, *, signer: Signer | None, with_trailer: bool) -> None:
        self.trailers: dict[str, str] = {}
        self._promised = size_bytes
        self._signer = signer
        self._previous = signer.signature if signer else ""
        self._with_trailer = with_trailer
        self._state = "size"
        self._line = bytearray()
        self._left = 0
        self._got = 0
        self._sum = sha256()
        self._claimed = ""
        self._signed_trailer = ""
        self._trailer_text = ""

    def feed(self, data: bytes | memoryview) -> Iterator[memoryview]:
        """Gives out the payload in these bytes, as views into them; read it to its end.

        Raises:
            S3Failure: The framing is broken, a signature is wrong, or there is too much.
        """
        view = memoryview(data).cast("B") if len(data) else memoryview(b"")
        at = 0
        while at < len(view):
            if self._state == "data":
                piece = view[at : at + self._left]
                at += len(piece)
                self._took(piece)
                yield piece
            else:
                at = self._line_from(view, at)

    def finish(self) -> dict[str, str]:
        """Says that the body has ended.

        Returns:
            Its trailers by name in lower case, without the trailers' signature.

        Raises:
            S3Failure: ``IncompleteBody`` if anything is missing.
        """
        if self._state != "done":
            raise S3Failure("IncompleteBody")
        return self.trailers

    def _took(self, piece: memoryview) -> None:
        if self._signer:
            self._sum.update(piece)
        self._left -= len(piece)
        if not self._left:
            self._end_of_chunk()
            self._state = "gap"

    def _line_from(self, view: memoryview, at: int) -> int:
        if self._state == "done":
            raise S3Failure("InvalidRequest", "There are bytes after the end of the chunked body.")
        window = bytes(view[at : at + _LONGEST_LINE + 1])
        end = window.find(b"\n")
        self._line += window if end < 0 else window[: end + 1]
        if len(self._line) > _LONGEST_LINE:
            raise S3Failure("InvalidRequest", "A line of the chunked body is too long.")
        if end < 0:
            return at + len(window)
        line = bytes(self._line)
        self._line.clear()
        if not line.endswith(b"\r\n"):
            raise S3Failure("InvalidRequest", "A line of the chunked body does not end in CR LF.")
        self._read_line(line[:-2])
        return at + end + 1

    def _read_line(self, line: bytes) -> None:
        if self._state == "size":
            self._begin_chunk(line)
        elif self._state == "trailer" and line:
            self._read_trailer(line)
        elif line:
            raise S3Failure("InvalidRequest", "A chunk is longer than its size says.")
        elif self._state == "gap":
            self._state = "size"
        else:
            self._end_of_trailers()

    def _begin_chunk(self, line: bytes) -> None:
        match = _SIZE.fullmatch(line)
        if match is None or (match[2] is None) is (self._signer is not None):
            raise S3Failure(
                "InvalidRequest", "The head of a chunk is malformed, or its signature is missing."
            )
        self._left = int(match[1], 16)
        self._got += self._left
        if self._got > self._promised:
            raise S3Failure("InvalidRequest", "The chunks hold more than x-amz-decoded-content-length says.")
        self._claimed = (match[2] or b"").decode()
        self._state = "data" if self._left else "trailer"
        if not self._left:
            self._end_of_chunk()
            if self._got != self._promised:
                raise S3Failure(
                    "IncompleteBody", "The chunks hold less than x-amz-decoded-content-length says."
                )

    def _end_of_chunk(self) -> None:
        if self._signer:
            self._check("PAYLOAD", f"{_EMPTY}\n{self._sum.hexdigest()}", self._claimed)
            self._sum = sha256()

    def _check(self, kind: str, text: str, claimed: str) -> None:
        assert self._signer is not None
        signer = self._signer
        head = f"AWS4-HMAC-SHA256-{kind}\n{signer.timestamp}\n{signer.scope}\n{self._previous}"
        wanted = signature_of(signer.key, f"{head}\n{text}")
        if not same(wanted, claimed):
            raise S3Failure("SignatureDoesNotMatch", AWSAccessKeyId=signer.access_key)
        self._previous = wanted

    def _read_trailer(self, line: bytes) -> None:
        match = _TRAILER.fullmatch(line)
        if match is None or not self._with_trailer or self._signed_trailer:
            raise S3Failure("MalformedTrailerError")
        name, value = match[1].decode().lower(), match[2].decode("latin-1").strip()
        if name in self.trailers or len(self.trailers) >= _MOST_TRAILERS:
            raise S3Failure("MalformedTrailerError")
        if name == "x-amz-trailer-signature":
            self._signed_trailer = value
        else:
            self.trailers[name] = value
            self._trailer_text += f"{name}:{value}\n"

    def _end_of_trailers(self) -> None:
        if self._signer and self._with_trailer:
            digest = sha256(self._trailer_text.encode("latin-1")).hexdigest()
            self._check("TRAILER", digest, self._signed_trailer)
        elif self._signed_trailer:
            raise S3Failure("MalformedTrailerError")
        self._state = "done"
