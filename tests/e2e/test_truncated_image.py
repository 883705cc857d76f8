"""A truncated image reaches the trainer as it arrived; the decoder's error names no other."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

import maruhub


def png(shade: int) -> bytes:
    held = io.BytesIO()
    Image.effect_noise((64, 64), 10 + shade).save(held, "PNG")
    return held.getvalue()


def test_a_truncated_image_in_a_decoder(tmp_path: Path) -> None:
    images = {f"{i}.png": png(i) for i in range(8)}
    images["5.png"] = images["5.png"][: len(images["5.png"]) // 2]
    with maruhub.create(tmp_path / "hub") as hub:
        hub.bucket("photos").put_many(images)
        batches = hub.dataset("photos").commit("photos").batches(1, seed=1)
        failed = []
        for batch in batches:
            try:
                Image.open(io.BytesIO(batch.blobs[0])).load()
            except OSError:
                failed += batch.ids
                assert bytes(batch.blobs[0]) == images["5.png"]
        assert failed == ["photos/5.png"]
        assert batches.state_dict()["epoch"] == 1


def test_an_image_that_is_none_is_still_a_sample(tmp_path: Path) -> None:
    with maruhub.create(tmp_path / "hub") as hub:
        hub.bucket("photos")["a.png"] = b"not an image"
        batch = next(iter(hub.dataset("photos").commit("photos").batches(1)))
        with pytest.raises(OSError, match="cannot identify"):
            Image.open(io.BytesIO(batch.blobs[0]))
