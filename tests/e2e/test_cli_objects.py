"""Hubs and objects on the command line, as a user runs it: what is printed, what is kept."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.e2e.maru import Maru


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


def test_status_and_check(maru: Maru) -> None:
    status = maru.ok("status", "--json").json
    assert status["stages"]["objects"]["rows"] >= 40
    assert status["survives"] == 2
    assert "any two blades may fail" in maru.ok("status").text
    checked = maru.ok("check", "--json").json
    assert checked["ok"] is True
    assert maru.ok("check", "--rebuild-index", "--json").json["rebuilt"] is not None
    assert maru.ok("cat", "photos/cats/01.jpg").out == (maru.folder / "photos/cats/01.jpg").read_bytes()


def test_a_removed_bucket_comes_back_with_what_was_deleted_in_it(maru: Maru) -> None:
    maru.ok("cp", "-", "maru://gone/x", stdin=b"still here")
    maru.ok("rm", "maru://gone/x")
    assert "maru undelete gone" in maru.ok("rb", "gone").text
    maru.ok("undelete", "gone")
    maru.ok("undelete", "gone/x")
    assert maru.ok("cat", "gone/x").out == b"still here"


def test_a_version_is_read_by_its_address(maru: Maru) -> None:
    maru.ok("cp", "-", "maru://frozen/a/1", stdin=b"then")
    maru.ok("cp", "-", "maru://frozen/a", stdin=b"file")
    maru.ok("commit", "ice", "frozen")
    maru.ok("tag", "ice@v1", "good")
    maru.ok("cp", "-", "maru://frozen/a/1", stdin=b"now")
    maru.ok("rm", "maru://frozen/a")
    assert {"prefix": "ice/"} in maru.ok("ls", "maru://dataset/", "--json").json
    assert maru.ok("ls", "maru://dataset/ice", "--json").json == [{"prefix": "ice/v1/"}]
    for spelling in ("maru://dataset/ice/v1", "dataset/ice/v1/", "maru://dataset/ice/v1/fro"):
        assert maru.ok("ls", spelling, "--json").json == [{"prefix": "ice/v1/frozen/"}]
    listed = maru.ok("ls", "-r", "maru://dataset/ice/good/frozen/", "--json").json
    assert [entry["key"] for entry in listed] == ["ice/good/frozen/a", "ice/good/frozen/a/1"]
    assert len(maru.ok("ls", "-r", "maru://dataset/ice").text.splitlines()) == 2
    for each in listed:
        assert maru.ok("stat", each["address"], "--json").json["sha256"] == each["sha256"]
    assert maru.ok("cat", "maru://dataset/ice/latest/frozen/a/1", listed[0]["address"]).out == b"thenfile"
    maru.ok("cp", "-r", "maru://dataset/ice/v1/frozen", "thawed")
    assert (maru.folder / "thawed/a/1").read_bytes() == b"then"
    assert (maru.folder / "thawed/a/%^").read_bytes() == b"file"
    assert maru.ok("cp", "maru://dataset/ice/v1/frozen/a/1", "-").out == b"then"
    maru.ok("cp", "maru://dataset/ice/v1/frozen/a/1", "single")
    assert (maru.folder / "single").read_bytes() == b"then"


def test_the_samples_of_a_version_show_their_labels(maru: Maru) -> None:
    stat = maru.ok("stat", "maru://dataset/pets/latest/photos/cats/01.jpg", "--json").json
    assert (stat["id"], stat["columns"]["label"]) == ("photos/cats/01.jpg", "cat")


def test_below_a_folder_means_the_same_to_rm_and_cp(maru: Maru) -> None:
    for key in ("a", "a/1", "a/2", "ab"):
        maru.ok("cp", "-", f"maru://below/{key}", stdin=b"x")
    assert maru.ok("cp", "-r", "maru://below/a", "maru://below/copy", "--json").json == {"copied": 2}
    assert maru.ok("rm", "-r", "below/a", "--json").json == {"deleted": 2}
    left = [entry["key"] for entry in maru.ok("ls", "-r", "below", "--json").json]
    assert left == ["a", "ab", "copy/1", "copy/2"]
    nothing = maru("rm", "-r", "below/ab")
    assert nothing.status == 3
    assert "-r" in nothing.err


def test_a_target_that_ends_in_a_slash_is_a_folder(maru: Maru) -> None:
    maru.ok("cp", "maru://photos/cats/01.jpg", "made/here/")
    assert (maru.folder / "made/here/01.jpg").is_file()
    assert maru("cp", "maru://photos/none", "unmade/").status == 3
    assert not (maru.folder / "unmade").exists()


@pytest.mark.parametrize(
    "words", [("ls",), ("ls", "-r", "photos"), ("cat", "photos/cats/39.jpg"), ("--help",)]
)
def test_output_that_cannot_be_written_is_told_as_that(maru: Maru, words: tuple[str, ...]) -> None:
    with open("/dev/full", "wb") as full:
        process = maru.start(*words, stdout=full)
        err = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 8
    assert err.startswith("maru: Standard output could not be written: No space left on device.")
    assert err.count("\n") == 1


def test_closed_output_is_told_and_harms_no_file(maru: Maru) -> None:
    process = maru.start("ls", preexec_fn=lambda: os.close(1))
    err = process.communicate(timeout=60)[1].decode()
    assert (process.returncode, err.count("\n")) == (8, 1)
    assert "Standard output could not be written" in err


def test_a_file_that_cannot_be_written_is_named(maru: Maru) -> None:
    (maru.folder / "blocked").write_bytes(b"")
    refused = maru("cp", "-r", "maru://photos/cats", "blocked")
    assert refused.status in (3, 4)
    assert "blocked" in refused.err


@pytest.mark.parametrize("place", ["/proc/nothing", "/dev/null", "/dev/null/x", "/sys/nothing", "notes/x"])
def test_an_impossible_place_for_a_blade_leaves_nothing(maru: Maru, place: str) -> None:
    (maru.folder / "notes").write_bytes(b"")
    done = maru("init", "half", "--blade", "half-blade", "--blade", place)
    assert done.status in (2, 3, 5, 8)
    assert (done.err.count("\n"), done.text) == (1, "")
    assert place in done.err
    assert not (maru.folder / "half").exists()
    assert not (maru.folder / "half-blade").exists()
    alone = maru("init", place)
    assert alone.status in (2, 3, 5, 8)
    assert alone.err.count("\n") == 1


def test_a_folder_named_without_r_is_told_from_what_is_not_there(maru: Maru) -> None:
    for folder in ("maru://photos/cats", "maru://photos/cats/", "maru://dataset/pets/v1/photos/cats"):
        refused = maru("cp", folder, "nowhere")
        assert refused.status == 3
        assert "is a folder. Add -r" in refused.err
    assert "is a folder" not in maru("cp", "maru://photos/cat", "nowhere").err
    assert not (maru.folder / "nowhere").exists()


def test_stat_shows_people_times_and_nothing_empty(maru: Maru) -> None:
    said = maru.ok("stat", "photos/cats/01.jpg").text
    names = [line.split()[0] for line in said.splitlines()]
    assert {"size", "etag", "sha256", "stored", "modified"} <= set(names)
    assert "metadata" not in names
    assert re.search(r"^stored +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$", said, re.MULTILINE)
    labelled = maru.ok("stat", "maru://dataset/pets/latest/photos/cats/01.jpg").text
    assert '"label": "cat"' in labelled
