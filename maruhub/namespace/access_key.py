"""Access keys and their rows A; users and their rows G. Pure: bytes to values and back.

``docs/format-names.md`` lays the rows out. A secret stands in a row as ciphertext alone.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import string
import struct
from dataclasses import dataclass, field
from enum import IntFlag
from typing import Any, Final

from maruhub.errors import InvalidInput, InvalidName, NotFound, UnsupportedFormat
from maruhub.namespace.secret import Secret
from maruhub.store.format.row import Row

KEYS: Final = b"A"
USERS: Final = b"G"
POLICY_BYTES_MAX: Final = 20 * 1024
"""Longest policy, in bytes of UTF-8."""

_ACCESS_KEY_CHARS: Final = string.ascii_uppercase + string.digits
_SECRET_CHARS: Final = string.ascii_letters + string.digits
_ACCESS_KEY: Final = re.compile(r"[A-Z0-9]{20}", re.ASCII)
_USER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@=,+-]{0,63}", re.ASCII)
_HEAD: Final = struct.Struct("<BBHIq")
_VERSION: Final = 1


class KeyFlag(IntFlag):
    """What else a key is."""

    ADMIN = 1
    DISABLED = 2


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A row A as it stands.

    Args:
        access_key: Its name.
        created_us: Wall time of its making.
        flags: See :class:`KeyFlag`.
        tail: ``user``, ``secret`` (base64 of nonce and ciphertext), ``name``, ``policy``; others are kept.
    """

    access_key: str
    created_us: int
    flags: KeyFlag
    tail: dict[str, Any] = field(repr=False)

    @property
    def user(self) -> str:
        """Whose it is."""
        return str(self.tail["user"])

    @property
    def policy(self) -> str | None:
        """Its own policy: it may do what that says and nothing else."""
        policy = self.tail.get("policy")
        return None if policy is None else str(policy)

    @property
    def sealed(self) -> bytes:
        """Its secret, encrypted."""
        return base64.b64decode(self.tail["secret"])

    def info(self) -> KeyInfo:
        """What may be shown of it."""
        return KeyInfo(
            self.access_key,
            self.user,
            admin=bool(self.flags & KeyFlag.ADMIN),
            enabled=not self.flags & KeyFlag.DISABLED,
            policy=self.policy,
            created_us=self.created_us,
            name=str(self.tail.get("name", self.user)),
        )


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """What is shown of an access key: never its secret.

    Args:
        access_key: 20 of A-Z and 0-9.
        user: Whose it is.
        admin: Whether it may do everything.
        enabled: Whether it is accepted.
        policy: Its own policy's document, or None: with one it may do what that says and nothing else.
        created_us: Wall time of its making, microseconds since 1970.
        name: What people call it.
    """

    access_key: str
    user: str
    admin: bool
    enabled: bool
    policy: str | None
    created_us: int
    name: str


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An access key with its secret, to check a signature and decide upon rights.

    Args:
        access_key: 20 of A-Z and 0-9.
        user: Whose it is.
        admin: Whether it may do everything.
        enabled: Whether it is accepted; whoever checks signatures must ask.
        policy: Its own policy's document, or None: with one it may do what that says and nothing else.
        secret: Hidden until it is revealed.
        created_us: Wall time of its making, microseconds since 1970.
        user_policy: The user's own policy, or None.
        counters: Of the rows it was read from, to tell whether they have changed.
    """

    access_key: str
    user: str
    admin: bool
    enabled: bool
    policy: str | None
    secret: Secret
    created_us: int
    user_policy: str | None = None
    counters: tuple[int, int] = field(default=(0, 0), repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class NewKey:
    """An access key just issued; its secret is shown this once.

    Args:
        access_key: 20 of A-Z and 0-9.
        secret_key: 40 letters and digits, hidden until revealed.
        user: Whose it is.
        admin: Whether it may do everything.
    """

    access_key: str
    secret_key: Secret
    user: str
    admin: bool


@dataclass(frozen=True, slots=True)
class User:
    """A user.

    Args:
        name: See :func:`check_user_name`.
        admin: Whether one of the keys that are enabled may do everything.
        policy: The policy's document, or None.
    """

    name: str
    admin: bool
    policy: str | None


def check_user_name(name: str) -> None:
    """Raises InvalidName unless ``name`` may name a user or a key: AWS's rule, a letter or digit in front."""
    if not _USER.fullmatch(name):
        raise InvalidName(
            f"{name!r:.80} cannot name a user or a key.",
            hint="Use 1 to 64 of A-Z, a-z, 0-9 and _ . @ = , + -, with a letter or digit in front.",
        )


