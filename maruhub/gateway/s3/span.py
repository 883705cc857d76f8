"""Which bytes of an object a read asks for: all, a range, or one of the parts it was uploaded in."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from maruhub.gateway.s3.byte_range import read_range
from maruhub.gateway.s3.conditions import range_counts
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.properties import read_part_number
from maruhub.gateway.s3.route import Asked


def span_asked(
    asked: Asked,
    size_bytes: int,
    *,
    etag: str,
    modified_us: int,
    part_sizes: Callable[[], Sequence[int]] = tuple,
) -> tuple[int, int] | None:
    """Offset and length of what a read asks for; None for the whole.

    Args:
        asked: The read.
        size_bytes: Of the object.
        etag: The object's, without quotes.
        modified_us: When it was last modified, microseconds since 1970.
        part_sizes: Gives the sizes of its parts, if a part is asked for. One that was put whole has none,
            and is a single part.

    Raises:
        S3Failure: ``InvalidRange``, ``InvalidPartNumber``; ``InvalidRequest`` for both at once,
            ``InvalidArgument`` for a part that has no number.
    """
    number = read_part_number(asked)
    text = asked.headers.get("range")
    if number is None:
        wanted = read_range(text)
        if wanted is None or not range_counts(asked.headers, etag, modified_us):
            return None
        return wanted.within(size_bytes)
    if text is not None:
        raise S3Failure("InvalidRequest", "Cannot specify both Range header and partNumber query parameter")
    sizes = part_sizes() or (size_bytes,)
    if number > len(sizes):
        raise S3Failure("InvalidPartNumber")
    return None if not size_bytes else (sum(sizes[: number - 1]), sizes[number - 1])
