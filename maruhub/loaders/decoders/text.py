"""Text."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from maruhub import argument
from maruhub.errors import InvalidData, InvalidInput


@dataclass(frozen=True, slots=True)
class Text:
    """``str``.

    Args:
        encoding: Of the bytes; ``utf-8-sig`` also drops a byte order mark.
    """

    encoding: str = "utf-8"

    def __post_init__(self) -> None:
        try:
            codecs.lookup(argument.text("encoding", self.encoding))
        except LookupError as error:
            raise InvalidInput(f"there is no encoding {self.encoding!r}.") from error

    def __call__(self, blob: memoryview) -> str:
        """The text; InvalidData where the bytes are none."""
        try:
            return str(blob, self.encoding)
        except UnicodeDecodeError as error:
            raise InvalidData(f"it is no text in {self.encoding}: {error}") from error
