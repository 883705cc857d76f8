"""S3's versioning against a plain model of it: any sequence of operations, in all three states."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test

from maruhub.errors import NoSuchKey, NoSuchVersion, Refused
from maruhub.namespace import Namespace, PutItem, quotas
from maruhub.namespace.bucket import Versioning
from maruhub.namespace.lock import COMPLIANCE, GOVERNANCE
from maruhub.namespace.versions import Version
from maruhub.store.protocol import Store
from tests.property.counted import Counted

KEYS = st.sampled_from(["a", "a/", "a/1", "a/2", "a/b/1", "a\0", "ab", "é/é", "/"])
NULL = "null"
MODES = st.sampled_from([GOVERNANCE, COMPLIANCE])
DAY_US = 86_400_000_000
DAYS = st.sampled_from([0, 1, 2, 4, 7])
"""Not those of the default, which count from the put."""


@dataclass
class Entry:
    """A version as S3 tells of it; ``data`` None: a marker."""

    id: str
    data: bytes | None
    mode: str | None = None
    days: int = 0
    """Until when it is locked, counted from the beginning of the test."""
    hold: bool = False


class Machine(Counted):
    @initialize(lock=st.sampled_from([None, {}, {"mode": GOVERNANCE, "days": 3}]))
    def begin(self, lock: dict[str, object] | None) -> None:
        self.bucket = "b" + secrets.token_hex(8)
        self.ns = Namespace(self.store, actor="ann")
        self.ns.buckets.create(self.bucket, fields=None if lock is None else {"lock": lock})
        self.lock = lock
        self.keys: dict[str, list[Entry]] = {}
        """Newest first."""
        self.state = Versioning.OFF if lock is None else Versioning.ENABLED
        self.begun_us = time.time_ns() // 1000
        self.ids: dict[str, str] = {}

    def enters(self, key: str, entry: Entry) -> None:
        entries = self.keys.setdefault(key, [])
        if self.lock and entry.data is not None:
            entry.mode, entry.days = GOVERNANCE, 3
        if entry.id == NULL:
            entries[:] = [old for old in entries if old.id != NULL]
        entries.insert(0, entry)

    def id_of(self, raw: str) -> str:
        return raw if self.state is Versioning.ENABLED else NULL

    @rule(state=st.sampled_from([Versioning.ENABLED, Versioning.SUSPENDED]))
    def switch(self, state: Versioning) -> None:
        if self.lock is not None and state is Versioning.SUSPENDED:
            with pytest.raises(Refused):
                self.ns.buckets.set_versioning(self.bucket, state)
            return
        self.ns.buckets.set_versioning(self.bucket, state)
        self.state = state

    @rule(key=KEYS, pick=st.integers(0, 5), days=DAYS, bypass=st.booleans(), mode=MODES)
    def retain(self, key: str, pick: int, days: int, bypass: bool, mode: str) -> None:
        """Days 0: without a retention. No two terms are alike, so that the clocks decide nothing."""
        entries = [entry for entry in self.keys.get(key, []) if entry.data is not None]
        if self.lock is None or not entries:
            return
        entry = entries[pick % len(entries)]
        term = {"lock_mode": mode, "lock_until_us": self.begun_us + days * DAY_US}
        fields = term if days else dict.fromkeys(term)
        shorter = days < entry.days
        other = bool(days) and entry.mode not in (None, mode)
        refused = (shorter or other) and not (bypass and entry.mode == GOVERNANCE)
        try:
            self.ns.objects.edit(
                self.bucket, key, lambda i: fields, version_id=entry.id, bypass_governance=bypass
            )
        except Refused:
            assert refused
        else:
            assert not refused
            entry.mode, entry.days = (mode, days) if days else (None, 0)

    @rule(key=KEYS, pick=st.integers(0, 5), hold=st.booleans())
    def hold(self, key: str, pick: int, hold: bool) -> None:
        entries = [entry for entry in self.keys.get(key, []) if entry.data is not None]
        if self.lock is not None and entries:
            entry = entries[pick % len(entries)]
            self.ns.objects.edit(self.bucket, key, lambda i: {"hold": hold}, version_id=entry.id)
            entry.hold = hold

    @rule(items=st.dictionaries(KEYS, st.binary(max_size=4), min_size=1, max_size=3))
    def put(self, items: dict[str, bytes]) -> None:
        for info in self.ns.objects.put_many(self.bucket, [PutItem(k, d) for k, d in items.items()]):
            self.enters(info.key, Entry(self.id_of(info.version_id), items[info.key]))

    @rule(source=KEYS, onto=KEYS)
    def copy(self, source: str, onto: str) -> None:
        entries = self.keys.get(source, [])
        try:
            info = self.ns.objects.copy(self.bucket, source, self.bucket, onto)
        except NoSuchKey:
            assert not entries or entries[0].data is None
        else:
            self.enters(onto, Entry(self.id_of(info.version_id), entries[0].data))

    @rule(keys=st.lists(KEYS, min_size=1, max_size=3))
    def delete(self, keys: list[str]) -> None:
        done = self.ns.versions.delete_current(self.bucket, keys)
        for number, (key, deleted) in enumerate(zip(keys, done, strict=True)):
            if key in keys[:number]:
                assert not deleted.held
                continue
            entries = self.keys.get(key, [])
            assert deleted.held == bool(entries and entries[0].data is not None)
            if self.state is Versioning.OFF:
                self.keys[key] = []
                assert not deleted.marker_id
            else:
                self.enters(key, Entry(self.id_of(deleted.marker_id), None))

    @rule(key=KEYS, pick=st.integers(0, 5), wrong=st.booleans(), bypass=st.booleans())
    def delete_version(self, key: str, pick: int, wrong: bool, bypass: bool) -> None:
        entries = self.keys.get(key, [])
        entry = entries[pick % len(entries)] if entries and not wrong else None
        wanted = entry.id if entry else ("0" * 15 + "7")
        stays = entry is not None and (
            entry.hold or (entry.mode is not None and not (bypass and entry.mode == GOVERNANCE))
        )
        try:
            deleted = self.ns.versions.delete(self.bucket, key, wanted, bypass_governance=bypass)
        except Refused:
            assert stays
            return
        assert not stays
        assert deleted.held == (entry is not None)
        if entry:
            assert bool(deleted.marker_id) == (entry.data is None)
            entries.remove(entry)

    @rule(key=KEYS)
    def look(self, key: str) -> None:
        for number, entry in enumerate(self.keys.get(key, [])):
            version = self.ns.versions.head(self.bucket, key, entry.id)
            assert (version.s3_id, version.is_marker) == (entry.id, entry.data is None)
            assert version.is_latest == (number == 0)
            if entry.data is not None:
                assert self.ns.objects.read_infos([version.info])[0] == entry.data
        try:
            self.ns.versions.head(self.bucket, key, "f" * 16)
        except NoSuchVersion:
            pass
        else:
            raise AssertionError("found what was never there")

    @rule(
        prefix=st.sampled_from(["", "a", "a/", "é"]),
        delimiter=st.sampled_from(["", "/"]),
        limit=st.integers(1, 4),
    )
    def pages(self, prefix: str, delimiter: str, limit: int) -> None:
        expected: list[tuple[str, str]] = []
        for key in sorted(self.keys, key=str.encode):
            if not key.startswith(prefix) or not self.keys[key]:
                continue
            at = key.find(delimiter, len(prefix)) if delimiter else -1
            if at >= 0:
                if (key[: at + 1], "") not in expected:
                    expected.append((key[: at + 1], ""))
            else:
                expected += [(key, entry.id) for entry in self.keys[key]]
        found: list[tuple[str, str]] = []
        key_marker = version_marker = ""
        while True:
            page = self.ns.versions.page(
                self.bucket,
                prefix=prefix,
                delimiter=delimiter,
                key_marker=key_marker,
                version_marker=version_marker,
                limit=limit,
            )
            some = [(v.info.key, v.s3_id) for v in page.versions] + [(name, "") for name in page.prefixes]
            assert len(some) <= limit
            found += some
            if not page.next_key:
                break
            assert len(some) == limit
            key_marker, version_marker = page.next_key, page.next_version
        assert sorted(found) == sorted(expected)
        assert [pair for pair in found if pair[1]] == [pair for pair in expected if pair[1]]

    @invariant()
    def what_is_current(self) -> None:
        if not hasattr(self, "keys"):
            return
        current = {key: entries[0].data for key, entries in self.keys.items() if entries}
        live = {key: data for key, data in current.items() if data is not None}
        listed = [info.key for page in self.ns.listing.scan(self.bucket) for info in page]
        assert listed == sorted(live, key=str.encode)
        for key, data in live.items():
            assert self.ns.objects.read(self.bucket, key) == data
        for key, entries in self.keys.items():
            marker = self.ns.versions.marker(self.bucket, key)
            wanted = entries[0].id if entries and entries[0].data is None else None
            assert (marker.s3_id if isinstance(marker, Version) else None) == wanted


def test_versions_as_s3_keeps_them(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "_PAGE", 2)

    class Bound(Machine):
        pass

    Bound.store = store
    run_state_machine_as_test(
        Bound, settings=settings(max_examples=40, stateful_step_count=25, deadline=None)
    )