def no_such_user(name: str) -> NotFound:
    """The error for a name that no user bears."""
    return NotFound(f"there is no user {name!r}.", hint=f"The first key makes one: maru key create {name}")


def check_policy(text: str | None) -> None:
    """Raises InvalidInput for what can't stand in a row; what it says is the doors' to judge."""
    if text is not None and len(text.encode(errors="surrogatepass")) > POLICY_BYTES_MAX:
        raise InvalidInput(f"a policy has at most {POLICY_BYTES_MAX} bytes.", hint="Make it shorter.")


def new_access_key() -> str:
    """A random name for a key: 103 bits, so that two never meet."""
    return "".join(secrets.choice(_ACCESS_KEY_CHARS) for _ in range(20))


def new_secret() -> Secret:
    """A random secret of 238 bits."""
    return Secret("".join(secrets.choice(_SECRET_CHARS) for _ in range(40)))


def is_access_key(text: str) -> bool:
    """Whether it looks like one: others are never looked up."""
    return _ACCESS_KEY.fullmatch(text) is not None


def key_row(access_key: str) -> bytes:
    """The row key of an access key."""
    return KEYS + access_key.encode()


def user_row(name: str) -> bytes:
    """The row key of a user."""
    return USERS + name.encode()


def encode_key(key: KeyRow) -> bytes:
    """The payload of a row A."""
    return _HEAD.pack(_VERSION, key.flags, 0, 0, key.created_us) + _tail(key.tail)


def decode_key(row: Row) -> KeyRow:
    """The access key of a row A."""
    flags, created_us, tail = _decoded(row, "an access key's")
    return KeyRow(row.key[1:].decode(), created_us, KeyFlag(flags), tail)


def with_secret(tail: dict[str, Any], sealed: bytes) -> dict[str, Any]:
    """Named fields with another secret, encrypted already."""
    return tail | {"secret": base64.b64encode(sealed).decode()}


def encode_user(created_us: int, tail: dict[str, Any]) -> bytes:
    """The payload of a row G."""
    return _HEAD.pack(_VERSION, 0, 0, 0, created_us) + _tail(tail)


def decode_user(row: Row) -> tuple[int, dict[str, Any]]:
    """When the user of a row G was made, and the named fields."""
    _, created_us, tail = _decoded(row, "a user's")
    return created_us, tail


def user_policy(row: Row | None) -> str | None:
    """The policy in a row G."""
    policy = None if row is None else decode_user(row)[1].get("policy")
    return None if policy is None else str(policy)


def _tail(tail: dict[str, Any]) -> bytes:
    return json.dumps(tail, separators=(",", ":"), sort_keys=True).encode() if tail else b""


def _decoded(row: Row, whose: str) -> tuple[int, int, dict[str, Any]]:
    payload = row.payload
    if len(payload) < _HEAD.size or payload[0] != _VERSION:
        raise UnsupportedFormat(f"{whose} row {row.key!r} has an unknown version.", hint="Upgrade MaruHub.")
    _, flags, _, _, created_us = _HEAD.unpack_from(payload)
    return flags, created_us, json.loads(payload[_HEAD.size :] or b"{}")
