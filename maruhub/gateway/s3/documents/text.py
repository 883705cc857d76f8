"""Texts as XML holds them: escaped, and quickly so, since a page of a listing has thousands."""

from __future__ import annotations

import re
from urllib.parse import quote

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
SCHEMA_INSTANCE = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'

# Beside what marks up: a line's ends, which a parser would change, and what XML 1.0 can't hold at all.
# That goes out as a reference to its number, as S3 does it: not every parser takes it, and
# encoding-type=url is how a client avoids it.
_SPECIAL = re.compile('[&<>"\x00-\x1f\x7f-\x9f\u2028\ud800-\udfff\ufffe\uffff]')
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
_NEEDS_PERCENT = re.compile(r"[^A-Za-z0-9_.\-~/]", re.ASCII)


def escape(text: str) -> str:
    """A text as the content of an element or the value of an attribute."""
    return _SPECIAL.sub(_reference, text) if _SPECIAL.search(text) else text


def legible(text: str) -> str:
    """A text in which U+FFFD stands for what XML 1.0 can't hold: for people, not to be acted upon."""
    return _NOT_IN_XML.sub("\ufffd", text)


def _reference(match: re.Match[str]) -> str:
    character = match.group()
    return _NAMED.get(character) or f"&#x{ord(character):X};"


def encode_url(text: str) -> str:
    """A name percent-encoded as ``encoding-type=url`` asks; slashes stay, a space is ``%20``."""
    return quote(text, safe="/") if _NEEDS_PERCENT.search(text) else text


def element(name: str, text: str | int | None) -> str:
    """An element with a text; nothing at all for None."""
    return "" if text is None else f"<{name}>{escape(str(text))}</{name}>"


def document(name: str, content: str) -> bytes:
    """A whole document in S3's namespace, in UTF-8."""
    return f"{DECLARATION}<{name} {NAMESPACE}>{content}</{name}>".encode("utf-8", "replace")
