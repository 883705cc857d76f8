"""A hub that the tests of a file share."""

from __future__ import annotations

import pytest

from tests.e2e.maru import Maru


@pytest.fixture(scope="module")
def maru(tmp_path_factory: pytest.TempPathFactory) -> Maru:
    """A hub with forty photos of two kinds, ingested and labelled."""
    folder = tmp_path_factory.mktemp("cli")
    for i in range(40):
        path = folder / "photos" / ("cats" if i % 2 else "dogs") / f"{i:02}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"photo {i} ".encode() * (i + 1))
    rows = [f"{'cats' if i % 2 else 'dogs'}/{i:02}.jpg,{'cat' if i % 2 else 'dog'},{i}" for i in range(40)]
    (folder / "labels.csv").write_text("key,label,age\n" + "\n".join(rows) + "\n")
    maru = Maru(folder, MARU_HUB="hub")
    maru.ok("init", "hub", "--blades", "3")
    maru.ok("ingest", "photos", "photos")
    maru.ok("commit", "pets", "photos", "-m", "first")
    maru.ok("label", "pets", "labels.csv")
    return maru
