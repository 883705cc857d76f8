"""A scrub beside acts: what was moved while it read is neither rotten nor lost."""

from __future__ import annotations

import random
from pathlib import Path

import maruhub
from maruhub.api.hub import Hub
from maruhub.care.scrub import Scrub
from maruhub.compose import create_pool


def _sealed(path: Path) -> Hub:
    create_pool(path, n=6, segment_bytes=1 << 20).close()
    hub = maruhub.connect(path)
    chance = random.Random(1)
    hub.bucket("photos").put_many({str(n): chance.randbytes(20_000) for n in range(200)})
    hub.care.once()
    return hub


def _in_strips(hub: Hub) -> list[int]:
    return sorted(layout.segment for layout in hub.store.layouts() if layout.strips)


def _recut(hub: Hub, segments: list[int]) -> None:
    with hub.store.acting() as acts:
        for segment in segments:
            acts.recut(segment)


def test_segments_that_are_moved_during_a_round_are_no_loss(tmp_path: Path):
    with _sealed(tmp_path / "hub") as hub:
        segments = _in_strips(hub)
        left = [segments[1:]]
        done = hub.care.scrub(progress=lambda *_: _recut(hub, left.pop()) if left else None)
        assert not left
        assert (done.rotten, done.lost) == (0, [])


def test_a_segment_that_is_moved_while_it_is_read_is_read_again(tmp_path: Path, monkeypatch):
    with _sealed(tmp_path / "hub") as hub:
        left = _in_strips(hub)[:1]
        honest = Scrub._wrong_files

        def late(self, layout, current):
            if layout.segment in left:
                _recut(hub, [left.pop()])
            return honest(self, layout, current)

        monkeypatch.setattr(Scrub, "_wrong_files", late)
        done = hub.care.scrub()
        assert not left
        assert (done.rotten, done.lost) == (0, [])


def test_what_is_not_put_right_is_not_called_mended(tmp_path: Path, monkeypatch):
    with _sealed(tmp_path / "hub") as hub:
        segment = _in_strips(hub)[0]
        honest = Scrub._wrong_files

        def stubborn(self, layout, current):
            return [0] if layout.segment == segment else honest(self, layout, current)

        monkeypatch.setattr(Scrub, "_wrong_files", stubborn)
        done = hub.care.scrub()
        assert (done.rotten, done.mended) == (1, 0)
