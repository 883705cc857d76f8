"""Lists for frameworks that read files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

import maruhub
from maruhub.adapters.lists import write_list
from maruhub.errors import InvalidData, InvalidInput

DATA = {"cats/1.jpg": b"one", "cats": b"both file and folder", "../up": b"kept inside", "dogs//x": b"two"}


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[maruhub.Hub]:
    with maruhub.create(tmp_path / "hub", blades=1) as hub:
        hub.bucket("photos").put_many(DATA)
        ids = hub.dataset("pets").commit("photos").ids()
        names = [None if each.endswith("up") else f"label {len(each)}" for each in ids]
        hub.dataset("pets").label(pa.table({"id": ids, "label": [len(each) for each in ids], "name": names}))
        yield hub


def test_each_line_leads_to_a_file_and_its_label(hub: maruhub.Hub, tmp_path: Path) -> None:
    view = hub.version("pets").sort("size")
    for _ in range(2):  # over what is there already, too
        path = write_list(view, tmp_path / "out", "label")
        lines = [line.split("\t") for line in path.read_text().splitlines()]
        assert [int(label) for _, label in lines] == view.table(["label"]).column(0).to_pylist()
        assert [(tmp_path / "out" / file).read_bytes() for file, _ in lines] == list(
            map(bytes, view.read_many())
        )
    assert sorted(each.name for each in tmp_path.iterdir()) == ["hub", "out"], "nothing beside the folder"
    assert not list((tmp_path / "out").glob(".*.partial"))


def test_the_guide_writes_what_it_says(hub: maruhub.Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = hub.bucket("digits-raw")
    bucket.put_many({f"{i:03}": b"x" * i for i in range(100)})
    ids = hub.dataset("digits").commit("digits-raw").ids()
    hub.dataset("digits").label(pa.table({"id": ids, "label": [0] * 100}))
    monkeypatch.chdir(hub.path.parent)
    page = Path(__file__).parents[3] / "docs" / "guides" / "lists.md"
    block = page.read_text().split("```python\n")[1].split("```")[0]
    exec(compile(block, str(page), "exec"), {})
    assert len((hub.path.parent / "files" / "map.txt").read_text().splitlines()) == 50


def test_labels_that_no_line_can_hold_are_refused_before_anything_is_written(
    hub: maruhub.Hub, tmp_path: Path
) -> None:
    with pytest.raises(InvalidData, match="up"):
        write_list(hub.version("pets"), tmp_path / "out", "name")
    with pytest.raises(InvalidInput, match="breed"):
        write_list(hub.version("pets"), tmp_path / "out", "breed")
    assert not (tmp_path / "out" / "map.txt").exists()
    few = hub.version("pets").where("name IS NOT NULL")
    assert len(write_list(few, tmp_path / "out", "name", name="few.txt").read_text().splitlines()) == 3
