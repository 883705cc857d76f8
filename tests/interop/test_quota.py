"""A quota over HTTP: what does not fit is refused before its bytes are taken in, and says why."""

from __future__ import annotations

from tests.s3_client import Bucket
from tests.serving import Server, maru


def test_what_goes_beyond_a_quota_is_refused(server: Server, bucket: Bucket):
    maru(server.hub, "quota", bucket.name, "--bytes", "3000000", "--objects", "2")
    assert bucket.put("a", b"a" * 2_000_000).status == 200
    for size in (1_500_000, 1_000_001):
        reply = bucket.put("b", b"b" * size)
        assert (reply.status, reply.code) == (403, "QuotaExceeded"), reply.body
    assert bucket.put("b", b"b" * 900_000).status == 200
    assert bucket.put("c", b"").code == "QuotaExceeded"
    assert bucket.ask("DELETE", "b").status == 204
    assert bucket.put("c", b"").status == 200
