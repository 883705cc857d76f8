"""What a bucket keeps as versions, and uploads into buckets that are gone: what stays, what goes, and when."""

from __future__ import annotations

import io

import pytest

from maruhub.care.reclaim import Expired, Hold
from maruhub.care.reclaim.uploads import StrandedUploads
from maruhub.compose import OpenPool
from maruhub.errors import Refused
from maruhub.namespace import Namespace
from maruhub.namespace.bucket import Versioning
from tests.unit.care.test_reclaim import DAY_S, Later, hidden, later, ns, pool, reclaim

__all__ = ["later", "ns", "pool"]


def test_what_a_bucket_with_lock_lists_stays_and_what_was_deleted_by_its_id_goes(
    pool: OpenPool, ns: Namespace, later: Later
) -> None:
    """A lock holds listed versions; it is no reason to keep what was allowed to be deleted."""
    ns.buckets.create("photos", delay_s=DAY_S)
    ns.buckets.set_versioning("photos", Versioning.ENABLED)
    ns.buckets.edit("photos", lambda _: {"lock": {"mode": "COMPLIANCE", "days": 3}})
    ids = [ns.objects.put("photos", "a", data).version_id for data in (b"one", b"two", b"six")]
    with pytest.raises(Refused, match="retained"):
        ns.versions.delete("photos", "a", ids[0])
    later(3 * DAY_S + 60)
    ns.versions.delete("photos", "a", ids[0])
    ns.versions.delete_current("photos", ["a"])
    assert reclaim(pool).expire() == Expired()
    later(DAY_S + 60)
    assert reclaim(pool).expire().rows == {"object version": 1}
    listed = [version.s3_id for version in ns.versions.page("photos").versions if not version.is_marker]
    assert listed == [ids[2], ids[1]]
    later(1000 * DAY_S)
    assert reclaim(pool).expire() == Expired()
    assert hidden(pool) == 3


def test_uploads_into_a_deleted_bucket_go_with_it_and_not_before(
    pool: OpenPool, ns: Namespace, later: Later
) -> None:
    ns.buckets.create("photos", delay_s=DAY_S)
    ns.buckets.create("other")
    for bucket in ("photos", "other"):
        ns.uploads.put_part(bucket, "a", ns.uploads.begin(bucket, "a").upload_id, 1, io.BytesIO(b"x" * 9000))
    ns.buckets.delete("photos")
    assert reclaim(pool).expire() == Expired()
    found = {(group.kind, group.hold) for group in reclaim(pool).survey().groups.values()}
    assert found == {("upload", "delay"), ("bucket", "delay")}
    ns.buckets.undelete("photos")
    later(2 * DAY_S)
    assert reclaim(pool).expire() == Expired()
    ns.buckets.delete("photos")
    later(DAY_S + 60)
    assert reclaim(pool).expire().rows == {"upload": 2, "bucket": 1}
    assert len(pool.store.scan(b"U", b"V", 10)) == 2


def test_an_upload_of_a_bucket_that_came_back_between_finding_and_turn_stays(
    pool: OpenPool, ns: Namespace
) -> None:
    ns.buckets.create("photos", delay_s=0)
    ns.uploads.begin("photos", "a")
    ns.buckets.delete("photos")
    part = StrandedUploads(pool.store)
    found = list(part.findings())
    assert [finding.hold for finding in found] == [Hold.NOTHING]
    ns.buckets.undelete("photos")
    assert pool.store.commit(part.removal(found)) == []
