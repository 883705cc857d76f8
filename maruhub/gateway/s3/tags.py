"""Tags of objects and buckets, as text and as the header ``x-amz-tagging``."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, urlencode

from maruhub.gateway.s3.failure import S3Failure

OBJECT_TAGS_MAX = 10
BUCKET_TAGS_MAX = 50
_NAME_MAX = 128
_VALUE_MAX = 256
_SIGNS = frozenset("_.:/=+-@")


def check_tags(pairs: Iterable[tuple[str, str]], *, most: int = OBJECT_TAGS_MAX) -> dict[str, str]:
    """Tags by name, if they keep S3's rules.

    Raises:
        S3Failure: ``InvalidTag`` for a name or value that is too long, holds a sign that isn't allowed,
            stands twice or begins with ``aws:``; ``BadRequest`` for too many.
    """
    tags: dict[str, str] = {}
    for name, value in pairs:
        if not 1 <= len(name) <= _NAME_MAX or not _is_plain(name):
            raise _invalid("The TagKey you have provided is invalid", name)
        if len(value) > _VALUE_MAX or not _is_plain(value):
            raise _invalid("The TagValue you have provided is invalid", name)
        if name.lower().startswith("aws:"):
            raise _invalid("System tags cannot be added/updated by requester", name)
        if name in tags:
            raise _invalid("Cannot provide multiple Tags with the same key", name)
        tags[name] = value
        if len(tags) > most:
            raise S3Failure("BadRequest", f"Tags cannot be greater than {most}")
    return tags


def read_tagging_header(text: str | None) -> dict[str, str]:
    """The tags of ``x-amz-tagging``, which looks like a query.

    Raises:
        S3Failure: as ``check_tags``; ``InvalidArgument`` for what is no query, or a name given twice.
    """
    if not text:
        return {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=1000)
        text.encode()
    except ValueError:
        pairs = []
    if not pairs or len({name for name, _ in pairs}) != len(pairs):
        raise S3Failure(
            "InvalidArgument",
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters"
            " without tag name duplicates.",
            ArgumentName="x-amz-tagging",
            ArgumentValue=text[:256],
        )
    return check_tags(pairs)


def tagging_header(tags: Mapping[str, str]) -> str:
    """Tags as ``x-amz-tagging`` holds them."""
    return urlencode(tags)


def _is_plain(text: str) -> bool:
    """Letters, digits, spaces of any script, and a few signs."""
    return all(c in _SIGNS or unicodedata.category(c)[0] in "LNZ" or _is_mark(c) for c in text)


def _is_mark(character: str) -> bool:
    """Signs that are part of a letter in many scripts."""
    return unicodedata.category(character)[0] == "M"


def _invalid(message: str, name: str) -> S3Failure:
    return S3Failure("InvalidTag", message, TagKey=name[:_NAME_MAX])
