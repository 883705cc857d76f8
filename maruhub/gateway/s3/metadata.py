"""Users' own fields of an object: ``x-amz-meta-…`` in both directions.

Names are in lower case. A value that isn't printable ASCII crosses as RFC 2047 says, both ways:
SDKs of AWS send ``=?UTF-8?B?…?=`` or raw UTF-8, and get ``=?UTF-8?B?…?=`` back. Fields are kept as text.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from maruhub.gateway.s3.failure import S3Failure

PREFIX = "x-amz-meta-"
METADATA_BYTES_MAX = 2048
# Encoded as wastefully as can be; beyond it nothing is decoded, which takes its time.
_RAW_MAX = 8 * METADATA_BYTES_MAX
# What of an encoded word is decoded; anything else stays the text that it is.
_WORD = re.compile(r"=\?([A-Za-z0-9_.:-]{1,32})\?([bBqQ])\?([^?\s]{0,4096})\?=")
_BETWEEN_WORDS = re.compile(r"(\?=)[ \t\r\n]+(?==\?)")
_CHARSETS = {"utf-8": "utf-8", "utf8": "utf-8", "us-ascii": "ascii", "iso-8859-1": "latin-1"}
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")


def read_metadata(headers: Mapping[str, str]) -> dict[str, str]:
    """The fields that a request gives an object, by name without the prefix.

    Raises:
        S3Failure: ``MetadataTooLarge`` beyond 2 KiB of names and values in UTF-8;
            ``InvalidArgument`` for a name that can't be a header's, or a text that isn't UTF-8.
    """
    fields = {}
    size_bytes = raw_length = 0
    for header, raw in headers.items():
        if not header.startswith(PREFIX):
            continue
        raw_length += len(raw)
        if raw_length > _RAW_MAX:
            raise S3Failure("MetadataTooLarge", MaxSizeAllowed=str(METADATA_BYTES_MAX))
        name = header.removeprefix(PREFIX)
        if not _NAME.fullmatch(name):
            raise _invalid(header, "A name of metadata must be one that a header can have.")
        value = decode_words(_text(header, raw))
        size_bytes += len(name.encode()) + len(value.encode())
        if size_bytes > METADATA_BYTES_MAX:
            raise S3Failure("MetadataTooLarge", MaxSizeAllowed=str(METADATA_BYTES_MAX))
        fields[name] = value
    return fields


def metadata_headers(fields: Mapping[str, str]) -> tuple[list[tuple[str, str]], int]:
    """Headers that give the fields back, and how many can't be given (``x-amz-missing-meta``).

    A field that no header can carry has a name that other doors allow and HTTP doesn't.
    """
    headers, missing = [], 0
    for name, value in sorted(fields.items()):
        if _NAME.fullmatch(name.lower()):
            headers.append((PREFIX + name.lower(), encode_words(value)))
        else:
            missing += 1
    return headers, missing


def encode_words(value: str) -> str:
    """A text as a header can carry it: itself if it is printable ASCII, else an encoded word.

    A text that looks like an encoded word is encoded too, so that it comes back as it is.
    """
    plain = value.isascii() and value.isprintable() and value == value.strip(" ") and "=?" not in value
    return value if plain else f"=?UTF-8?B?{b64encode(value.encode()).decode()}?="


def decode_words(value: str) -> str:
    """A header's value with its encoded words decoded; what can't be decoded stays as it is."""
    if "=?" not in value:
        return value
    return _WORD.sub(_decoded, _BETWEEN_WORDS.sub(r"\1", value))


def _decoded(match: re.Match[str]) -> str:
    charset, kind, text = match.groups()
    try:
        if kind in "bB":
            raw = b64decode(text, validate=True)
        else:
            raw = unquote_to_bytes(text.replace("_", " ").replace("%", "%25").replace("=", "%"))
        return raw.decode(_CHARSETS[charset.lower()])
    except (KeyError, UnicodeDecodeError, binascii.Error, ValueError):
        return match.group()


def _text(header: str, raw: str) -> str:
    """A value as text. Servers hand raw bytes over as Latin-1; UTF-8 in them is meant as such."""
    try:
        if raw.isascii():
            return raw
        try:
            return raw.encode("latin-1").decode()
        except UnicodeDecodeError:
            return raw
    except UnicodeEncodeError:
        pass
    try:
        raw.encode()
    except UnicodeEncodeError:
        raise _invalid(header, "A value of metadata must be UTF-8.") from None
    return raw


def _invalid(header: str, message: str) -> S3Failure:
    return S3Failure("InvalidArgument", message, ArgumentName=header[:256])
