"""Checksums of S3: five kinds, in headers and trailers, whole or composed of parts."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from awscrt import checksums as crt

from maruhub.gateway.s3.failure import S3Failure


class Sum(Protocol):
    """A checksum that grows with the bytes; the interface of ``hashlib``."""

    def update(self, data: memoryview, /) -> None: ...
    def digest(self) -> bytes: ...


class _Crc:
    def __init__(self, step: Callable[[memoryview, int], int], size_bytes: int) -> None:
        self._step, self._size_bytes, self._value = step, size_bytes, 0

    def update(self, data: memoryview, /) -> None:
        self._value = self._step(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size_bytes, "big")


_NEW: dict[str, Callable[[], Sum]] = {
    "crc32": lambda: _Crc(crt.crc32, 4),
    "crc32c": lambda: _Crc(crt.crc32c, 4),
    "crc64nvme": lambda: _Crc(crt.crc64nvme, 8),
    "sha1": hashlib.sha1,
    "sha256": hashlib.sha256,
    "md5": hashlib.md5,
}
_COMBINE: dict[str, Callable[[int, int, int], int]] = {
    "crc32": crt.combine_crc32,
    "crc32c": crt.combine_crc32c,
    "crc64nvme": crt.combine_crc64nvme,
}
KINDS = ("crc32", "crc32c", "crc64nvme", "sha1", "sha256")
_PREFIX = "x-amz-checksum-"
# Of 3,000 parts by a CRC-32, of 384 by SHA-256: a row is read with each look at its object.
_PACKED_MAX = 16 << 10
_NOT_SUMS = ("x-amz-checksum-mode", "x-amz-checksum-algorithm", "x-amz-checksum-type")


def sums_given(headers: Mapping[str, str]) -> dict[str, str]:
    """The checksums among headers, in base64 by kind; of unknown kinds too."""
    return {
        name.removeprefix(_PREFIX): value
        for name, value in headers.items()
        if name.startswith(_PREFIX) and name not in _NOT_SUMS
    }


def without_sums(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers without the checksums among them, for a body that they aren't of."""
    return {n: v for n, v in headers.items() if not n.startswith(_PREFIX) or n in _NOT_SUMS}


def new_sum(kind: str) -> Sum:
    """An empty checksum of one of `KINDS`, or ``md5``."""
    return _NEW[kind]()


def decoded(kind: str, text: str) -> bytes:
    """The bytes of a checksum in base64.

    Raises:
        S3Failure: It is not base64 of the right size.
    """
    try:
        value = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        value = b""
    if len(value) != len(new_sum(kind).digest()):
        if kind == "md5":
            raise S3Failure("InvalidDigest", "The Content-MD5 you specified is not valid.")
        raise S3Failure("InvalidRequest", f"Value for {_PREFIX}{kind} header is invalid.")
    return value


class Expected:
    """What a request promises of its body's sums; feed it the payload, then ask.

    Args:
        headers: By name in lower case.

    Raises:
        S3Failure: More than one checksum, an unknown one, or one that is malformed.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        given = sums_given(headers)
        trailers = [
            name.strip().lower() for name in headers.get("x-amz-trailer", "").split(",") if name.strip()
        ]
        promised = [name for name in trailers if name.startswith(_PREFIX)]
        if len(given) + len(promised) > 1:
            raise S3Failure("InvalidRequest", "Expecting a single x-amz-checksum- header.")
        self.kind = _kind_of([*given, *(name.removeprefix(_PREFIX) for name in promised)])
        self._in_trailer = bool(promised)
        self._value = decoded(self.kind, given[self.kind]) if given else b""
        declared = headers.get("x-amz-sdk-checksum-algorithm", "").lower()
        _check_declared(declared, self.kind)
        md5 = headers.get("content-md5")
        self._md5 = decoded("md5", md5) if md5 is not None else b""
        self._sums = {kind: new_sum(kind) for kind in (self.kind, "md5" if md5 is not None else "") if kind}

    def update(self, data: memoryview) -> None:
        """Takes the next bytes of the payload."""
        for each in self._sums.values():
            each.update(data)

    def made(self, kind: str) -> bytes | None:
        """The sum of a kind over what was fed, if it is one of those that are made."""
        made = self._sums.get(kind)
        return None if made is None else made.digest()

    def finish(self, trailers: Mapping[str, str]) -> str:
        """Compares all sums.

        Returns:
            The checksum in base64; empty where none was promised.

        Raises:
            S3Failure: ``BadDigest``; or a trailer is missing, or was not announced.
        """
        wanted = {_PREFIX + self.kind} if self._in_trailer else set()
        if {name for name in trailers if name.startswith(_PREFIX)} != wanted:
            raise S3Failure("MalformedTrailerError", "The checksums in the trailer are not those announced.")
        if self._in_trailer:
            self._value = decoded(self.kind, trailers[_PREFIX + self.kind])
        if self._md5 and self._sums["md5"].digest() != self._md5:
            raise S3Failure("BadDigest", "The Content-MD5 you specified did not match what we received.")
        if not self.kind:
            return ""
        if self._sums[self.kind].digest() != self._value:
            raise S3Failure(
                "BadDigest", f"The {self.kind.upper()} you specified did not match what was received."
            )
        return base64.b64encode(self._value).decode()


def _kind_of(kinds: list[str]) -> str:
    kind = kinds[0] if kinds else ""
    if kind and kind not in KINDS:
        raise S3Failure("InvalidRequest", f"The checksum must be one of {', '.join(KINDS)}.")
    return kind


def _check_declared(declared: str, kind: str) -> None:
    if declared and declared not in KINDS:
        raise S3Failure("InvalidRequest", f"x-amz-sdk-checksum-algorithm must be one of {', '.join(KINDS)}.")
    if declared and declared != kind:
        text = (
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer"
        )
        raise S3Failure("InvalidRequest", f"{text} headers were found.")


def composite(kind: str, parts: Iterable[bytes]) -> str:
    """The checksum of the parts' checksums, with their number: ``base64-n``."""
    values = list(parts)
    total = new_sum(kind)
    total.update(memoryview(b"".join(values)))
    return f"{base64.b64encode(total.digest()).decode()}-{len(values)}"


def pack_sums(values: Sequence[bytes]) -> str:
    """Checksums of parts as a row holds them; empty where they are too many to be kept."""
    packed = base64.b64encode(b"".join(values)).decode()
    return packed if len(packed) <= _PACKED_MAX else ""


def unpack_sums(kind: str, packed: str) -> list[str]:
    """Each of the checksums that :func:`pack_sums` has packed, in base64."""
    raw, size_bytes = base64.b64decode(packed), len(new_sum(kind).digest())
    return [base64.b64encode(raw[at : at + size_bytes]).decode() for at in range(0, len(raw), size_bytes)]


def full_object(kind: str, parts: Iterable[tuple[bytes, int]]) -> str:
    """A CRC of the whole from those of its parts, without the bytes.

    Args:
        kind: One of the CRCs.
        parts: Checksum and size in bytes of each, in order.

    Raises:
        S3Failure: The kind cannot be combined (SHA-1, SHA-256).
    """
    if kind not in _COMBINE:
        raise S3Failure("InvalidRequest", f"The FULL_OBJECT checksum type cannot be used with {kind}.")
    total = 0
    for value, size_bytes in parts:
        total = _COMBINE[kind](total, int.from_bytes(value, "big"), size_bytes)
    return base64.b64encode(total.to_bytes(len(new_sum(kind).digest()), "big")).decode()
