"""What a caller handed in, checked by its name.

Every door takes arguments from people who are still learning it: one of the wrong kind is
an InvalidInput that names the argument, what it may be and what it was, instead of an
AttributeError from three layers below. Pure; it knows no bucket and no dataset.
"""

from __future__ import annotations

import inspect
import operator
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from maruhub.errors import InvalidInput


def wrong(name: str, value: object, wanted: str, *, hint: str = "") -> InvalidInput:
    """The error to raise: seed must be a whole number, not 'a' (str)."""
    shown = repr(value)
    if len(shown) > 40:
        shown = f"{shown[:39]}…"
    kind = "" if value is None else f" ({type(value).__name__})"
    return InvalidInput(f"{name} must be {wanted}, not {shown}{kind}.", hint=hint)


def text(name: str, value: object, *, hint: str = "") -> str:
    """``value`` as it is, if it is text."""
    if isinstance(value, str):
        return value
    raise wrong(name, value, "text", hint=hint)


def texts(name: str, value: object) -> list[str]:
    """A list of texts from any iterable of them; one text alone is a mistake, not its letters."""
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise wrong(name, value, "several texts", hint=f"Give a list, such as [{value!r}]."[:100])
    listed = list(value)
    for each in listed:
        if not isinstance(each, str):  # Here, not in text(): reads of many keys pass here.
            raise wrong(f"each of {name}", each, "text")
    return listed


def several(name: str, value: object) -> Iterable[Any]:
    """A list or tuple of anything."""
    if isinstance(value, list | tuple):
        return value
    raise wrong(name, value, "a list")


def whole(name: str, value: object, *, low: int | None = None, high: int | None = None) -> int:
    """A whole number (numpy's too, but no bool) within ``low`` … ``high``."""
    wanted = "a whole number"
    if low is not None:
        wanted += f" of {low} or more" if high is None else f" within {low} … {high}"
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise wrong(name, value, wanted) from None
    if (low is not None and number < low) or (high is not None and number > high):
        raise wrong(name, number, wanted)
    return number


def byte_range(offset: object, length: object) -> tuple[int, int | None]:
    """Where a range of bytes begins, and how long it is (None: to the end)."""
    return whole("offset", offset, low=0), None if length is None else whole("length", length, low=0)


def flag(name: str, value: object) -> bool:
    """True or False, and nothing that merely counts as one."""
    if isinstance(value, bool):
        return value
    raise wrong(name, value, "True or False")


def path(name: str, value: object) -> str | os.PathLike[str]:
    """A path as text or ``pathlib.Path``."""
    if isinstance(value, str | os.PathLike):
        return value
    raise wrong(name, value, "a path")


def mapping(name: str, value: object) -> Mapping[Any, Any]:
    """A dict or something like it."""
    if isinstance(value, Mapping):
        return value
    raise wrong(name, value, "a dict")


def function(name: str, value: object) -> Callable[..., Any] | None:
    """Something to call, or None."""
    if value is None or callable(value):
        return value
    raise wrong(name, value, "a function")


def options(of: Callable[..., Any], given: Mapping[str, object]) -> None:
    """Raises InvalidInput for an option that ``of`` does not take, and names those it takes."""
    known = [
        name
        for name, parameter in inspect.signature(of).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY or parameter.default is not parameter.empty
    ]
    for name in given:
        if name not in known:
            raise InvalidInput(f"there is no option {name!r}.", hint=f"Options: {', '.join(known)}.")
