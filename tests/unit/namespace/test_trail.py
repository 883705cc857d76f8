"""Large puts leave a trail that names what they have written, and take it away."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import maruhub
from maruhub.api import Hub
from maruhub.errors import Conflict, PreconditionFailed
from maruhub.namespace import trail
from maruhub.store.protocol import prefix_end

STEP = 4 << 20


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("maruhub.namespace.stream.STEP_BYTES", STEP)
    with maruhub.create(tmp_path / "hub", blades=4) as hub:
        hub.namespace.buckets.create("box")
        yield hub


def rows(hub: Hub) -> int:
    return len(hub.store.scan(trail.PREFIX, prefix_end(trail.PREFIX), 1000))


def begun(hub: Hub, data: bytes, **how):
    upload = hub.namespace.objects.upload("box", "key", **how)
    upload.write(data)
    return upload


def test_a_large_put_is_named_while_it_goes_on_and_whole_behind_it(hub: Hub):
    data = os.urandom(3 * STEP + 777)
    upload = begun(hub, data)
    assert rows(hub) == 3
    upload.commit()
    assert rows(hub) == 0
    assert hub.bucket("box")["key"] == data


def test_a_part_too(hub: Hub):
    uploads = hub.namespace.uploads
    number = uploads.begin("box", "key").upload_id
    part = uploads.part("box", "key", number, 1)
    part.write(data := os.urandom(2 * STEP))
    assert rows(hub) == 2
    etag = part.commit().etag
    assert rows(hub) == 0
    uploads.complete("box", "key", number, [(1, etag)])
    assert hub.bucket("box")["key"] == data


def test_a_put_that_is_given_up_or_refused_leaves_none(hub: Hub):
    upload = begun(hub, os.urandom(STEP))
    assert rows(hub) == 1
    upload.abort()
    assert rows(hub) == 0
    hub.bucket("box")["key"] = b"somebody else's"
    upload = hub.namespace.objects.upload("box", "other", if_none_match=True)
    upload.write(os.urandom(STEP))
    hub.bucket("box")["other"] = b"was quicker"
    with pytest.raises(PreconditionFailed):
        upload.commit()
    assert rows(hub) == 0
    upload.abort()


def test_a_dead_process_leaves_a_trail_that_goes_after_a_day(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    upload = begun(hub, os.urandom(2 * STEP))
    hub.reclaim.expire()
    assert rows(hub) == 2
    assert any("put under way" in group for group in hub.reclaim.survey().groups)
    monkeypatch.setattr("maruhub.care.reclaim.trails.KEPT_US", 0)
    hub.reclaim.expire()
    assert rows(hub) == 0
    # Its bytes may be gone: whoever goes on with it after all must not name them.
    with pytest.raises(Conflict):
        upload.commit()
    assert "key" not in hub.bucket("box")


def test_what_was_written_is_sealed_before_the_put_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("maruhub.namespace.stream.STEP_BYTES", STEP)
    from maruhub import compose

    compose.create_pool(tmp_path / "hub", n=6, segment_bytes=16 << 20).close()
    with maruhub.connect(tmp_path / "hub") as hub:
        hub.namespace.buckets.create("box")
        data = os.urandom(96 << 20)
        upload = begun(hub, data)
        hub.care.once()
        raw = sum(path.stat().st_size for path in (tmp_path / "hub" / "blades").rglob("*") if path.is_file())
        assert raw < 2.2 * len(data)
        upload.commit()
        assert hub.bucket("box")["key"] == data
