"""Fields of a JSON object that a client sent, each taken by its name and kind. Pure."""

from __future__ import annotations

import datetime
import json
import re
from typing import Any, Final

from maruhub import argument
from maruhub.errors import InvalidInput

_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_MISSING: Final = object()
U64_MAX: Final = (1 << 64) - 1
I63_MAX: Final = (1 << 63) - 1
_CONTAINERS_MAX: Final = 1 << 20
"""An empty one is two bytes in a text, and some seventy once it is read. No request needs more than a few."""


def parse_object(body: bytes | memoryview, what: str) -> dict[str, Any]:
    """A JSON object in UTF-8; InvalidInput for anything else, however deep or full of lists."""
    raw = bytes(body)
    if raw.count(b"[") + raw.count(b"{") > _CONTAINERS_MAX:
        raise InvalidInput(f"{what} holds more than {_CONTAINERS_MAX} lists and objects.")
    try:
        value = json.loads(raw.decode())
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{what} is not JSON: {str(error)[:200]}.") from None
    if not isinstance(value, dict):
        raise InvalidInput(f"{what} must be a JSON object.")
    if _SURROGATE.search(body):
        check_texts(value, what)
    return value


def check_texts(value: object, what: str) -> None:
    """Raises InvalidInput for half a surrogate pair in any text of a JSON value: no row can hold it."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError):
        raise InvalidInput(
            f"{what} holds text that is no Unicode: half of a surrogate pair.", hint="Send text in UTF-8."
        ) from None


class Fields:
    """Takes fields out of a JSON object; ``done`` refuses what nobody has asked for.

    Args:
        value: The object.
        where: What it is, for messages.
        owner: The user who sent it, empty for nobody known; not a field, but as much of the request.
    """

    def __init__(self, value: object, where: str, *, owner: str = "") -> None:
        self.owner = owner
        if not isinstance(value, dict):
            raise argument.wrong(where, value, "a JSON object")
        self._left = dict(value)
        self._where = where

    def take(self, name: str, default: object = _MISSING) -> Any:
        """Any value."""
        value = self._left.pop(name, default)
        if value is _MISSING:
            raise InvalidInput(f"{self._where} lacks the field {name!r}.")
        return value

    def text(self, name: str, default: object = _MISSING) -> str:
        """A text."""
        return argument.text(self._named(name), self.take(name, default))

    def maybe_text(self, name: str) -> str | None:
        """A text, or None where it is null or not there."""
        value = self.take(name, None)
        return None if value is None else argument.text(self._named(name), value)

    def texts(self, name: str, default: object = _MISSING) -> list[str]:
        """A list of texts."""
        value = self.take(name, default)
        return argument.texts(self._named(name), value if isinstance(value, list | tuple) else None)

    def whole(self, name: str, default: object = _MISSING, *, low: int = 0, high: int = I63_MAX) -> int:
        """A whole number."""
        return argument.whole(self._named(name), self.take(name, default), low=low, high=high)

    def maybe_whole(self, name: str, *, low: int = 0, high: int = U64_MAX) -> int | None:
        """A whole number, or None where it is null or not there."""
        value = self.take(name, None)
        return None if value is None else argument.whole(self._named(name), value, low=low, high=high)

    def maybe_moment(self, name: str) -> datetime.datetime | None:
        """A moment in ISO 8601, or None where it is null or not there."""
        text = self.maybe_text(name)
        try:
            return None if text is None else datetime.datetime.fromisoformat(text)
        except ValueError:
            raise InvalidInput(f"{self._named(name)} is {text!r:.80}, no date in ISO 8601.") from None

    def flag(self, name: str, default: object = _MISSING) -> bool:
        """True or false."""
        return argument.flag(self._named(name), self.take(name, default))

    def items(self, name: str, default: object = _MISSING) -> list[Any]:
        """A list of anything."""
        value = self.take(name, default)
        if not isinstance(value, list):
            raise argument.wrong(self._named(name), value, "a list")
        return value

    def has(self, name: str) -> bool:
        """Whether the field is there and not taken yet."""
        return name in self._left

    def done(self) -> None:
        """Raises InvalidInput for a field that is not known: a typo must not be passed over."""
        if self._left:
            raise InvalidInput(f"{self._where} has no field {min(self._left)[:80]!r}.")

    def _named(self, name: str) -> str:
        return f"{name} of {self._where}"
