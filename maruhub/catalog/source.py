"""Where a dataset's samples come from: a bucket and a prefix. Pure text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from maruhub import argument
from maruhub.errors import InvalidInput

_SCHEME: Final = "maru://"


class Source(NamedTuple):
    """Every object of ``bucket`` whose key begins with ``prefix``."""

    bucket: str
    prefix: str

    def __str__(self) -> str:
        if not self.prefix or self.prefix.endswith("/"):
            return f"{self.bucket}/{self.prefix}"
        return f"{self.bucket}/{self.prefix}*"

    @classmethod
    def of(cls, text: str) -> Source:
        """``photos``, ``photos/cats`` and ``photos/cats/`` (below a folder), ``photos/img_*`` (a prefix)."""
        argument.text("a source", text, hint="Write BUCKET or BUCKET/PREFIX.")
        bucket, _, prefix = text.removeprefix(_SCHEME).partition("/")
        if not bucket or (not prefix and "*" in bucket):
            raise InvalidInput(f"{text!r} names no bucket.", hint="Write BUCKET or BUCKET/PREFIX.")
        if prefix.endswith("*"):
            return cls(bucket, prefix[:-1])
        return cls(bucket, prefix if not prefix or prefix.endswith("/") else prefix + "/")

    def covers(self, other: Source) -> bool:
        """Whether everything of ``other`` is in this one too."""
        return self.bucket == other.bucket and other.prefix.startswith(self.prefix)


def parse_sources(texts: Iterable[str]) -> list[Source]:
    """Sources that do not overlap, in the order given."""
    distinct = list(dict.fromkeys(Source.of(text) for text in texts))
    return [s for s in distinct if not any(other is not s and other.covers(s) for other in distinct)]
