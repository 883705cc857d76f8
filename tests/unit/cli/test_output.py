"""Output: exact for programs, safe and readable for people."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import numpy as np
import pytest

from maruhub.cli.output import Output, dumps, printable, time_text


def test_control_characters_cannot_reach_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).line("a\x1b[31mb\nc")
    assert capsys.readouterr().out == "a\\x1b[31mb\\nc\n"
    assert printable("plain ä 마루") == "plain ä 마루"


def test_a_stream_is_one_json_array_however_long(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=True)
    for count in (0, 1, 499, 500, 501, 1300):
        assert output.stream(({"i": i} for i in range(count)), str) == count
        assert json.loads(capsys.readouterr().out) == [{"i": i} for i in range(count)]


def test_a_stream_is_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).stream(({"i": i} for i in range(1300)), lambda row: f"<{row['i']}>")
    assert capsys.readouterr().out.splitlines() == [f"<{i}>" for i in range(1300)]


def test_json_writes_what_json_has_no_word_for() -> None:
    when = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
    value = {"b": b"\x01\xff", "p": Path("a/b"), "t": when, "n": np.int64(3), "a": np.arange(2), "k": "마"}
    assert json.loads(dumps(value)) == {
        "b": "01ff",
        "p": "a/b",
        "t": "2026-01-02T00:00:00+00:00",
        "n": 3,
        "a": [0, 1],
        "k": "마",
    }


def test_numbers_beyond_json_become_text() -> None:
    assert json.loads(dumps([1.5, float("nan"), float("-inf")])) == [1.5, "NaN", "-Infinity"]


def test_tables_align_and_are_never_cut_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"key": "x" * 300, "size": 5}, {"key": "y", "size": 12345}]
    Output(as_json=False).table(rows, {"key": "key", "size": "bytes"})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[1].startswith("x" * 300)
    assert lines[1].endswith("    5")


def test_an_empty_table_says_so_beside_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).table([], {"a": "a"}, empty="No runs.")
    assert capsys.readouterr() == ("", "No runs.\n")
    Output(as_json=True).table([], {"a": "a"}, empty="No runs.")
    assert capsys.readouterr() == ("[]\n", "")


def test_progress_is_silent_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    with Output(as_json=False).progress("Working") as advance:
        advance(1, 2)
    assert capsys.readouterr() == ("", "")


def test_times_are_local_to_the_second() -> None:
    assert time_text(0) == time_text(datetime.datetime.fromtimestamp(0, datetime.UTC))
