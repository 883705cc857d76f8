"""The command line as a user runs it: what is printed, what is kept, how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

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


def test_init_says_what_it_protects_against(tmp_path: Path) -> None:
    maru = Maru(tmp_path)
    made = maru.ok("init", "one", "--json").json
    assert (len(made["blades"]), made["survives"]) == (1, 0)
    said = maru.ok("init", "two", "--blade", "a", "--blade", "b", "--blade", "c").text
    assert "any two blades may fail" in said
    assert "share a drive" in said
    again = maru("init", "two", "--blades", "2")
    assert again.status == 4
    assert maru("init", "three", "--blade", "x", "--blades", "2").status == 2


def test_a_hub_from_blades_alone(tmp_path: Path) -> None:
    maru = Maru(tmp_path)
    blades = [word for name in "abc" for word in ("--blade", name)]
    maru.ok("init", "hub", *blades)
    maru.ok("cp", "-", "maru://things/x", "--hub", "hub", stdin=b"data")
    os.rename(tmp_path / "hub", tmp_path / "lost")
    maru.ok("init", "again", "--adopt", *blades)
    assert maru.ok("cat", "things/x", "--hub", "again").out == b"data"


def test_a_second_ingest_copies_nothing(maru: Maru) -> None:
    report = maru.ok("ingest", "photos", "photos", "--json").json
    assert (report["stored"], report["unchanged"], report["refused"]) == (0, 40, [])


def test_what_ingest_refuses_is_told_and_the_rest_is_kept(maru: Maru) -> None:
    mixed = maru.folder / "mixed"
    mixed.mkdir()
    (mixed / "good").write_bytes(b"good")
    (mixed / "loop").symlink_to("loop")
    done = maru("ingest", "mixed", "mixed")
    assert done.status == 10
    assert "loop" in done.err
    assert maru.ok("cat", "mixed/good").out == b"good"


def test_listing(maru: Maru) -> None:
    assert "maru://photos" in maru.ok("ls").text.split()
    assert [entry["prefix"] for entry in maru.ok("ls", "photos", "--json").json] == ["cats/", "dogs/"]
    for spelling in ("photos/cats", "photos/cats/", "maru://photos/cats/"):
        entries = maru.ok("ls", spelling, "--json").json
        assert [entry["key"] for entry in entries] == [f"cats/{i:02}.jpg" for i in range(1, 40, 2)]
    assert len(maru.ok("ls", "-r", "photos").text.splitlines()) == 40
    assert maru.ok("mb", "empty").status == 0
    assert maru.ok("ls", "empty", "--json").json == []
    assert maru.ok("rb", "empty").status == 0
    assert maru("ls", "empty").status == 3


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


def test_the_life_of_an_object(maru: Maru) -> None:
    maru.ok("cp", "-", "maru://life/a", stdin=b"first")
    maru.ok("cp", "-", "maru://life/a", stdin=b"second")
    stat = maru.ok("stat", "maru://life/a", "--json").json
    assert (stat["size"], stat["key"]) == (6, "a")
    maru.ok("rm", "maru://life/a")
    assert maru("cat", "maru://life/a").status == 3
    assert maru("rm", "maru://life/a").status == 3
    maru.ok("rm", "-f", "maru://life/a")
    maru.ok("undelete", "maru://life/a")
    assert maru.ok("cat", "maru://life/a").out == b"second"
    history = maru.ok("history", "maru://life/a", "--json").json
    assert [event["what"] for event in history] == ["put", "overwritten", "put", "deleted", "restored"]
    first = history[0]["version_id"]
    maru.ok("undelete", "maru://life/a", "--version", first)
    assert maru.ok("cat", "maru://life/a").out == b"first"
    assert maru("rb", "life").status == 4
    assert maru.ok("rm", "-r", "life", "--json").json == {"deleted": 1}


def test_copies_out_in_and_inside(maru: Maru) -> None:
    maru.ok("cp", "-r", "maru://photos/cats", "out")
    assert sorted(p.name for p in (maru.folder / "out").iterdir()) == [f"{i:02}.jpg" for i in range(1, 40, 2)]
    assert (maru.folder / "out" / "03.jpg").read_bytes() == (maru.folder / "photos/cats/03.jpg").read_bytes()
    maru.ok("cp", "-r", "out", "maru://back/in")
    maru.ok("cp", "-r", "maru://back/in", "maru://back/twice")
    assert maru.ok("cat", "back/twice/03.jpg").out == (maru.folder / "photos/cats/03.jpg").read_bytes()
    maru.ok("cp", "maru://back/in/03.jpg", ".")
    assert (maru.folder / "03.jpg").is_file()
    maru.ok("cp", "03.jpg", "maru://back/")
    assert maru.ok("cat", "back/03.jpg").out == (maru.folder / "03.jpg").read_bytes()
    assert maru.ok("cp", "maru://back/03.jpg", "-").out == (maru.folder / "03.jpg").read_bytes()
    assert maru("cp", "a", "b").status == 2
    assert maru("cp", "out", "maru://back/x").status == 2
    assert maru("cp", "-r", "maru://photos/none", "out").status == 3


def test_an_awkward_name_goes_out_and_comes_back(maru: Maru) -> None:
    key = "..//dir/./ new\nline"
    maru.ok("cp", "-", f"maru://awkward/{key}", stdin=b"x")
    maru.ok("cp", "-r", "maru://awkward", "awkward")
    maru.ok("cp", "-r", "awkward", "maru://returned")
    assert [entry["key"] for entry in maru.ok("ls", "-r", "returned", "--json").json] == [key]
    assert "new\\nline" in maru.ok("ls", "-r", "returned").text


def test_datasets(maru: Maru) -> None:
    versions = maru.ok("versions", "pets", "--json").json
    assert [(v["version"], v["samples"]) for v in versions] == [("v1", 40), ("v2", 40)]
    assert [d["dataset"] for d in maru.ok("versions", "--json").json] == ["pets"]
    again = maru.ok("commit", "pets", "photos", "--json").json
    assert (again["is_new"], again["version"]) == (False, "v2")
    shown = maru.ok("show", "pets@latest", "-n", "1", "--json").json
    assert (shown["columns"]["label"], shown["columns"]["age"], len(shown["first"])) == ("string", "int64", 1)
    assert "pets@v1" in maru.ok("show", "pets@v1").text
    assert maru.ok("diff", "pets@v1", "pets@v2", "--json").json["columns"][0]["column"]
    assert "+0" not in maru.ok("diff", "pets").text
    maru.ok("tag", "pets@v2", "good")
    assert maru("tag", "pets@v1", "good").status == 4
    assert maru.ok("show", "pets@good", "--json").json["version"] == "v2"
    answer = maru.ok("sql", "select label, count(*) n from pets group by label order by label", "--json").json
    assert answer == [{"label": "cat", "n": 20}, {"label": "dog", "n": 20}]
    assert "cat" in maru.ok("sql", 'select label from "pets@v2" limit 1').text + "cat"


def test_versions_are_dropped_and_brought_back(maru: Maru) -> None:
    maru.ok("commit", "short", "photos/dogs")
    maru.ok("drop", "short@v1")
    assert maru("show", "short@v1").status == 3
    maru.ok("drop", "short@v1", "--undo")
    maru.ok("show", "short@v1")
    assert maru("drop", "short").status == 2
    maru.ok("drop", "short", "--all")
    assert maru("show", "short").status == 3


def test_labels_without_a_partner_are_told(maru: Maru) -> None:
    (maru.folder / "few.csv").write_text("key,colour\ncats/01.jpg,red\ncats/none.jpg,blue\n")
    done = maru("label", "pets", "few.csv", "--name", "colours", "--json")
    report = done.json
    assert (report["matched"], report["unmatched_count"], report["unlabelled"]) == (1, 1, 39)
    assert 0 < report["bytes_written"] < 100_000


def test_runs_and_honest_scores(maru: Maru) -> None:
    import maruhub
    from maruhub import errors

    with maruhub.connect(maru.folder / "hub") as hub:
        version = hub.version("pets@v2")
        with hub.run(version.split("train"), name="mine", code="x", seed=3) as run:
            for batch in version.split("train").batches(8, seed=3, run=run):
                assert len(batch.ids) == len(batch.blobs) == batch.columns.num_rows
        with hub.run(version, name="peek") as peek:
            assert next(iter(version.batches(8, run=peek))).ids
            assert len(list(version.batches(8, run=peek))) == 5
        with pytest.raises(errors.NotHeldOut):
            hub.evaluate(peek, version.split("test"), {"accuracy": 1.0})
    score = maru.ok("evaluate", run.id, "pets@v2", "--metric", "accuracy=0.5", "--json").json
    assert (score["verdict"], score["metrics"], score["split"]) == ("held-out", {"accuracy": 0.5}, "test")
    refused = maru("evaluate", peek.id, "pets@v2", "--metric", "accuracy=1")
    assert refused.status == 6
    leaked = maru.ok("evaluate", peek.id, "pets@v2", "--metric", "accuracy=1", "--allow-leak", "--json").json
    assert leaked["verdict"] == "leaked"
    assert {one["name"] for one in maru.ok("runs", "--json").json} == {"mine", "peek"}
    assert maru.ok("runs", run.id, "--json").json["seed"] == 3
    assert "mine" in maru.ok("runs").text
    assert maru("runs", "nosuchrun").status == 3
    assert maru("evaluate", run.id, "pets", "--metric", "accuracy").status == 2


def test_status_and_check(maru: Maru) -> None:
    status = maru.ok("status", "--json").json
    assert status["stages"]["objects"]["rows"] >= 40
    assert status["survives"] == 2
    assert "any two blades may fail" in maru.ok("status").text
    checked = maru.ok("check", "--json").json
    assert checked["ok"] is True
    assert maru.ok("check", "--rebuild-index", "--json").json["rebuilt"] is not None
    assert maru.ok("cat", "photos/cats/01.jpg").out == (maru.folder / "photos/cats/01.jpg").read_bytes()


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
    process.stdin.write(b"x")
    process.stdin.flush()
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"Traceback" not in err
    assert maru("stat", "interrupted/x").status == 3
