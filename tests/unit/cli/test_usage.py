"""``maru du`` shows what is there, ``maru quota`` bounds it, ``maru check`` puts a wrong count right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import maruhub
from maruhub.cli.main import main
from maruhub.cli.usage import _size
from maruhub.errors import InvalidInput
from maruhub.namespace.usage import Count, Usage, count_key, encode_count

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    with maruhub.create(tmp_path / "hub", blades=1) as hub:
        hub.namespace.buckets.create("cats", owner="ann")
        hub.namespace.buckets.create("dogs")
        hub.bucket("cats").put_many({"a/1": b"1" * 1000, "b": b"2" * 500})
        hub.bucket("cats").delete_many(["b"])
    monkeypatch.setenv("MARU_HUB", str(tmp_path / "hub"))
    return tmp_path / "hub"


def told(capsys: Capture, *words: str) -> Any:
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_du(hub: Path, capsys: Capture) -> None:
    found = told(capsys, "du")
    cats, dogs = found["buckets"]
    assert (cats["objects"], cats["hidden"]) == ({"count": 1, "bytes": 1000}, {"count": 1, "bytes": 500})
    assert dogs["objects"] == {"count": 0, "bytes": 0}
    assert found["owners"] == [
        {"owner": "ann", "objects": 1, "bytes": 1000, "quota": None},
        {"owner": "", "objects": 0, "bytes": 0, "quota": None},
    ]
    (below,) = told(capsys, "du", "cats/b")["buckets"]
    assert (below["objects"]["count"], below["hidden"]["count"]) == (0, 1)
    assert main(["du"]) == 0
    assert "cats" in capsys.readouterr().out


def test_quotas_are_set_shown_kept_and_removed(hub: Path, capsys: Capture, tmp_path: Path) -> None:
    assert told(capsys, "quota", "cats", "--bytes", "1.5K", "--objects", "9") == {
        "bucket": "cats",
        "quota": {"bytes": 1500, "objects": 9},
        "objects": 1,
        "bytes": 1000,
    }
    (tmp_path / "file").write_bytes(b"3" * 600)
    assert main(["cp", str(tmp_path / "file"), "maru://cats/c"]) == 5
    assert "this needs 600 more" in capsys.readouterr().err
    assert told(capsys, "quota", "cats", "--remove")["quota"] is None
    assert told(capsys, "quota", "--user", "ann", "--bytes", "1100")["objects"] == 1
    assert main(["cp", str(tmp_path / "file"), "maru://cats/c"]) == 5
    assert main(["quota", "--user", "ann"]) == 0
    assert "ann: 1.1 kB; holds 1 object, 1.0 kB" in capsys.readouterr().out
    assert main(["quota", "--user", "ann", "--remove"]) == 0
    assert main(["cp", str(tmp_path / "file"), "maru://cats/c"]) == 0


@pytest.mark.parametrize(
    "words",
    [[], ["cats", "--user", "ann"], ["cats", "--remove", "--bytes", "1"], ["cats", "--bytes", "many"]],
)
def test_mistakes(hub: Path, capsys: Capture, words: list[str]) -> None:
    assert main(["quota", *words]) == 2
    assert capsys.readouterr().err


def test_sizes() -> None:
    assert [_size(text) for text in ("5", "5K", "1.5 m", "2Gi", "1TiB")] == [
        5,
        5000,
        1_500_000,
        2 << 30,
        1 << 40,
    ]
    for wrong in ("", "-1", "G", "1X", "1" * 30):
        with pytest.raises(InvalidInput):
            _size(wrong)


def test_check_counts_anew(hub: Path, capsys: Capture) -> None:
    assert told(capsys, "check")["recounted"] == []
    with maruhub.connect(hub) as opened:
        bucket = opened.namespace.buckets.get("cats")
        wrong = encode_count(Count(Usage((3,) * 12)))
        opened.store.commit(lambda rows: rows.put(count_key(bucket.id_bytes), wrong))
    assert main(["check"]) == 0
    assert "the counts of cats were wrong" in capsys.readouterr().out
    assert told(capsys, "check", "--rebuild-index")["recounted"] == []
