"""Access keys for the path of a request: looked up once a second, decrypted once a change."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, TypeVar

from maruhub.namespace.access_key import AccessKey, is_access_key
from maruhub.namespace.users import Users

FRESH_S: Final = 1.0
"""A key that was looked up is used for so long before its rows are looked at again."""
HELD_MAX: Final = 1024
"""Keys that are held, secrets and policies decrypted; those that nobody used the longest are let go of."""
ABSENT_MAX: Final = 1024
"""Names that were asked for and that nobody has, of which so many are remembered for as long."""

V = TypeVar("V")


class Keyring:
    """Access keys by name, as they were within the last second. Safe from many threads.

    A key that is disabled, rotated or deleted, and a user's changed policy, so take effect within a
    second in every process, and so does a new one. A key that nobody has costs what a known one does;
    of those few are remembered, so that guessing costs no memory.

    Args:
        users: Of the hub.
        now: A clock that only goes forward, seconds.
    """

    def __init__(self, users: Users, now: Callable[[], float] = time.monotonic) -> None:
        self._users = users
        self._now = now
        self._held: OrderedDict[str, tuple[float, AccessKey]] = OrderedDict()
        self._absent: OrderedDict[str, float] = OrderedDict()

    def secret(self, access_key: str) -> str | None:
        """The secret to check a signature with; None if there is no such key, or it is disabled.

        Raises:
            Unavailable: It can't be decrypted, or the hub can't be read.
        """
        key = self.key(access_key)
        return None if key is None else key.secret.reveal()

    def key(self, access_key: str) -> AccessKey | None:
        """The key, if it is there and enabled; raises as :meth:`secret` does."""
        now = self._now()
        checked_at, known = self._held.get(access_key, (0.0, None))
        if known is None:
            checked_at = self._absent.get(access_key, now - FRESH_S)
        if now - checked_at >= FRESH_S:
            known = self._looked_up(access_key, known, now)
        return known if known is not None and known.enabled else None

    def _looked_up(self, access_key: str, known: AccessKey | None, now: float) -> AccessKey | None:
        found = self._users.find(access_key, known=known)
        if found is not None:
            _remember(self._held, access_key, (now, found), most=HELD_MAX)
            return found
        self._held.pop(access_key, None)
        if is_access_key(access_key):
            _remember(self._absent, access_key, now, most=ABSENT_MAX)
        return None


def _remember(where: OrderedDict[str, V], name: str, value: V, *, most: int) -> None:
    """Puts it at the end; beyond so many the first goes."""
    where.pop(name, None)
    where[name] = value
    if len(where) > most:
        where.popitem(last=False)
