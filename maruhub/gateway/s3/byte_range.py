"""One range of bytes, as ``Range`` and ``x-amz-copy-source-range`` give it.

S3 serves one range. A ``Range`` that it can't read, one of another unit, and several ranges at once
are passed over and the whole object is served, as RFC 9110 (14.2) allows; a range that lies wholly
behind the end is ``InvalidRange``. A copy's range must be right.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from maruhub.gateway.s3.failure import S3Failure

# More digits than any size has; beyond them a number means "behind the end" anyway.
_DIGITS_MAX = 19
_ONE = re.compile(r"bytes=[ \t]*([0-9]*)-([0-9]*)[ \t]*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Range:
    """A range as asked: ``first`` to ``last`` inclusive, to the end, or the ``suffix`` bytes of the end."""

    first: int | None = None
    last: int | None = None
    suffix: int | None = None

    def within(self, size_bytes: int) -> tuple[int, int]:
        """Offset and length in an object of this size; the length is at least 1.

        Raises:
            S3Failure: ``InvalidRange`` if no byte of the object is in it.
        """
        if self.suffix is not None:
            first, last = max(size_bytes - self.suffix, 0), size_bytes - 1
        else:
            first = self.first or 0
            last = size_bytes - 1 if self.last is None else min(self.last, size_bytes - 1)
        if first > last:
            raise S3Failure(
                "InvalidRange", RangeRequested=self._text(), ActualObjectSize=str(size_bytes)
            ).answered(("content-range", f"bytes */{size_bytes}"))
        return first, last - first + 1

    def _text(self) -> str:
        if self.suffix is not None:
            return f"bytes=-{self.suffix}"
        return f"bytes={self.first}-{'' if self.last is None else self.last}"


def read_range(text: str | None) -> Range | None:
    """The range that a ``Range`` header asks for; None for the whole object.

    Never fails: what isn't one range of bytes is passed over.
    """
    match = _ONE.fullmatch(text) if text else None
    if match is None:
        return None
    first, last = (_number(digits) for digits in match.groups())
    if first is None:
        return None if last is None else Range(suffix=last)
    if last is not None and last < first:
        return None
    return Range(first=first, last=last)


def read_copy_range(text: str | None, size_bytes: int) -> tuple[int, int] | None:
    """Offset and length that ``x-amz-copy-source-range`` asks for; None for the whole source.

    Raises:
        S3Failure: ``InvalidArgument`` for anything but ``bytes=first-last`` wholly within the source.
    """
    if text is None:
        return None
    asked = read_range(text)
    if asked is None or asked.first is None or asked.last is None:
        raise S3Failure(
            "InvalidArgument",
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last"
            " are the zero-based offsets of the first and last bytes to copy",
            ArgumentName="x-amz-copy-source-range",
            ArgumentValue=text[:256],
        )
    if asked.last >= size_bytes:
        raise S3Failure(
            "InvalidArgument",
            f"Range specified is not valid for source object of size: {size_bytes}",
            ArgumentName="x-amz-copy-source-range",
            ArgumentValue=text[:256],
        )
    return asked.within(size_bytes)


def content_range(offset: int, length: int, size_bytes: int) -> str:
    """The value of the header ``Content-Range``."""
    return f"bytes {offset}-{offset + length - 1}/{size_bytes}"


def _number(digits: str) -> int | None:
    if not digits:
        return None
    significant = digits.lstrip("0")
    return 10**_DIGITS_MAX if len(significant) > _DIGITS_MAX else int(significant or "0")
