"""Connections that are cut, servers that restart: nothing twice, nothing left out, or a clear error."""

from __future__ import annotations

import io
import random
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import maruhub
from maruhub import errors
from maruhub.loaders import orders
from maruhub.remote import RemoteHub
from maruhub.remote import bucket as remote_bucket
from maruhub.remote.patience import Patience
from tests.contract.hubs.conftest import Served
from tests.contract.hubs.server import KEY, SECRET, BatchServer

SIZE = 20_000
COUNT = 400


def blob(i: int) -> bytes:
    return np.random.default_rng(i).bytes(SIZE + i)


@pytest.fixture
def full(served: Served) -> Served:
    served.local.bucket("photos").put_many({f"{i:03}": blob(i) for i in range(COUNT)})
    served.local.dataset("cats").commit("photos")
    return served


def flat(batches: Any) -> list[tuple[Any, ...]]:
    return [(b.epoch, b.step, b.ids, list(map(bytes, b.blobs)), b.positions.tolist()) for b in batches]


@pytest.mark.parametrize("seed", range(8))
def test_an_epoch_under_random_cuts_is_the_same_epoch(full: Served, seed: int) -> None:
    draw = random.Random(seed)
    size, rank, world = draw.choice([(7, 0, 1), (64, 1, 2), (1, 0, 3), (500, 0, 1)])
    how: dict[str, Any] = {"seed": seed, "rank": rank, "world": world, "epochs": 2}
    if seed % 2:
        how |= {"order": orders.Blocks(rows=8, window=4), "samples_per_epoch": 700, "remainder": "pad"}
    expected = flat(full.local.version("cats").batches(size, **how))
    full.server.cut_after, full.server.cut_most = draw, 6_000_000
    got = flat(full.remote.version("cats").batches(size, prefetch=draw.choice([0, 1 << 20]), **how))
    assert got == expected
    assert full.server.cuts >= (2 if world == 1 else 0)


def test_objects_come_whole_under_random_cuts(full: Served) -> None:
    large = np.random.default_rng(0).bytes(9 << 20)
    photos = full.local.bucket("photos")
    photos["large"] = large
    keys = [f"{i:03}" for i in range(100)] + ["large", "gone"] + [f"{i:03}" for i in range(99, -1, -1)]
    full.server.cut_after, full.server.cut_most = random.Random(28), 40_000_000
    found = full.remote.bucket("photos").read_many(keys)
    assert [each if isinstance(each, Exception) else bytes(each) for each in found[:101]] == [
        *map(blob, range(100)),
        large,
    ]
    assert isinstance(found[101], errors.NoSuchKey)
    assert full.server.cuts == 2
    assert list(map(bytes, found[102:])) == [blob(i) for i in range(99, -1, -1)]  # type: ignore[arg-type]
    full.server.cut_after, full.server.cut_most = random.Random(5), 9_000_000
    before = full.server.cuts
    assert b"".join(full.remote.bucket("photos").pieces("large")) == large
    assert full.server.cuts > before


def test_a_version_is_read_to_its_end_though_its_key_is_overwritten(full: Served) -> None:
    photos = full.local.bucket("photos")
    photos["large"] = large = np.random.default_rng(0).bytes(9 << 20)
    pieces = full.remote.bucket("photos").pieces("large")
    first = next(pieces)
    photos["large"] = b"another"
    assert b"".join([first, *pieces]) == large


def test_a_server_that_restarts_in_mid_epoch_is_waited_for(full: Served) -> None:
    expected = flat(full.local.version("cats").batches(8, seed=2, epochs=4))
    batches = full.remote.version("cats").batches(8, seed=2, epochs=4, prefetch=1 << 16)
    got = [next(batches) for _ in range(5)]
    port = full.server.port
    full.server.close()
    revived: list[BatchServer] = []

    def revive() -> None:
        time.sleep(0.3)
        revived.append(BatchServer(full.local, port=port))

    thread = threading.Thread(target=revive)
    thread.start()
    try:
        got += list(batches)
    finally:
        thread.join()
        full.server = revived[0]
    assert flat(got) == expected


