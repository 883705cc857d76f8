"""Bytes that were written and will never be named: they must not keep their segment from being sealed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from maruhub import compose
from maruhub.errors import Conflict, MaruError, NoSpace, PreconditionFailed, Unavailable
from maruhub.namespace import Namespace, PutItem
from maruhub.store.commit.log import Log
from maruhub.store.format.segment_class import SegmentClass
from maruhub.store.pool import make_pool
from maruhub.testing.memory_store import MemoryStore

BODY = bytes(range(256)) * 100


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[compose.OpenPool]:
    hub = tmp_path / "hub"
    make_pool(hub, [hub / "blades" / str(n) for n in range(2)], segment_bytes=8 << 20)
    opened = compose.open_pool(hub)
    opened.store._seals = False
    yield opened
    opened.close()


def holds(pool: compose.OpenPool) -> int:
    """Closed segments that this process keeps from being sealed."""
    pool.store.close_logs(0)
    writer = pool.store._writer_side().writer
    assert writer._finished
    return sum(writer._holds.is_held(segment) for segment in writer._finished)


def test_an_upload_that_is_given_up_leaves_its_segment_free(pool: compose.OpenPool) -> None:
    names = Namespace(pool.store, actor="me@here")
    names.buckets.create("photos")
    names.objects.put("photos", "a", BODY)
    upload = names.objects.upload("photos", "b")
    upload.write(BODY * 50)
    upload.abort()
    assert holds(pool) == 0


def test_an_upload_that_is_refused_leaves_its_segment_free(pool: compose.OpenPool) -> None:
    names = Namespace(pool.store, actor="me@here")
    names.buckets.create("photos")
    upload = names.objects.upload("photos", "a", if_none_match=True)
    upload.write(BODY * 50)
    names.objects.put("photos", "a", BODY)
    with pytest.raises(PreconditionFailed):
        upload.commit()
    assert holds(pool) == 0


def test_a_put_that_is_refused_leaves_its_segment_free(pool: compose.OpenPool) -> None:
    names = Namespace(pool.store, actor="me@here")
    names.buckets.create("photos")
    names.objects.put("photos", "a", BODY)
    items = [PutItem("b", BODY), PutItem("a", BODY, if_none_match=True)]
    with pytest.raises(PreconditionFailed):
        names.objects.put_many("photos", items, request=b"a try")
    assert holds(pool) == 0


def test_what_a_retry_writes_once_more_leaves_its_segment_free(pool: compose.OpenPool) -> None:
    names = Namespace(pool.store, actor="me@here")
    names.buckets.create("photos")
    for _ in range(2):
        names.objects.put("photos", "a", BODY, request=b"one try")
        upload = names.objects.upload("photos", "b", request=b"another")
        upload.write(BODY * 50)
        upload.commit()
    assert len(names.past.history("photos", "a")) == 1
    assert holds(pool) == 0
    assert [names.objects.read("photos", key) for key in "ab"] == [BODY, BODY * 50]


def test_an_append_that_finds_no_room_half_way_leaves_its_segment_free(
    pool: compose.OpenPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = Namespace(pool.store, actor="me@here")
    names.buckets.create("photos")
    names.objects.put("photos", "a", BODY)
    pool.store._bulk_bytes = 1 << 40

    def full(_class: SegmentClass) -> Log:
        raise NoSpace("no room.")

    with monkeypatch.context() as patched:
        patched.setattr(pool.store._writer_side().writer, "_create", full)
        with pytest.raises(NoSpace):
            names.objects.put("photos", "b", BODY * 400)
    names.objects.put("photos", "c", BODY)
    assert holds(pool) == 0
    assert [names.objects.read("photos", key) for key in "ac"] == [BODY, BODY]


class Failing(MemoryStore):
    """Its next commit fails as a drive fails: nobody can say what of it will turn up."""

    error: MaruError | None = None
    gone: MaruError | None = None
    disclaimed = 0

    def commit(self, change, **named):  # type: ignore[no-untyped-def]
        if self.error is not None:
            raise self.error
        return super().commit(change, **named)

    def disclaim(self, extents):  # type: ignore[no-untyped-def]
        if self.gone is not None:
            raise self.gone
        self.disclaimed += len(list(extents))


@pytest.mark.parametrize(("error", "disclaimed"), [(Unavailable("gone."), 0), (Conflict("no."), 2)])
def test_what_a_trail_may_name_is_not_given_up(
    error: MaruError, disclaimed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maruhub.namespace.stream.STEP_BYTES", 2 << 20)
    store = Failing()
    names = Namespace(store, actor="me@here")
    names.buckets.create("photos")
    upload = names.objects.upload("photos", "a")
    store.error = error
    with pytest.raises(type(error)):
        upload.write(bytes(2 << 20))
    upload.abort()
    assert store.disclaimed == disclaimed


def test_an_upload_goes_on_behind_a_trail_that_may_turn_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maruhub.namespace.stream.STEP_BYTES", 2 << 20)
    store = Failing()
    names = Namespace(store, actor="me@here")
    names.buckets.create("photos")
    upload = names.objects.upload("photos", "a")
    store.error = Unavailable("gone.")
    with pytest.raises(Unavailable):
        upload.write(bytes(2 << 20))
    store.error = None
    upload.write(b"more")
    upload.commit()
    assert names.objects.read("photos", "a") == bytes(2 << 20) + b"more"
    assert store.disclaimed == 0


def test_giving_up_hides_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maruhub.namespace.stream.STEP_BYTES", 2 << 20)
    store = Failing()
    names = Namespace(store, actor="me@here")
    names.buckets.create("photos")

    class Torn(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 3 << 20:
                store.error = store.gone = Unavailable("the drive is gone.")
                raise EOFError("the client is gone.")
            return super().read(size)

    with pytest.raises(EOFError):
        names.objects.put_stream("photos", "a", Torn(bytes(5 << 20)))


def test_what_may_turn_up_with_a_log_is_not_given_up() -> None:
    store = Failing()
    names = Namespace(store, actor="me@here")
    names.buckets.create("photos")
    upload = names.objects.upload("photos", "a")
    upload.write(BODY)
    store.error = Unavailable("the drive is gone.")
    with pytest.raises(Unavailable):
        upload.commit()
    with pytest.raises(Unavailable):
        names.objects.put("photos", "b", BODY)
    assert store.disclaimed == 0
    store.error = PreconditionFailed("another was first.")
    with pytest.raises(PreconditionFailed):
        names.objects.put("photos", "b", BODY)
    assert store.disclaimed == 1
