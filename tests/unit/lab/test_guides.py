"""The guides' examples run as they stand."""

from __future__ import annotations

import io
import re
from pathlib import Path

import PIL.Image
import pytest

import maruhub
from maruhub.namespace import PutItem

GUIDES = Path(__file__).parents[3] / "docs" / "guides"


def examples() -> list[tuple[str, str]]:
    found = []
    for guide in ("loading.md", "evaluating.md"):
        found += [
            (guide, code)
            for code in re.findall(r"```python\n(.*?)```", (GUIDES / guide).read_text(), re.DOTALL)
        ]
    return found


def picture(i: int) -> bytes:
    out = io.BytesIO()
    PIL.Image.new("RGB", (8, 8), (i, 0, 0)).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(("guide", "code"), examples())
def test_an_example_runs(
    guide: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with maruhub.create("hub", blades=3) as hub:
        items = [PutItem(key=f"cats/{i}.jpg", data=picture(i)) for i in range(200)]
        hub.namespace.objects.put_many("photos", items, create_bucket=True)
        for name in ("cats", "street", "night"):
            hub.dataset(name).commit("photos/cats/")
        rows = "".join(f"cats/{i}.jpg,{'cat' if i % 2 else 'dog'}\n" for i in range(200))
        (tmp_path / "labels.csv").write_text("key,label\n" + rows)
        hub.dataset("cats").label("labels.csv")
    exec(compile(code, guide, "exec"), {})
    if guide == "evaluating.md":
        assert re.match(r"held-out: accuracy 0.97 on \d+ samples of cats@v2 test\n", capsys.readouterr().out)