def test_a_request_that_came_too_slowly_was_not_done_and_is_sent_again(
    full: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = full.remote.bucket("photos")
    for act in (lambda: photos.put("new", b"data"), lambda: photos.delete_many(["new"])):
        full.server.time_out = 2
        act()
        assert full.server.time_out == 0
    assert "new" not in full.local.bucket("photos")
    full.server.time_out = 1000
    monkeypatch.setattr(full.remote.transport, "patience_s", 0.2)
    with pytest.raises(errors.Busy, match="in time"):
        photos.put("new", b"data")


def test_a_put_whose_answer_is_lost_is_stored_once(full: Served) -> None:
    photos = full.remote.bucket("photos")
    full.server.refuse = 1
    info = photos.put("new", b"1", if_none_match=True)
    assert len(photos.history("new")) == 1
    assert info.version_id == full.local.bucket("photos").stat("new").version_id


def test_a_delete_whose_answer_is_lost_says_so(full: Served) -> None:
    full.remote.bucket("photos").stat("000")
    full.server.refuse = 1
    with pytest.raises(errors.Unavailable, match="may have been done"):
        full.remote.bucket("photos").delete_many(["000"])


def test_a_large_upload_goes_in_parts_and_leaves_nothing_on_an_error(
    full: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maruhub.remote.bucket.WRITE_BYTES", 6 << 20)
    monkeypatch.setattr("maruhub.remote.uploading._PART_BYTES", 6 << 20)
    data = np.random.default_rng(0).bytes((20 << 20) + 5)
    photos = full.remote.bucket("photos")
    full.server.refuse = 1
    info = photos.put("large", io.BytesIO(data), metadata={"a": "b"}, content_type="x/y")
    assert (info.size, info.metadata, info.content_type) == (len(data), {"a": "b"}, "x/y")
    assert bytes(full.local.bucket("photos")["large"]) == data
    assert photos.put("again", data).etag == info.etag
    with pytest.raises(errors.PreconditionFailed):
        photos.put("large", data, if_none_match=True)
    assert list(full.local.namespace.uploads.all("photos")) == []


def test_a_hub_that_is_gone_is_an_error_in_bounded_time(full: Served) -> None:
    with maruhub.connect(full.server.url, access_key=KEY, secret_key=SECRET, patience_s=0.3) as remote:
        batches = remote.version("cats").batches(8, prefetch=1 << 16, epochs=20)
        next(batches)
        full.server.close()
        # Bound and not listening: nobody else of this machine may answer there meanwhile.
        with socket.socket() as held:
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            held.bind(("127.0.0.1", full.server.port))
            with pytest.raises(errors.Unavailable, match=full.server.url):
                list(batches)
            with pytest.raises(errors.Unavailable):
                remote.bucket("photos").get_many(["000"])


def test_a_wrong_key_is_refused_and_the_secret_shows_nowhere(full: Served) -> None:
    for key, secret in ((KEY, "another secret"), ("nobody", SECRET)):
        with maruhub.connect(full.server.url, access_key=key, secret_key=secret) as remote:
            with pytest.raises(errors.Refused, match=key) as refused:
                remote.buckets()
            assert secret not in f"{refused.value} {remote!r} {remote.transport.credentials!r}"


def test_keys_come_from_the_environment(full: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARU_ACCESS_KEY", KEY)
    monkeypatch.setenv("MARU_SECRET_KEY", SECRET)
    with maruhub.connect(full.server.url) as remote:
        assert isinstance(remote, RemoteHub)
        assert [bucket.name for bucket in remote.buckets()] == ["photos"]  # type: ignore[unreachable]


@pytest.mark.parametrize("url", ["http://", "http://host:port", "http://host/path", "https://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(errors.InvalidInput):
        maruhub.connect(url, access_key="a", secret_key="b")


def test_bytes_altered_on_the_way_are_asked_for_again(full: Served) -> None:
    door, altered = full.server.door, []
    frames = door.read

    def alter(*arguments: Any, **how: Any) -> Iterator[bytes]:
        for frame in frames(*arguments, **how):
            if len(frame) > 100_000 and len(altered) < 3:
                altered.append(1)
                frame = frame[:-70_000] + bytes([frame[-70_000] ^ 1]) + frame[-70_000 + 1 :]
            yield frame

    door.read = alter  # type: ignore[method-assign]
    assert flat(full.remote.version("cats").batches(50)) == flat(full.local.version("cats").batches(50))
    assert len(altered) == 3


def test_patience_ends_and_is_renewed_by_progress() -> None:
    now = [0.0]
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds

    patience = Patience(10, sleep=sleep, now=lambda: now[0])
    for _ in range(2):
        while patience.failed():
            assert 0 < pauses[-1] <= 2
        assert now[0] == pytest.approx(sum(pauses))
        patience.progress()
    assert now[0] == pytest.approx(20)
    assert len(pauses) < 50


@pytest.fixture
def in_parts(served: Served, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A bucket elsewhere into which all but tiny objects go in parts."""
    monkeypatch.setattr(remote_bucket, "WRITE_BYTES", 1 << 10)
    return served.remote.bucket("photos")


def test_a_time_that_may_not_be_set_does_not_fail_what_is_stored(
    served: Served, in_parts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert in_parts.put("timed", blob(1), mtime_ns=7).mtime_ns == 7
    answer = served.server.door.answer

    def write_only(head: Any, body: bytes, allowed: Any) -> Any:
        return answer(head, body, lambda need: need.action != "s3:GetObject")

    monkeypatch.setattr(served.server.door, "answer", write_only)
    made = in_parts.put("stored", blob(2), mtime_ns=7)
    there = served.local.bucket("photos")
    assert there["stored"] == blob(2)
    assert (made.etag, made.mtime_ns) == (there.stat("stored").etag, there.stat("stored").mtime_ns)
    assert made.mtime_ns != 7


@pytest.mark.parametrize("error", [errors.Unavailable, errors.NoSuchKey, errors.Corrupt])
def test_whatever_fails_while_a_time_is_set_the_object_is_stored(
    served: Served, in_parts: Any, monkeypatch: pytest.MonkeyPatch, error: type[errors.MaruError]
) -> None:
    call = remote_bucket.RemoteBucket._call

    def cut(bucket: Any, what: str, **arguments: Any) -> Any:
        if what == "update":
            raise error("the connection is gone.")
        return call(bucket, what, **arguments)

    monkeypatch.setattr(remote_bucket.RemoteBucket, "_call", cut)
    assert in_parts.put("stored", blob(2), mtime_ns=7).size == len(blob(2))
    assert served.local.bucket("photos")["stored"] == blob(2)
