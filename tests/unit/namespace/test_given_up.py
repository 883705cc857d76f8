"""Bytes that were written and will never be named: they must not keep their segment from being sealed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from maruhub import compose
from maruhub.errors import MaruError, PreconditionFailed, Unavailable
from maruhub.namespace import Namespace, PutItem
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


class Failing(MemoryStore):
    """Its next commit fails as a drive fails: nobody can say what of it will turn up."""

    error: MaruError | None = None
    disclaimed = 0

    def commit(self, change, **named):  # type: ignore[no-untyped-def]
        if self.error is not None:
            raise self.error
        return super().commit(change, **named)

    def disclaim(self, extents):  # type: ignore[no-untyped-def]
        self.disclaimed += len(list(extents))


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
