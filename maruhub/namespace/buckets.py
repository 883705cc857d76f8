"""The buckets of a hub: made, listed, deleted with a way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from maruhub.errors import AlreadyExists, BucketNotEmpty, NoSuchBucket, Refused
from maruhub.namespace.access_key import check_user_name, no_such_user, user_row
from maruhub.namespace.bucket import (
    DELAY_S,
    Bucket,
    Versioning,
    bucket_key,
    bucket_range,
    decode_bucket,
    delay_to_us,
    encode_bucket,
    find_bucket,
    find_or_stage_bucket,
    hidden_bucket_key,
    hidden_bucket_prefix,
)
from maruhub.namespace.fields import Fields
from maruhub.namespace.hidden import holds_versions
from maruhub.namespace.names import check_bucket_name
from maruhub.namespace.object import objects_range
from maruhub.namespace.retention import Term, wall_moment
from maruhub.namespace.setting import changed_settings
from maruhub.namespace.tally import counted
from maruhub.store.protocol import Rows, Store, get, prefix_end, scan_all


class Buckets:
    """All buckets of a hub. Safe from many threads and processes, as the store is."""

    def __init__(self, store: Store, actor: str = "") -> None:
        self._store = store
        self._actor = actor

    def create(
        self,
        name: str,
        *,
        delay_s: float = DELAY_S,
        exist_ok: bool = False,
        owner: str = "",
        fields: Fields | None = None,
    ) -> Bucket:
        """Makes a bucket.

        Args:
            name: See ``docs/reference/names.md``.
            delay_s: How long what is overwritten or deleted in it stays restorable.
            exist_ok: Return the one that exists (as it is) instead of AlreadyExists.
            owner: The user who has full rights to it over HTTP; empty for nobody.
            fields: Its settings, as :meth:`edit` has them. With ``lock`` it keeps versions.
        """
        check_bucket_name(name)
        if owner:
            check_user_name(owner)
        delay_us = delay_to_us(delay_s)
        tail = changed_settings({}, fields or {})
        if "lock" in tail:
            tail["versioning"] = Versioning.ENABLED.value

        def change(rows: Rows) -> Bucket:
            row = get(rows, bucket_key(name))
            if row is not None and not exist_ok:
                raise AlreadyExists(f"there is a bucket {name!r} already.", hint="Choose another name.")
            return find_or_stage_bucket(rows, name, create=True, delay_us=delay_us, owner=owner, tail=tail)

        return self._store.commit(counted(change), actor=self._actor)

    def get(self, name: str) -> Bucket:
        """The bucket of that name; raises NoSuchBucket, InvalidName."""
        return find_bucket(self._store, name)

    def all(self) -> list[Bucket]:
        """Those that exist, by name."""
        start, stop = bucket_range()
        return [decode_bucket(row) for row in scan_all(self._store, start, stop)]

    def delete(self, name: str) -> None:
        """Hides a bucket that holds no current objects, else raises BucketNotEmpty.

        It and its hidden objects stay restorable for its delay: see :meth:`undelete`. One
        that is retained can't be deleted: Refused.
        """

        def change(rows: Rows) -> None:
            bucket = find_bucket(rows, name)
            if rows.scan(*objects_range(bucket), 1):
                raise BucketNotEmpty(f"the bucket {name!r} holds objects.", hint="Delete them first.")
            if bucket.versioning is not Versioning.OFF and holds_versions(rows, bucket):
                raise BucketNotEmpty(f"the bucket {name!r} holds versions.", hint="Delete each by its id.")
            now = rows.pool_time_us
            if bucket.retain_until_us > now:
                raise Refused(
                    f"the bucket {name!r} is retained until {wall_moment(bucket.retain_until_us, now)} at least.",
                    hint="Nobody can end a retention early.",
                )
            hidden = replace(bucket, hidden_us=now, eradicate_at_us=now + bucket.delay_us)
            rows.remove(bucket_key(name))
            rows.put(hidden_bucket_key(name, rows.counter), encode_bucket(hidden))

        self._store.commit(counted(change), actor=self._actor)

    def undelete(self, name: str) -> Bucket:
        """Brings back the bucket of that name that was deleted last, with its hidden objects.

        Raises AlreadyExists if there is one of that name now, NoSuchBucket if none is left.
        """
        check_bucket_name(name)
        prefix = hidden_bucket_prefix(name)

        def change(rows: Rows) -> Bucket:
            if get(rows, bucket_key(name)) is not None:
                raise AlreadyExists(f"there is a bucket {name!r} now.", hint="Delete it first.")
            hidden = rows.scan(prefix, prefix_end(prefix), 1)
            if not hidden:
                raise NoSuchBucket(f"no deleted bucket {name!r} is left to restore.")
            bucket = replace(decode_bucket(hidden[0]), hidden_us=0, eradicate_at_us=0)
            rows.remove(hidden[0].key)
            rows.put(bucket_key(name), encode_bucket(bucket))
            return bucket

        return self._store.commit(counted(change), actor=self._actor)

    def set_delay(self, name: str, delay_s: float) -> Bucket:
        """Another eradication delay from now on.

        A longer one holds for what is hidden already too; a shorter one never does.
        """
        delay_us = delay_to_us(delay_s)

        def change(rows: Rows) -> Bucket:
            bucket = find_bucket(rows, name).with_delay(delay_us, rows.pool_time_us)
            rows.put(bucket_key(name), encode_bucket(bucket))
            return bucket

        return self._store.commit(counted(change), actor=self._actor)

    def set_owner(self, name: str, owner: str) -> Bucket:
        """Gives a bucket to another user; with an empty name to nobody. Raises NotFound for no user's name."""
        if owner:
            check_user_name(owner)

        def change(rows: Rows) -> Bucket:
            bucket = find_bucket(rows, name)
            if owner and get(rows, user_row(owner)) is None:
                raise no_such_user(owner)
            rows.put(bucket_key(name), encode_bucket(bucket := bucket.owned(owner)))
            return bucket

        return self._store.commit(counted(change), actor=self._actor)

    def set_versioning(self, name: str, versioning: Versioning) -> Bucket:
        """Keeps S3's versions from now on, or suspends that; OFF is for buckets that never did."""

        def change(rows: Rows) -> Bucket:
            bucket = find_bucket(rows, name)
            if versioning is Versioning.OFF and bucket.versioning is not Versioning.OFF:
                raise Refused(
                    f"the bucket {name!r} has kept versions: that can only be suspended.",
                    hint="Suspend it; delete versions one by one.",
                )
            if bucket.locks and versioning is not Versioning.ENABLED:
                raise Refused(f"the bucket {name!r} has object lock: it keeps versions for ever.")
            if versioning is not bucket.versioning:
                bucket = replace(bucket, tail=bucket.tail | {"versioning": versioning.value})
                rows.put(bucket_key(name), encode_bucket(bucket))
            return bucket

        return self._store.commit(counted(change), actor=self._actor)

    def edit(self, name: str, edit: Callable[[Bucket], dict[str, Any]]) -> Bucket:
        """Changes settings of a bucket in one commit.

        Args:
            name: Its name.
            edit: A pure function from the bucket to the settings to be changed; None removes
                one. They are kept as they are, any JSON, at most 512 KiB together.

        Raises:
            InvalidInput: It's no setting, or not JSON.
            Refused: Object lock would end, or begin in a bucket that doesn't keep versions.
        """

        def change(rows: Rows) -> Bucket:
            bucket = find_bucket(rows, name)
            tail = changed_settings(bucket.tail, edit(bucket))
            if "lock" in tail and bucket.versioning is not Versioning.ENABLED:
                raise Refused(
                    f"the bucket {name!r} doesn't keep versions, so none can be locked.",
                    hint="Enable versioning first.",
                )
            if tail != bucket.tail:
                rows.put(bucket_key(name), encode_bucket(bucket := replace(bucket, tail=tail)))
            return bucket

        return self._store.commit(counted(change), actor=self._actor)

    def retain(self, name: str, term: Term) -> Bucket:
        """Keeps the bucket and every version in it from eradication for a term at least.

        A delete or an overwrite still hides; what is hidden can be brought back until then.
        The longest term ever set holds: it can't be shortened, by anybody.
        """

        def change(rows: Rows) -> Bucket:
            bucket = find_bucket(rows, name)
            until_us = term.pool_us(rows)
            if until_us <= bucket.retain_until_us:
                return bucket
            rows.put(bucket_key(name), encode_bucket(bucket := bucket.retained(until_us)))
            return bucket

        return self._store.commit(counted(change), actor=self._actor)
