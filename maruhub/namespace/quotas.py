"""Usage and quotas of a hub: told, set, and counted anew while everything goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from maruhub.namespace.access_key import check_user_name
from maruhub.namespace.bucket import (
    Bucket,
    Versioning,
    bucket_key,
    bucket_range,
    decode_bucket,
    encode_bucket,
    find_bucket,
)
from maruhub.namespace.hidden import KEY_UP
from maruhub.namespace.names import encode_text
from maruhub.namespace.object import object_prefix
from maruhub.namespace.quota import (
    Quota,
    UserQuota,
    decode_user_quota,
    encode_user_quota,
    quota_key,
)
from maruhub.namespace.tally import counted
from maruhub.namespace.usage import (
    Amount,
    Count,
    Share,
    Usage,
    count_key,
    counted_ranges,
    decode_count,
    encode_count,
    share_of,
)
from maruhub.store.format.row import Row
from maruhub.store.protocol import Rows, Store, get, prefix_end, scan_all

EARLY_BYTES: Final = 1 << 20
"""From so much on a put asks for room before it writes its bytes; less is asked for with the name alone."""

_PAGE: Final = 2000


@dataclass(frozen=True, slots=True)
class Recount:
    """A bucket counted anew; ``before`` None: nobody had counted it."""

    bucket: str
    before: Usage | None
    after: Usage

    @property
    def was_wrong(self) -> bool:
        """Whether the count that stood there was another one."""
        return self.before is not None and self.before != self.after


class Quotas:
    """Usage and quotas. Safe from many threads and processes, as the store is."""

    def __init__(self, store: Store, actor: str = "") -> None:
        self._store = store
        self._actor = actor

    def usage(self, bucket: str, prefix: str = "") -> Usage:
        """What a bucket holds, or below a prefix of it, which is counted row by row."""
        found = find_bucket(self._store, bucket)
        row = get(self._store, count_key(found.id_bytes))
        usage = None if row is None else decode_count(row).usage
        if usage is not None and not prefix:
            return usage
        raw = encode_text(prefix, "prefix")
        usage = Usage()
        for (start, _), name in zip(
            counted_ranges(found.id_bytes), (raw, *2 * [raw.translate(KEY_UP)]), strict=True
        ):
            start += name
            for page in _pages(self._store, start, prefix_end(start)):
                usage = usage.plus(_added(page))
        return usage

    def is_counted(self, bucket: str) -> bool:
        """Whether its count counts: not in a bucket of an older release, until it was counted once."""
        row = get(self._store, count_key(find_bucket(self._store, bucket).id_bytes))
        return row is not None and decode_count(row).usage is not None

    def set_bucket(self, bucket: str, quota: Quota | None) -> Bucket:
        """Bounds what a bucket holds from now on; None: no bound. What is there stays."""

        def change(rows: Rows) -> Bucket:
            found = find_bucket(rows, bucket)
            tail = {name: value for name, value in found.tail.items() if name != "quota"}
            found = replace(found, tail=tail | ({"quota": quota.fields} if quota else {}))
            rows.put(bucket_key(bucket), encode_bucket(found))
            return found

        return self._store.commit(counted(change), actor=self._actor)

    def user(self, user: str) -> UserQuota | None:
        """A user's quota and what counts towards it; None: there is none."""
        check_user_name(user)
        row = get(self._store, quota_key(user))
        return None if row is None else decode_user_quota(row)

    def set_user(self, user: str, quota: Quota | None) -> UserQuota | None:
        """Bounds what all buckets of a user hold together; None: no bound."""
        check_user_name(user)

        def change(rows: Rows) -> UserQuota | None:
            if quota is None:
                rows.remove(quota_key(user))
                return None
            set_ = UserQuota(quota, _owned(rows).get(user, (0, 0)))
            rows.put(quota_key(user), encode_user_quota(set_))
            return set_

        return self._store.commit(change, actor=self._actor)

    # ------------------------------------------------------------ counting anew

    def recount(self, bucket: str, *, pause: Callable[[], None] | None = None) -> Recount:
        """Counts a bucket row by row, a page a turn, while others write; mends its count.

        Killed anywhere it leaves the old count as it is. ``pause`` is called after each turn.
        """
        found = find_bucket(self._store, bucket)
        self._store.commit(lambda rows: _begin(rows, found.id_bytes), actor=self._actor)
        while True:
            done = self._store.commit(lambda rows: _go_on(rows, found.id_bytes), actor=self._actor)
            if pause is not None:
                pause()
            if done is not None:
                before, after = done
                return Recount(bucket, before, after)

    def recount_all(self, *, pause: Callable[[], None] | None = None) -> list[Recount]:
        """Counts all buckets anew, and what the users with quotas hold; those that were wrong."""
        names = [decode_bucket(row).name for row in scan_all(self._store, *bucket_range())]
        counts = [self.recount(name, pause=pause) for name in names]
        self._store.commit(_recount_users, actor=self._actor)
        return [count for count in counts if count.was_wrong]


