"""Errors of what is looked up as in a mapping: a ``KeyError`` too, as every mapping raises it."""

from __future__ import annotations

from maruhub import errors


class NoSuchKey(errors.NoSuchKey, KeyError):
    """A key without an object, also as the ``KeyError`` that mappings raise."""


class NoSuchBucket(errors.NoSuchBucket, KeyError):
    """A bucket that is not made yet, asked for a key: a ``KeyError`` too."""


def as_key_error(error: errors.NoSuchKey) -> NoSuchKey:
    """The same error for who asked a mapping."""
    return NoSuchKey(error.what, hint=error.hint)


def as_stated(error: errors.MaruError) -> errors.MaruError:
    """Any error; one of a missing key as a ``KeyError`` too."""
    return as_key_error(error) if isinstance(error, errors.NoSuchKey) else error
