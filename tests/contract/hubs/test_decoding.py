"""Samples are decoded in other processes wherever the hub is."""

from __future__ import annotations

from typing import Any


def test_processes_decode_what_threads_decode(hub: Any, served: Any) -> None:
    served.local.bucket("cats").put_many({f"{i:02}": b"x" * i for i in range(30)})
    served.local.dataset("cats").commit("cats")
    view = hub.version("cats")
    found = []
    for options in ({"decode_threads": 2}, {"decode_processes": 2}):
        batches = view.batches(7, seed=5, decode=len, **options)
        found.append([(batch.ids, batch.values) for batch in batches])
    assert found[0] == found[1]
    assert sorted(value for _, values in found[1] for value in values) == list(range(30))
