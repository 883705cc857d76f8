"""Late is not lost: where nobody else has the bytes, a late blade is waited for."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from maruhub.api.door import connect, create
from maruhub.store.read.mapping import MappedFile
from maruhub.store.read.patience import _Blade

DATAS = {f"{n:02}": random.Random(n).randbytes(20_000) for n in range(24)}


@pytest.mark.parametrize("lost", [(), ("0", "3")])
def test_blades_that_are_all_late_are_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: tuple[str, ...]
):
    with create(tmp_path / "hub", blades=6) as hub:
        hub.bucket("photos").put_many(DATAS)
        hub.care.once()
    for name in lost:
        (tmp_path / "hub" / "blades" / name).rename(tmp_path / name)
    straight = MappedFile.view_cold

    def slow(self: MappedFile, start: int, end: int) -> memoryview:
        time.sleep(0.01)
        return straight(self, start, end)

    monkeypatch.setattr(MappedFile, "view_cold", slow)
    monkeypatch.setattr(MappedFile, "read_resident", lambda *_: None)
    monkeypatch.setattr(MappedFile, "is_resident", lambda *_: False)
    monkeypatch.setattr(_Blade, "_time_for", lambda *_: 0.001)
    with connect(tmp_path / "hub", read_only=True) as hub:
        assert [bytes(data) for data in hub.bucket("photos").get_many(DATAS)] == list(DATAS.values())
