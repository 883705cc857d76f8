"""The journal itself: a death in the middle of a line costs that line and no other."""

from __future__ import annotations

from pathlib import Path

from tests.crash.journal import History, Journal


def test_a_torn_line_is_left_out_and_the_next_one_is_whole(tmp_path: Path):
    path = tmp_path / "journal"
    first = Journal(path)
    first.sent("1", {"a": "one"})
    first.acknowledged("1")
    first.sent("2", {"a": "two"})
    whole = path.read_bytes()
    first.acknowledged("2")
    path.write_bytes(path.read_bytes()[:-7])
    after = History.read(path)
    assert after.allowed("a") == {"one", "two"}
    Journal(path, may_be_torn=True).seen({"a": "two"})
    assert History.read(path).allowed("a") == {"two"}
    path.write_bytes(whole)
    Journal(path, may_be_torn=True).acknowledged("2")
    assert path.read_bytes().startswith(whole)
    assert History.read(path).allowed("a") == {"two"}
