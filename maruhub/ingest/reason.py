"""Why one entry of a source was not stored: a stable word each; words are only added."""

from __future__ import annotations

import enum


class Reason(enum.StrEnum):
    """The code in a refusal. ``docs/reference/bad-input.md`` explains each."""

    UNREADABLE = "unreadable"
    """The system or the source would not give its bytes."""
    VANISHED = "vanished"
    """It was listed and then was gone."""
    CHANGED = "changed"
    """It changed while it was read, twice."""
    NOT_UTF8 = "not-utf8"
    """Its name is not UTF-8."""
    BAD_NAME = "bad-name"
    """Its name cannot be a key."""
    OUTSIDE = "outside"
    """Its name leads out: absolute, or with ``..`` in it."""
    DUPLICATE = "duplicate"
    """An earlier entry of the same archive has its name."""
    LINK = "link"
    """A link in an archive."""
    LINK_OUTSIDE = "link-outside"
    """A link that leads out of the source."""
    LINK_LOOP = "link-loop"
    """A link to a folder that it lies in, or that was walked already."""
    LINK_BROKEN = "link-broken"
    """A link that leads nowhere."""
    SPECIAL = "special"
    """A device, socket, pipe, or a kind of member that is no file."""
    ENCRYPTED = "encrypted"
    """A member that asks for a password."""
    UNSUPPORTED = "unsupported"
    """A member stored in a way this release does not read."""
    BOMB = "bomb"
    """It unpacks to far more than a real archive does."""
    TOO_MANY = "too-many"
    """The archive has more members than allowed."""
    TOO_LARGE = "too-large"
    """It is larger than the options allow."""
    TRUNCATED = "truncated"
    """The archive ends before its data does."""
    DAMAGED = "damaged"
    """The archive's own checks say that these bytes are wrong."""
    BAD_SIDECAR = "bad-sidecar"
    """A label file that is not what its name says; its sample is stored without it."""
    INVALID = "invalid"
    """The hub's own rules for objects refuse it."""


class EntryRefused(Exception):
    """One entry cannot be stored; becomes a line of the report, never leaves this package."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
