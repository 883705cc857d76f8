"""Datasets, runs and scores on the command line, as a user runs it."""

from __future__ import annotations

import pytest

from tests.e2e.maru import Maru


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
    told = maru("versions", "short")
    assert (told.status, "--dropped" in told.err) == (0, True)
    listed = maru.ok("versions", "short", "--dropped", "--json").json
    assert [(one["version"], bool(one["restorable_until"])) for one in listed] == [("v1", True)]
    assert "short@v1" in maru.ok("versions", "--dropped").text
    assert "short" not in maru.ok("versions").text
    assert "All versions dropped: short" in maru("versions").err
    assert maru.ok("drop", "short", "--all", "--json").json == {"dataset": "short", "dropped": []}
    assert "Back: short@v1." in maru.ok("drop", "short", "--all", "--undo").text
    assert "Back" not in maru.ok("drop", "short", "--all", "--undo").text
    assert maru.ok("drop", "short@v1", "--undo").text.strip() == "short@v1 is not dropped."
    assert maru.ok("drop", "short@v1", "--undo", "--json").json == {"dataset": "short", "back": []}
    assert maru("drop", "short@v1", "--all").status == 2
    assert maru("drop", "none", "--all", "--undo").status == 3


def test_a_source_that_holds_nothing_is_named(maru: Maru) -> None:
    done = maru("commit", "two", "photos/dogs", "photos/nothing-here")
    assert (done.status, "photos/nothing-here/" in done.err) == (2, True)
    assert maru("versions", "two").status == 3
    assert maru.ok("commit", "two", "photos/dogs", "photos/cats", "--json").json["samples"] == 40


def test_labels_without_a_partner_are_told(maru: Maru) -> None:
    (maru.folder / "few.csv").write_text("key,colour\ncats/01.jpg,red\ncats/none.jpg,blue\n")
    done = maru("label", "pets", "few.csv", "--name", "colours", "--json")
    report = done.json
    assert (report["matched"], report["unmatched_count"], report["unlabelled"]) == (1, 1, 39)
    assert 0 < report["bytes_written"] < 100_000


def test_runs_and_honest_scores(maru: Maru) -> None:
    import maruhub
    from maruhub import errors

    # So many that no split is empty, whichever way the dataset's own key sorts them.
    (maru.folder / "many").mkdir()
    for number in range(400):
        (maru.folder / "many" / f"{number}.txt").write_text(f"sample {number}")
    maru.ok("ingest", "many", "many")
    maru.ok("commit", "many", "many")

    with maruhub.connect(maru.folder / "hub") as hub:
        version = hub.version("many@v1")
        with hub.run(version.split("train"), name="mine", code="x", seed=3) as run:
            for batch in version.split("train").batches(8, seed=3, run=run):
                assert len(batch.ids) == len(batch.blobs) == batch.columns.num_rows
        with hub.run(version, name="peek") as peek:
            assert next(iter(version.batches(8, run=peek))).ids
            assert len(list(version.batches(8, run=peek))) == 50
        with pytest.raises(errors.NotHeldOut):
            hub.evaluate(peek, version.split("test"), {"accuracy": 1.0})
    score = maru.ok("evaluate", run.id, "many@v1", "--metric", "accuracy=0.5", "--json").json
    assert (score["verdict"], score["metrics"], score["split"]) == ("held-out", {"accuracy": 0.5}, "test")
    refused = maru("evaluate", peek.id, "many@v1", "--metric", "accuracy=1")
    assert refused.status == 6
    leaked = maru.ok("evaluate", peek.id, "many@v1", "--metric", "accuracy=1", "--allow-leak", "--json").json
    assert leaked["verdict"] == "leaked"
    assert {one["name"] for one in maru.ok("runs", "--json").json} == {"mine", "peek"}
    assert maru.ok("runs", run.id, "--json").json["seed"] == 3
    assert "mine" in maru.ok("runs").text
    assert maru("runs", "nosuchrun").status == 3
    assert maru("evaluate", run.id, "many", "--metric", "accuracy").status == 2
