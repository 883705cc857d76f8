"""Access keys for the path of a request: looked up once a second, decrypted once a change."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from maruhub.namespace.access_key import AccessKey
from maruhub.namespace.users import Users

FRESH_S: Final = 1.0
"""A key that was looked up is used for so long before its rows are looked at again."""


class Keyring:
    """Access keys by name, as they were within the last second. Safe from many threads.

    A key that is disabled, rotated or deleted, and a user's changed policy, so take effect within a
    second in every process. Keys that nobody has are not remembered, so that guessing costs no
    memory.

    Args:
        users: Of the hub.
        now: A clock that only goes forward, seconds.
    """

    def __init__(self, users: Users, now: Callable[[], float] = time.monotonic) -> None:
        self._users = users
        self._now = now
        self._held: dict[str, tuple[float, AccessKey]] = {}

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
        if known is None or not 0 <= now - checked_at < FRESH_S:
            known = self._users.find(access_key, known=known)
            if known is None:
                self._held.pop(access_key, None)
                return None
            self._held[access_key] = now, known
        return known if known.enabled else None
