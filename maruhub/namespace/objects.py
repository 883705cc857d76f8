"""Objects by name: read, put, copied by reference, given other metadata, deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from maruhub.errors import InvalidInput
from maruhub.namespace import copying
from maruhub.namespace.deleting import delete_change
from maruhub.namespace.digests import Digest
from maruhub.namespace.editing import Edit, edit_change
from maruhub.namespace.fields import Fields, changed, check_fields, encode_tail, pack_tail, with_user_fields
from maruhub.namespace.names import check_bucket_name, encode_key
from maruhub.namespace.object import ObjectInfo, encode_payload
from maruhub.namespace.placing import Placing, place_together
from maruhub.namespace.put import (
    UNCONDITIONAL,
    Condition,
    NewVersion,
    PutItem,
    check_condition,
    check_request,
    put_change,
    unneeded,
)
from maruhub.namespace.quotas import EARLY_BYTES, check_room
from maruhub.namespace.reads import ObjectReads
from maruhub.namespace.stream import Readable, Upload, as_bytes, pour
from maruhub.namespace.tally import counted
from maruhub.namespace.trail import Trail
from maruhub.store.format.extent import Blob
from maruhub.store.format.row import Row
from maruhub.store.protocol import Buffer, Rows


class Objects(ObjectReads):
    """All objects of a hub. Whatever a write replaces stays restorable (``Past``)."""

    def put(
        self,
        bucket: str,
        key: str,
        data: Buffer,
        *,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        mtime_ns: int | None = None,
        if_match: str | None = None,
        if_none_match: bool = False,
        request: bytes = b"",
        create_bucket: bool = False,
        fields: Fields | None = None,
        digest: Digest | None = None,
    ) -> ObjectInfo:
        """Makes ``data`` the current version of a key; durable when this returns.

        Args:
            bucket: Where; NoSuchBucket unless it exists or ``create_bucket``.
            key: 1 to 1,024 bytes of UTF-8.
            data: The bytes, not to be changed meanwhile.
            content_type: Media type.
            metadata: The user's own fields, text by text.
            mtime_ns: Time of change of the file it came from, nanoseconds since 1970.
            if_match: Only if the current ETag is this one (``*``: any); else PreconditionFailed.
            if_none_match: Only if the key holds nothing; else PreconditionFailed.
            request: At most 255 bytes that name this very write, so that it can be tried
                again when its answer was lost: the same id and bytes give the version made before.
            create_bucket: Make the bucket with its defaults if there is none.
            fields: Further named fields of the row (``docs/format-names.md``): ``tags``, ``headers``, …
            digest: The sums of ``data``, where the caller has made them already: they are believed.
        """
        return self._place(
            self.prepare(
                bucket,
                PutItem(key, data, content_type, metadata, mtime_ns, fields=fields, digest=digest),
                if_match=if_match,
                if_none_match=if_none_match,
                request=request,
                create_bucket=create_bucket,
            )
        )[0]

    def prepare(
        self,
        bucket: str,
        item: PutItem,
        *,
        if_match: str | None = None,
        if_none_match: bool = False,
        request: bytes = b"",
        create_bucket: bool = False,
    ) -> Placing:
        """The first half of :meth:`put`: refuses what can be refused by now, writes nothing.

        ``place_together`` ends it, with others that come at the same time.
        """
        free = if_match is None and not if_none_match
        condition = UNCONDITIONAL if free else Condition(if_match, if_none_match)
        return self._prepare(
            bucket, [item], conditions=[condition], request=request, create_bucket=create_bucket
        )

    def put_many(
        self, bucket: str, items: Sequence[PutItem], *, request: bytes = b"", create_bucket: bool = False
    ) -> list[ObjectInfo]:
        """Puts all items with one append and one commit, or none of them.

        Keys must differ; one failed ``if_none_match`` refuses the batch.
        """
        conditions = [Condition(None, True) if item.if_none_match else UNCONDITIONAL for item in items]
        put = self._prepare(
            bucket, items, conditions=conditions, request=request, create_bucket=create_bucket
        )
        return self._place(put) if items else []

    def _prepare(
        self,
        bucket: str,
        items: Sequence[PutItem],
        *,
        conditions: Sequence[Condition],
        request: bytes,
        create_bucket: bool,
    ) -> Placing:
        check_request(request)
        raw_keys = _distinct_keys(items)
        tails = [encode_tail(item.content_type, item.metadata, item.fields) for item in items]
        self._check_early(
            bucket, raw_keys, conditions=conditions, create_bucket=create_bucket, retriable=bool(request)
        )
        data = [as_bytes(item.data) for item in items]
        self._check_room(bucket, raw_keys, sum(map(len, data)), create_bucket=create_bucket)
        return Placing(
            bucket=bucket,
            items=items,
            raw_keys=raw_keys,
            tails=tails,
            data=data,
            conditions=conditions,
            actor=self._actor,
            request=request,
            create_bucket=create_bucket,
        )

    def _place(self, put: Placing) -> list[ObjectInfo]:
        (outcome,) = place_together(self._store, [put])
        if not isinstance(outcome, Exception):
            return outcome
        try:
            raise outcome
        finally:
            del outcome  # its traceback names this frame: a cycle that would hold what was to be put

    def _check_early(
        self,
        bucket: str,
        raw_keys: Sequence[bytes],
        *,
        conditions: Sequence[Condition],
        create_bucket: bool,
        retriable: bool,
    ) -> None:
        """Refuses before bytes are written what the commit would refuse, as far as known now."""
        check_bucket_name(bucket)
        asked = [] if retriable else [i for i, c in enumerate(conditions) if c is not UNCONDITIONAL]
        if create_bucket or (not asked and bucket in self._known):
            return
        rows = self._rows(bucket, [raw_keys[i] for i in asked])
        for i, row in zip(asked, rows, strict=True):
            check_condition(conditions[i], row, where=f"maru://{bucket}/{raw_keys[i].decode()}")

    def _check_room(
        self, bucket: str, raw_keys: Sequence[bytes], size_bytes: int, *, create_bucket: bool
    ) -> None:
        if size_bytes >= EARLY_BYTES and not create_bucket:
            check_room(self._store, bucket, raw_keys, size_bytes)

    def upload(
        self,
        bucket: str,
        key: str,
        *,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        mtime_ns: int | None = None,
        if_match: str | None = None,
        if_none_match: bool = False,
        request: bytes = b"",
        create_bucket: bool = False,
        fields: Fields | None = None,
        size_bytes: int = 0,
    ) -> Upload[ObjectInfo]:
        """Begins a put of any size: ``write`` pieces, then ``commit``. Arguments as :meth:`put`.

        ``size_bytes`` is how much will come at least, as far as that is known: QuotaExceeded
        is raised before it is written.
        """
        check_request(request)
        raw_key = encode_key(key)
        tail = with_user_fields(check_fields(fields), content_type, metadata)
        pack_tail(tail)
        condition = Condition(if_match, if_none_match)
        self._check_early(
            bucket, [raw_key], conditions=[condition], create_bucket=create_bucket, retriable=bool(request)
        )

        self._check_room(bucket, [raw_key], size_bytes, create_bucket=create_bucket)

        def finish(digest: Digest, size_bytes: int, blob: Blob, more: Fields) -> ObjectInfo:
            packed = pack_tail(changed(tail, more))
            payload = encode_payload(digest, size_bytes, mtime_ns=mtime_ns, tail=packed)
            new = NewVersion(key, raw_key, payload, blob, condition)
            placing = put_change(bucket, [new], request=request, create_bucket=create_bucket)

            def change(rows: Rows) -> ObjectInfo:
                trail.end(rows)
                return placing(rows)[0]

            info = self._store.commit(counted(change), actor=self._actor, request=request)
            self._store.disclaim(unneeded([blob], [info]))
            return info

        trail = Trail(self._store, self._actor)
        return Upload(self._store, finish, trail, expected_bytes=size_bytes)

    def put_stream(self, bucket: str, key: str, stream: Readable, **how: Any) -> ObjectInfo:
        """Puts what ``stream.read(n)`` gives, any size, in bounded memory; see :meth:`put`."""
        return pour(stream, self.upload(bucket, key, **how))

    def copy(self, src_bucket: str, src_key: str, dst_bucket: str, dst_key: str, **how: Any) -> ObjectInfo:
        """A new version of the destination that shares the source's bytes.

        Takes ``content_type``, ``metadata`` and ``mtime_ns`` (None keeps the source's),
        ``if_match`` and ``if_none_match`` (of the destination), ``request`` and
        ``create_bucket`` as :meth:`put`; and of the source ``source_version`` (an id as S3
        shows it: NoSuchVersion), ``expect_etag`` (else PreconditionFailed) and ``retail``, a
        pure function from its named fields to those of the new version. A lock and an ACL
        are never taken over.
        """
        source, target = (src_bucket, src_key), (dst_bucket, dst_key)
        change = copying.copy_change(source, target, **how)
        return self._store.commit(counted(change), actor=self._actor, request=how.get("request", b""))

    def copy_prefix(
        self,
        src_bucket: str,
        src_prefix: str,
        dst_bucket: str,
        dst_prefix: str,
        **how: Any,
    ) -> int:
        """Copies all objects below a prefix to another, by reference; how many.

        A thousand a change; when both prefixes overlap, all in one change. Takes
        ``create_bucket`` as :meth:`put`, and ``check``, which is asked for each (key, new key)
        before the first is copied: what it raises is raised.
        """
        source, target = (src_bucket, src_prefix), (dst_bucket, dst_prefix)
        return copying.copy_prefix(self._store, source, target, actor=self._actor, **how)

    def update_metadata(self, bucket: str, key: str, **how: Any) -> ObjectInfo:
        """A new version with the same bytes and other ``content_type``, ``metadata`` or ``mtime_ns``.

        None keeps a field. ``merge=True`` changes only the metadata fields given (None
        removes one). Takes ``if_match`` and ``request`` as :meth:`put`. Nothing is
        written if nothing differs.
        """
        change = copying.metadata_change(bucket, key, **how)
        return self._store.commit(counted(change), actor=self._actor, request=how.get("request", b""))

    def edit(
        self,
        bucket: str,
        key: str,
        edit: Edit,
        *,
        version_id: str | None = None,
        bypass_governance: bool = False,
    ) -> ObjectInfo:
        """Changes named fields of one version where it stands: tags, lock, hold, ACL.

        Its id, time, maker and bytes stay as they are.

        Args:
            bucket: Its bucket.
            key: Its key.
            edit: A pure function from the version to the fields to be changed; None removes one.
            version_id: As S3 shows it: hex, or ``null``; None: the current one.
            bypass_governance: Whether a GOVERNANCE retention may be made shorter.

        Raises:
            NoSuchKey: The key holds nothing.
            NoSuchVersion: No such version is current or listed.
            Refused: A retention would become shorter.
        """
        change = edit_change(bucket, key, edit, version_id, bypass=bypass_governance)
        return self._store.commit(counted(change), actor=self._actor)

    def delete(self, bucket: str, key: str, *, if_match: str | None = None) -> bool:
        """Hides what a key holds; whether it held something."""
        return self._delete(bucket, [key], Condition(if_match))[0]

    def delete_many(self, bucket: str, keys: Sequence[str]) -> list[bool]:
        """Hides what keys hold, in one commit; for each whether it held something."""
        return self._delete(bucket, keys, UNCONDITIONAL) if keys else []

    def _delete(self, bucket: str, keys: Sequence[str], condition: Condition) -> list[bool]:
        raw_keys = [encode_key(key) for key in keys]

        def refuse(raw_key: bytes, row: Row | None) -> None:
            check_condition(condition, row, where=f"maru://{bucket}/{raw_key.decode()}")

        change = delete_change(bucket, raw_keys, refuse)
        return [deleted.held for deleted in self._store.commit(counted(change), actor=self._actor)]


def _distinct_keys(items: Sequence[PutItem]) -> list[bytes]:
    raws = [encode_key(item.key) for item in items]
    if len(set(raws)) < len(raws):
        twice = next(item.key for i, item in enumerate(items) if raws[i] in raws[:i])
        raise InvalidInput(f"the key {twice!r} stands twice in one batch.", hint="Put it in two batches.")
    return raws
