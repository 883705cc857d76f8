"""What is decoded from is asked for before it is read, of all blades together."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from maruhub.api.door import connect, create
from maruhub.store.read import fetching, reader
from maruhub.store.read.mapping import MappedFile

DATAS = {f"{n:03}": random.Random(n).randbytes(20_000) for n in range(64)}


def test_strips_for_lost_blades_are_announced_by_those_that_are_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with create(tmp_path / "hub", blades=6) as hub:
        hub.bucket("photos").put_many(DATAS)
        hub.care.once()
    for lost in ("0", "3"):
        (tmp_path / "hub" / "blades" / lost).rename(tmp_path / lost)
    asked: Counter[int] = Counter()

    def announce(mapped: MappedFile, start: int, length: int) -> None:
        asked[mapped.descriptor] += 1

    monkeypatch.setattr(fetching, "read_ahead", announce)
    monkeypatch.setattr(reader.Reader, "_is_warm", lambda *_, **__: False)
    with connect(tmp_path / "hub", read_only=True) as hub:
        found = hub.bucket("photos").get_many(DATAS)
        assert [bytes(data) for data in found] == list(DATAS.values())
        decoded = hub.store.read_counts.degraded
    if decoded:
        assert len(asked) == 4
    assert sum(asked.values()) == len(DATAS) - decoded + 4 * decoded
