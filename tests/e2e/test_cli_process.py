"""``maru`` as a process among others: which hub it finds, and how it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from tests.e2e.maru import Maru


def test_options_are_understood_before_and_after_the_command(maru: Maru) -> None:
    for words in (
        ["--json", "--hub", "hub", "ls"],
        ["--hub", "hub", "ls", "--json"],
        ["ls", "--hub", "hub", "--json"],
    ):
        assert {"photos"} <= {entry["bucket"] for entry in maru(*words, env={"MARU_HUB": ""}).json}


def test_the_nearest_hub_upwards_is_meant(maru: Maru) -> None:
    inside = maru.folder / "hub" / "blades" / "0"
    assert maru("ls", cwd=inside, env={"MARU_HUB": ""}).status == 0
    lost = maru("ls", cwd=Path("/"), env={"MARU_HUB": ""})
    assert lost.status == 3
    assert "maru init" in lost.err


def test_debug_shows_where(maru: Maru) -> None:
    assert "Traceback" in maru("stat", "photos/none", env={"MARU_DEBUG": "1"}).err


def test_a_reader_that_leaves_is_no_error(maru: Maru) -> None:
    maru.ok("cp", "-", "maru://large/x", stdin=b"x" * 4_000_000)
    process = maru.start("cat", "large/x")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(30) == 141


def test_a_killed_writer_leaves_nothing_to_clean_up(maru: Maru, tmp_path: Path) -> None:
    maru.ok("init", tmp_path / "hub", "--blades", "3")
    script = (
        "import sys, maruhub\n"
        "bucket = maruhub.connect(sys.argv[1]).bucket('kept')\n"
        "for i in range(10**6):\n"
        "    bucket[f'{i:07}'] = f'{i}'.encode() * 100\n"
        "    print(i, flush=True)\n"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", script, tmp_path / "hub"],
        env=maru.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None
    acknowledged = [int(line) for line, _ in zip(writer.stdout, range(100), strict=False)]
    writer.kill()
    acknowledged += [int(line) for line in writer.stdout]
    writer.wait()
    writer.stdout.close()
    maru.ok("cp", "-r", "maru://kept", tmp_path / "out", "--hub", tmp_path / "hub")
    found = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert len(found) - len(acknowledged) in (0, 1)
    assert all(found[f"{i:07}"] == f"{i}".encode() * 100 for i in acknowledged)
    assert maru.ok("check", "--hub", tmp_path / "hub", "--json").json["ok"]


def test_interrupted(maru: Maru) -> None:
    process = maru.start("cp", "-", "maru://interrupted/x", stdin=-1)
    assert process.stdin is not None
    process.stdin.write(b"x" * 4_000_000)  # more than a pipe holds: when this returns, it is reading
    process.stdin.flush()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"Traceback" not in err
    assert maru("stat", "interrupted/x").status == 3
