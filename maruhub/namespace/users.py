"""Users of a hub and their access keys: issued, found, disabled, rotated, deleted.

They bind whoever comes over HTTP. Who opens the hub's folder is bound by its permissions alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from maruhub.errors import AlreadyExists, NotFound
from maruhub.namespace.access_key import (
    KEYS,
    USERS,
    AccessKey,
    KeyFlag,
    KeyInfo,
    KeyRow,
    NewKey,
    User,
    check_policy,
    check_user_name,
    decode_key,
    decode_user,
    encode_key,
    encode_user,
    is_access_key,
    key_row,
    new_access_key,
    new_secret,
    no_such_user,
    user_policy,
    user_row,
    with_secret,
)
from maruhub.namespace.vault import Vault
from maruhub.store.protocol import Rows, Store, get, prefix_end, scan_all


class Users:
    """All users and access keys of a hub. Safe from many threads and processes, as the store is.

    Args:
        store: Keeps the rows.
        actor: Who acts, for histories.
        vault: Encrypts the secrets.
    """

    def __init__(self, store: Store, actor: str, vault: Vault) -> None:
        self._store = store
        self._actor = actor
        self._vault = vault

    # ------------------------------------------------------------ keys

    def create_key(
        self, user_name: str, *, admin: bool = False, policy: str | None = None, name: str = ""
    ) -> NewKey:
        """Issues an access key, and makes its user if there is none.

        Args:
            user_name: Whose it is.
            admin: It may do everything.
            policy: A policy's document: the key may do what it says and nothing else. Its meaning is not
                checked here.
            name: What people call it; the user's name by default.

        Raises:
            InvalidName: That can't name a user.
            Refused: Others may read the key file; see :class:`Vault` for more.
        """
        check_user_name(user_name)
        check_user_name(name or user_name)
        check_policy(policy)
        access_key, secret = new_access_key(), new_secret()
        tail = with_secret({"user": user_name}, self._vault.encrypt(secret, access_key))
        tail |= {} if policy is None else {"policy": policy}
        tail |= {"name": name} if name and name != user_name else {}

        def change(rows: Rows) -> None:
            key, user = rows.get_many([key_row(access_key), user_row(user_name)])
            if key is not None:
                raise AlreadyExists(f"there is an access key {access_key} already.", hint="Try again.")
            if user is None:
                rows.put(user_row(user_name), encode_user(rows.time_us, {}))
            flags = KeyFlag.ADMIN if admin else KeyFlag(0)
            rows.put(key_row(access_key), encode_key(KeyRow(access_key, rows.time_us, flags, tail)))

        self._store.commit(change, actor=self._actor)
        return NewKey(access_key, secret, user_name, admin)

    def find(self, access_key: str, *, known: AccessKey | None = None) -> AccessKey | None:
        """An access key with its secret, also one that is disabled; None if there is none.

        Args:
            access_key: As a client says it: anything.
            known: What an earlier call returned. It is returned itself if its rows have not
                changed: one look-up, and nothing decrypted.

        Raises:
            Unavailable: Its secret can't be decrypted.
        """
        if not is_access_key(access_key):
            return None
        if known is not None:
            row, user = self._store.get_many([key_row(access_key), user_row(known.user)])
            if row is not None and known.counters == (row.counter, user.counter if user else 0):
                return known
        row = get(self._store, key_row(access_key))
        if row is None:
            return None
        key = decode_key(row)
        user = get(self._store, user_row(key.user))
        info = key.info()
        return AccessKey(
            access_key,
            info.user,
            admin=info.admin,
            enabled=info.enabled,
            policy=info.policy,
            secret=self._vault.decrypt(key.sealed, access_key),
            created_us=info.created_us,
            user_policy=user_policy(user),
            counters=(row.counter, user.counter if user else 0),
        )

    def list(self, user: str | None = None) -> list[KeyInfo]:
        """All access keys, or those of one user; never their secrets. Passes over all of them."""
        infos = [decode_key(row).info() for row in scan_all(self._store, KEYS, prefix_end(KEYS))]
        return [info for info in infos if user is None or info.user == user]

    def disable(self, access_key: str) -> None:
        """Accepts the key no more, until it is enabled; raises NotFound."""
        self._change(access_key, lambda key: replace(key, flags=key.flags | KeyFlag.DISABLED))

    def enable(self, access_key: str) -> None:
        """Accepts the key again; raises NotFound."""
        self._change(access_key, lambda key: replace(key, flags=key.flags & ~KeyFlag.DISABLED))

    def rotate(self, access_key: str) -> NewKey:
        """Gives the key another secret; the old one is refused from now on. Raises NotFound.

        Works without the key file that the old secret was encrypted under.
        """
        secret = new_secret()
        sealed = self._vault.encrypt(secret, access_key) if is_access_key(access_key) else b""
        info = self._change(access_key, lambda key: replace(key, tail=with_secret(key.tail, sealed))).info()
        return NewKey(access_key, secret, info.user, info.admin)

    def delete(self, access_key: str) -> None:
        """Removes the key for good; its user stays. Raises NotFound."""

        def change(rows: Rows) -> None:
            _found(rows, access_key)
            rows.remove(key_row(access_key))

        self._store.commit(change, actor=self._actor)

    def _change(self, access_key: str, edit: Callable[[KeyRow], KeyRow]) -> KeyRow:
        def change(rows: Rows) -> KeyRow:
            before = _found(rows, access_key)
            if (after := edit(before)) != before:
                rows.put(key_row(access_key), encode_key(after))
            return after

        return self._store.commit(change, actor=self._actor)

    # ------------------------------------------------------------ users

    def user(self, name: str) -> User:
        """A user; raises NotFound, InvalidName.

        Passes over all access keys: a request has what it needs in its :class:`AccessKey`.
        """
        check_user_name(name)
        row = get(self._store, user_row(name))
        if row is None:
            raise no_such_user(name)
        return User(name, name in self._admins(), user_policy(row))

    def all(self) -> tuple[User, ...]:
        """All users, by name."""
        admins = self._admins()
        rows = scan_all(self._store, USERS, prefix_end(USERS))
        return tuple(User(name := row.key[1:].decode(), name in admins, user_policy(row)) for row in rows)

    def set_user_policy(self, user: str, text: str | None) -> None:
        """What a user may do beside what buckets' policies say; None takes it away. Raises NotFound."""
        check_user_name(user)
        check_policy(text)

        def change(rows: Rows) -> None:
            row = get(rows, user_row(user))
            if row is None:
                raise no_such_user(user)
            created_us, tail = decode_user(row)
            kept = {name: value for name, value in tail.items() if name != "policy"}
            rows.put(
                user_row(user), encode_user(created_us, kept | ({} if text is None else {"policy": text}))
            )

        self._store.commit(change, actor=self._actor)

    def _admins(self) -> set[str]:
        return {info.user for info in self.list() if info.admin and info.enabled}


def _found(rows: Rows, access_key: str) -> KeyRow:
    row = get(rows, key_row(access_key)) if is_access_key(access_key) else None
    if row is None:
        raise NotFound(f"there is no access key {access_key!r:.80}.", hint="`maru key list` shows all.")
    return decode_key(row)