def check_room(store: Store, bucket_name: str, raw_keys: Sequence[bytes], size_bytes: int) -> None:
    """Raises QuotaExceeded if so many bytes put to keys now would be refused for their sum alone."""
    bucket = find_bucket(store, bucket_name)
    if "quota" not in bucket.tail and not bucket.owner:
        return
    count_row, user_row = store.get_many([count_key(bucket.id_bytes), quota_key(bucket.owner)])
    usage = None if count_row is None else decode_count(count_row).usage
    user = None if user_row is None else decode_user_quota(user_row)
    if usage is None or ("quota" not in bucket.tail and user is None):
        return
    grows = size_bytes - _replaced(store, bucket, raw_keys)
    _check_grown(Quota.of(bucket.tail.get("quota")), usage.amount, grows, f"the bucket {bucket.name!r}")
    if user is not None:
        _check_grown(user.quota, user.amount, grows, f"the user {bucket.owner!r}")


def _replaced(store: Store, bucket: Bucket, raw_keys: Sequence[bytes]) -> int:
    """Bytes that won't count any more once something else is put to keys."""
    if bucket.versioning is Versioning.ENABLED:
        return 0
    prefix = object_prefix(bucket)
    found = store.get_many([prefix + raw_key for raw_key in raw_keys])
    shares = [share_of(row.key, row.payload) for row in found if row is not None]
    return sum(share[1] for share in shares if share is not None)


def _check_grown(quota: Quota, amount: Amount, grows: int, whose: str) -> None:
    quota.check(amount, (amount[0], amount[1] + grows), whose=whose)


def _pages(store: Store, start: bytes, stop: bytes) -> Iterator[list[Row]]:
    while page := store.scan(start, stop, _PAGE):
        yield page
        start = page[-1].key + b"\0"


def _added(page: Sequence[Row]) -> list[tuple[Share, int]]:
    shares = (share_of(row.key, row.payload) for row in page)
    return [(share, 1) for share in shares if share is not None]


def _owned(rows: Rows) -> dict[str, Amount]:
    """What the buckets of each owner hold together."""
    buckets = [decode_bucket(row) for row in scan_all(rows, *bucket_range())]
    owned: dict[str, Amount] = {}
    counts = rows.get_many([count_key(bucket.id_bytes) for bucket in buckets])
    for bucket, row in zip(buckets, counts, strict=True):
        usage = None if row is None else decode_count(row).usage
        if bucket.owner and usage is not None:
            objects, size_bytes = owned.get(bucket.owner, (0, 0))
            owned[bucket.owner] = (objects + usage.amount[0], size_bytes + usage.amount[1])
    return owned


def _recount_users(rows: Rows) -> None:
    owned = _owned(rows)
    for row in scan_all(rows, b"Q", b"R"):
        user = decode_user_quota(row)
        mended = replace(user, amount=owned.get(row.key[1:].decode(), (0, 0)))
        if mended != user:
            rows.put(row.key, encode_user_quota(mended))


def _begin(rows: Rows, bucket_id: bytes) -> None:
    row = get(rows, count_key(bucket_id))
    usage = None if row is None else decode_count(row).usage
    rows.put(count_key(bucket_id), encode_count(Count(usage, Usage())))


def _go_on(rows: Rows, bucket_id: bytes) -> tuple[Usage | None, Usage] | None:
    """Counts the next page; what stood there and what there is, once all is counted."""
    row = get(rows, count_key(bucket_id))
    count = Count(None) if row is None else decode_count(row)
    if count.recount is None:
        # Another process counted the rest.
        usage = count.usage or Usage()
        return usage, usage
    page: list[Row] = []
    for start, stop in counted_ranges(bucket_id):
        if count.cursor < stop and len(page) < _PAGE:
            page += rows.scan(max(start, count.cursor + b"\0"), stop, _PAGE - len(page))
    recount = count.recount.plus(_added(page))
    if len(page) == _PAGE:
        rows.put(count_key(bucket_id), encode_count(Count(count.usage, recount, page[-1].key)))
        return None
    rows.put(count_key(bucket_id), encode_count(Count(recount)))
    return count.usage, recount
