"""An error on the wire: ``{"code", "what", "hint"}``, and its status as HTTP has it.

Both ends have the same tree of errors: a code becomes the class that has it. One that is not
known here (the other end is newer) becomes the root of the tree, and keeps its words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, Final

from maruhub import errors

_TEXT_MAX: Final = 4096
_FOLDER: Final = re.compile(r"(?<![^\s(\[{\"'=,;])/[^\s)\]}\"',;]+")
"""A path of a file system, where a text has one: not behind a word, nor in an address with a scheme."""

STATUSES: Final[dict[type[errors.MaruError], int]] = {
    errors.MaruError: 500,
    errors.InvalidInput: 400,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.PreconditionFailed: 412,
    errors.Busy: 503,
    errors.Refused: 403,
    errors.Unavailable: 503,
    errors.NoSpace: 507,
    errors.Corrupt: 500,
}
"""Kinds with a status of their own; the others have that of the kind they belong to."""


def status_of(error: errors.MaruError) -> int:
    """The HTTP status of an error."""
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def any_failed(parts: Iterable[object]) -> bool:
    """Whether an error stands among them. It looks at their kinds: where there are thousands, a few."""
    return any(issubclass(kind, errors.MaruError) for kind in set(map(type, parts)))


def to_json(error: errors.MaruError) -> dict[str, str]:
    """What the other end is told."""
    what, hint = (discreet(error, text)[:_TEXT_MAX] for text in (error.what, error.hint))
    return {"code": error.code, "what": what, "hint": hint}


def discreet(error: errors.MaruError, text: str) -> str:
    """Words of an error for the other end: where things lie on this machine is left out.

    Of errors that a person here should look into. Others name what the other end has named itself.
    """
    ours = status_of(error) >= 500 or isinstance(error, errors.ReadOnly | errors.UnsupportedFormat)
    return _FOLDER.sub("…", text) if ours else text


def from_json(told: object) -> errors.MaruError:
    """The error that was told; one about the telling if it is no error."""
    if not isinstance(told, dict) or not all(isinstance(told.get(name), str) for name in ("code", "what")):
        return errors.InvalidData("the other end told of an error that can't be read.")
    kind = _kinds().get(told["code"], errors.MaruError)
    hint = told.get("hint", "")
    return kind(told["what"], hint=hint if isinstance(hint, str) else "")


def encode(error: errors.MaruError) -> bytes:
    """As JSON."""
    return json.dumps(to_json(error), separators=(",", ":")).encode("utf-8", "replace")


def decode(text: bytes) -> errors.MaruError:
    """From JSON; never raises: what can't be read is an error too."""
    return from_json(decode_json(text))


def decode_json(text: bytes | memoryview) -> Any:
    """A value of JSON; None for what is none (or too deep)."""
    try:
        return json.loads(bytes(text))
    except (ValueError, RecursionError):
        return None


@lru_cache(maxsize=1)
def _kinds() -> dict[str, type[errors.MaruError]]:
    return {kind.code: kind for kind in _tree(errors.MaruError) if kind.__module__ == errors.__name__}


def _tree(kind: type[errors.MaruError]) -> Iterator[type[errors.MaruError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _tree(child)
