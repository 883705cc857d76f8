"""The named fields behind the fixed ones of a row K, V or U: a JSON object. Pure.

Which names there are and what they mean stands in ``docs/format-names.md``. Callers set any
but those that the namespace gives itself; names that it doesn't know are kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from maruhub.errors import InvalidInput

Fields = Mapping[str, Any]
"""Named fields: whatever JSON can say."""

LOCK: Final = frozenset({"retain_until_us", "lock_mode", "lock_until_us", "hold"})
"""What keeps one version: it belongs to that version alone, and no other takes it over."""

OWN: Final = frozenset({"from", "by", "parts", "hidden"})
"""What only the namespace says of a version."""

_OF_ONE: Final = LOCK | {"by", "hidden"}
_BYTES_MAX: Final = 64 * 1024
_COMPACT: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, sort_keys=True, allow_nan=False)


def check_fields(fields: Fields | None) -> dict[str, Any]:
    """A copy of what a caller hands in; raises InvalidInput for names that aren't the caller's."""
    own = OWN.intersection(fields or ())
    if own:
        raise InvalidInput(f"the field {min(own)!r} is set by the hub alone.", hint="Leave it out.")
    return dict(fields or {})


def encode_tail(
    content_type: str | None, metadata: Mapping[str, str] | None, fields: Fields | None = None
) -> bytes:
    """The named fields of a put."""
    if not content_type and not metadata and not fields:
        return b""
    return pack_tail(with_user_fields(check_fields(fields), content_type, metadata))


def with_user_fields(
    tail: dict[str, Any], content_type: str | None, metadata: Mapping[str, str] | None
) -> dict[str, Any]:
    """``tail`` with what the user may set replaced; None keeps it, others are kept."""
    changed = dict(tail)
    if content_type is not None:
        if not _are_text(content_type) or len(content_type) > 255 or not content_type.isprintable():
            raise InvalidInput(
                f"{content_type!r:.80} is not a content type.", hint="Give one like image/png."
            )
        changed["type"] = content_type
    if metadata is not None:
        if not _are_text(*metadata, *metadata.values()):
            raise InvalidInput("metadata is text by text.", hint="Turn names and values into str.")
        changed["meta"] = dict(metadata)
    return said(changed)


def inherited(tail: Fields, *without: str) -> dict[str, Any]:
    """What another version of the same bytes takes over of a version's fields."""
    return {name: value for name, value in tail.items() if name not in _OF_ONE and name not in without}


def changed(tail: Fields, fields: Fields) -> dict[str, Any]:
    """``tail`` with ``fields`` replaced; None, or nothing in it, removes one."""
    return said({**tail, **check_fields(fields)})


def said(tail: Fields) -> dict[str, Any]:
    """What a tail says: no field with nothing in it. False says something: a hold that was lifted."""
    return {name: value for name, value in tail.items() if value or value is False}


def _are_text(*values: object) -> bool:
    return all(isinstance(value, str) for value in values)


def pack_tail(tail: Fields) -> bytes:
    """The named fields as they stand in a row: compact JSON in UTF-8, sorted, nothing if none."""
    if not tail:
        return b""
    try:
        packed = _COMPACT.encode(tail).encode()
    except UnicodeEncodeError:
        raise InvalidInput("content type or metadata are not UTF-8.", hint="Use valid Unicode.") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"the named fields are not JSON: {error}.") from None
    if len(packed) > _BYTES_MAX:
        raise InvalidInput(
            f"content type and metadata take {len(packed)} bytes.", hint=f"They may take {_BYTES_MAX}."
        )
    return packed
