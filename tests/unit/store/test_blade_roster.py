"""Blades added, drained, removed and replaced, in a hub that is in use; killed on the way too."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import maruhub
from maruhub.api import Hub
from maruhub.errors import (
    AlreadyExists,
    BladeLost,
    Busy,
    Conflict,
    InvalidInput,
    MaruError,
    NotFound,
    Refused,
)
from maruhub.store import blades, lookout, membership, pool, roster
from maruhub.store.blade_info import DRAINING, IN_SERVICE, MISSING, REMOVED


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes notice at once, so nobody has to wait until they have."""
    for module in (lookout, blades, roster):
        monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(roster, "PATIENCE_SECONDS", 0.0)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """On the blades a, b, c, with one object."""
    made = maruhub.create(tmp_path / "hub", blades=[tmp_path / name for name in "abc"])
    made.bucket("pets")["1.jpg"] = b"x" * 5000
    yield made
    made.close()


def states(hub: Hub) -> list[str]:
    return [blade.state for blade in hub.blades.list()]


def listed(hub: Hub) -> list[tuple[int, str]]:
    stored = json.loads((hub.path / "hub.json").read_text())["blades"]
    return [(blade["number"], Path(blade["path"]).name) for blade in stored]


def snapshot(folder: Path) -> list[tuple[str, bytes]]:
    return sorted((str(path), path.read_bytes() if path.is_file() else b"") for path in folder.rglob("*"))


def test_the_list_says_what_is_cheap_to_know(hub: Hub, tmp_path: Path) -> None:
    first, second, third = hub.blades.list()
    assert [first.number, second.number, third.number] == [0, 1, 2]
    assert (first.path, first.state, first.reason) == (str(tmp_path / "a"), IN_SERVICE, "")
    assert first.files >= 1
    assert sum(blade.share for blade in (first, second, third)) == pytest.approx(1)
    assert 5000 <= first.used_bytes < 1 << 20
    assert 0 < first.free_bytes < first.total_bytes
    (tmp_path / "b").rename(tmp_path / "unplugged")
    missing = hub.blades.list()[1]
    assert (missing.state, missing.total_bytes, missing.files) == (MISSING, 0, second.files)
    assert missing.reason.startswith("no blade there")


def test_a_new_blade_takes_data_at_once_in_every_process(hub: Hub, tmp_path: Path) -> None:
    with maruhub.connect(tmp_path / "hub") as other:
        added = hub.blades.add(tmp_path / "d")
        assert (added.number, added.state, added.files) == (3, IN_SERVICE, 0)
        assert set(other.store.blades.rooms()) == set(hub.store.blades.rooms())
        assert len(other.store.blades.rooms()) == 4
        assert other.status().blades[3].path == str(tmp_path / "d")
    assert listed(hub) == [(0, "a"), (1, "b"), (2, "c"), (3, "d")]
    identity = pool.read_identity(tmp_path / "d")
    assert (identity.pool_id, identity.number) == (hub.store.pool_id, 3)
    assert identity.segment_bytes == pool.SEGMENT_BYTES
    assert identity.split_key == hub.store.split_key


def test_it_is_part_of_the_pool_when_the_hub_is_opened_again(hub: Hub, tmp_path: Path) -> None:
    hub.blades.add(tmp_path / "d")
    hub.close()
    with maruhub.connect(tmp_path / "hub") as again:
        assert again.pool.recovered is None, "its folder was taken note of"
        assert states(again) == [IN_SERVICE] * 4


def test_folders_that_cannot_be_blades_are_refused_and_left_alone(hub: Hub, tmp_path: Path) -> None:
    maruhub.create(tmp_path / "other", blades=[tmp_path / "theirs"]).close()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter").write_text("mine")
    (tmp_path / "file").write_text("")
    (tmp_path / "orphans" / "segments").mkdir(parents=True)
    (tmp_path / "orphans" / "segments" / "00000000000000aa.log").write_bytes(b"1")
    shutil.copytree(tmp_path / "a", tmp_path / "copy")
    (tmp_path / "link").symlink_to(tmp_path / "b")
    before = snapshot(tmp_path)
    for name, kind in {
        "theirs": Conflict,
        "full": InvalidInput,
        "file": InvalidInput,
        "orphans": InvalidInput,
        "a": AlreadyExists,
        "link": AlreadyExists,
        "copy": Conflict,
        "a/segments/x": InvalidInput,
        "hub": InvalidInput,
    }.items():
        with pytest.raises(MaruError) as caught:
            hub.blades.add(tmp_path / name)
        assert type(caught.value) is kind, (name, caught.value)
        assert caught.value.hint
    after = [entry for entry in snapshot(tmp_path) if "blades.lock" not in entry[0]]
    assert [e for e in after if "/index/" not in e[0]] == [e for e in before if "/index/" not in e[0]]


def test_a_folder_that_cannot_be_written_is_left_as_it_was(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("maruhub.store.making.write_durably", fail)
    with pytest.raises(MaruError, match="No space left"):
        hub.blades.add(tmp_path / "deep" / "d")
    assert not (tmp_path / "deep").exists()
    assert len(listed(hub)) == 3


_ADD = """
import os, signal, sys
from pathlib import Path
import maruhub
from maruhub.store import local_blade
number = int(sys.argv[3])
calls = 0

def dies(name, original):
    def call(*args, **kwargs):
        global calls
        calls += 1
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **kwargs)
    return call

hub = maruhub.connect(sys.argv[1])
hub.blades.list()
for name in ("open", "fsync", "replace", "mkdir", "rename"):
    setattr(os, name, dies(name, getattr(os, name)))
hub.blades.add(sys.argv[2])
print(calls)
"""


def test_killed_at_any_point_it_can_be_said_again(hub: Hub, tmp_path: Path) -> None:
    hub.close()
    kills = 0
    for number in range(1, 60, 3):
        folder = tmp_path / f"new{number}"
        command = [sys.executable, "-c", _ADD, str(tmp_path / "hub"), str(folder), str(number)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        kills += done.returncode == -signal.SIGKILL
        with maruhub.connect(tmp_path / "hub") as again:
            here = [blade for blade in again.blades.list() if blade.path == str(folder)]
            assert [blade.state for blade in here] in ([], [IN_SERVICE])
            told = here[0] if here else again.blades.add(folder)
            assert told.state == IN_SERVICE
            numbers = [blade.number for blade in again.blades.list()]
            assert numbers == list(range(len(numbers)))
            assert bytes(again.bucket("pets")["1.jpg"]) == b"x" * 5000
        assert not list((tmp_path / "hub").glob("hub.json.new.*"))
        if done.returncode == 0:
            break
    assert done.returncode == 0, done.stderr
    assert kills >= 4


def test_two_that_add_at_once_both_succeed(hub: Hub, tmp_path: Path) -> None:
    names = [f"new{number}" for number in range(8)]
    threads = [threading.Thread(target=hub.blades.add, args=(tmp_path / name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(name for _, name in listed(hub)[3:]) == names
    assert sorted(number for number, _ in listed(hub)) == list(range(11))


def test_drain_and_undo(hub: Hub, tmp_path: Path) -> None:
    hub.blades.add(tmp_path / "d")
    assert hub.blades.drain(1).state == DRAINING
    assert hub.blades.drain("1").state == DRAINING
    assert states(hub) == [IN_SERVICE, DRAINING, IN_SERVICE, IN_SERVICE]
    with maruhub.connect(tmp_path / "hub") as other:
        assert states(other)[1] == DRAINING
        assert bytes(other.bucket("pets")["1.jpg"]) == b"x" * 5000
        assert other.blades.drain(tmp_path / "b", undo=True).state == IN_SERVICE
    assert states(hub) == [IN_SERVICE] * 4
    with pytest.raises(AlreadyExists):
        hub.blades.add(tmp_path / "b")


def test_the_last_blade_in_service_stays(hub: Hub) -> None:
    hub.blades.drain(0)
    hub.blades.drain(1)
    for refused in (hub.blades.drain, hub.blades.remove):
        with pytest.raises(Refused, match="no blade would be left"):
            refused(2)
    assert states(hub) == [DRAINING, DRAINING, IN_SERVICE]
    assert len(hub.store.blades.rooms()) == 1, "what was only assumed is not kept"


def test_a_blade_with_data_is_not_removed_and_an_empty_one_is(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="holds one file") as caught:
        hub.blades.remove(0)
    assert "maru blade drain 0" in caught.value.hint
    hub.blades.add(tmp_path / "d")
    hub.blades.drain(3)
    gone = hub.blades.remove(3)
    assert (gone.state, gone.number) == (REMOVED, 3)
    assert listed(hub) == [(0, "a"), (1, "b"), (2, "c")]
    assert len(hub.store.blades) == 3
    assert hub.blades.remove(3).state == REMOVED, "said twice it does no harm"
    assert [blade.number for blade in hub.status().blades] == [0, 1, 2]
    back = hub.blades.add(tmp_path / "d")
    assert (back.number, back.state) == (3, IN_SERVICE)
    hub.blades.drain(3)
    hub.blades.remove(3)
    assert hub.blades.add(tmp_path / "e").number == 4, "a number is not given again"


def test_a_removal_that_was_cut_is_finished_by_the_next(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = hub.blades.add(tmp_path / "d")
    hub.blades.drain(3)

    def cut(path: Path, blade_id: bytes) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(roster, "dismiss", cut)
        with pytest.raises(KeyboardInterrupt):
            hub.blades.remove(3)
    assert states(hub)[3] == REMOVED
    assert len(listed(hub)) == 4
    assert bytes.fromhex(gone.id) not in hub.store.blades.rooms()
    hub.close()
    with maruhub.connect(tmp_path / "hub") as again:
        assert again.blades.remove(3).state == REMOVED
        assert len(listed(again)) == 3
        assert again.store.blades.removed == {bytes.fromhex(gone.id)}
    with maruhub.connect(tmp_path / "hub") as again:
        assert again.store.blades.removed == {bytes.fromhex(gone.id)}
        again.blades.add(tmp_path / "d")
        assert again.store.blades.removed == frozenset()


def test_of_two_that_remove_at_once_one_is_left(hub: Hub, tmp_path: Path) -> None:
    for name in "de":
        hub.blades.add(tmp_path / name)
    for number in (0, 1, 2):
        hub.blades.drain(number)
    refused = []

    def drain(number: int) -> None:
        try:
            hub.blades.drain(number)
        except Refused as error:
            refused.append(error)

    threads = [threading.Thread(target=drain, args=(number,)) for number in (3, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1
    assert states(hub).count(IN_SERVICE) == 1


def test_a_writer_that_had_not_noticed_keeps_the_blade(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.blades.add(tmp_path / "d")
    hub.blades.drain(3)

    def begin_a_segment(seconds: float) -> None:
        (hub.path / "index" / "unborn" / "00000000000000aa").touch()
        (tmp_path / "d" / "segments" / "00000000000000aa.log").touch()

    monkeypatch.setattr(roster.time, "sleep", begin_a_segment)
    with pytest.raises(Busy):
        hub.blades.remove(3)
    assert states(hub)[3] == DRAINING
    assert len(listed(hub)) == 4


def test_a_lost_blade_is_removed_only_as_such(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="answers"):
        hub.blades.remove(2, lost=True)
    (tmp_path / "c").rename(tmp_path / "unplugged")
    for refused in (hub.blades.remove, hub.blades.drain):
        with pytest.raises(BladeLost) as caught:
            refused(2)
        assert "maru blade remove 2 --lost" in caught.value.hint
    told = hub.blades.remove(2, lost=True)
    assert told.state == REMOVED
    assert told.files >= 1, "so much is to be made again"
    assert bytes(hub.bucket("pets")["1.jpg"]) == b"x" * 5000
    (tmp_path / "unplugged").rename(tmp_path / "c")
    assert hub.blades.add(tmp_path / "c").number == 2
    assert states(hub) == [IN_SERVICE] * 3
    assert hub.check().ok


def test_a_blade_that_was_moved_is_found_again(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "c").rename(tmp_path / "elsewhere")
    assert states(hub)[2] == MISSING
    told = hub.blades.add(tmp_path / "elsewhere")
    assert (told.number, told.state, told.path) == (2, IN_SERVICE, str(tmp_path / "elsewhere"))
    assert len(listed(hub)) == 3


def test_replace(hub: Hub, tmp_path: Path) -> None:
    fresh, old = hub.blades.replace(0, tmp_path / "d")
    assert (fresh.number, fresh.state, old.number, old.state) == (3, IN_SERVICE, 0, DRAINING)
    assert [b.number for b in hub.blades.replace(0, tmp_path / "d")] == [3, 0], "said twice it does no harm"
    shutil.rmtree(tmp_path / "b")
    fresh, old = hub.blades.replace(1, tmp_path / "e")
    assert (fresh.number, fresh.state, old.number, old.state) == (4, IN_SERVICE, 1, REMOVED)
    shutil.rmtree(tmp_path / "c")
    with pytest.raises(MaruError, match="does not answer"):
        hub.blades.add(tmp_path / "c")


def test_blades_are_named_by_number_folder_and_id(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    second = hub.blades.list()[1]
    for name in ("1", "b", "./b", str(tmp_path / "b"), second.id, second.id[:12].upper()):
        assert hub.blades.drain(name, undo=True).id == second.id
    for name in ("7", "", "nothing", "-1", second.id[:3]):
        with pytest.raises(NotFound):
            hub.blades.drain(name)
    whole = json.loads((hub.path / "hub.json").read_text())
    for blade in whole["blades"]:
        blade["id"] = "abcd" + blade["id"][4:]
    (hub.path / "hub.json").write_text(json.dumps(whole))
    with pytest.raises(InvalidInput, match="any of 3"):
        hub.blades.drain("abcd")


def test_numbers_outlive_the_hubs_folder(hub: Hub, tmp_path: Path) -> None:
    hub.blades.add(tmp_path / "d")
    hub.blades.drain("d" if Path("d").exists() else str(tmp_path / "d"))
    hub.close()
    shutil.rmtree(tmp_path / "hub")
    folders = [tmp_path / name for name in "dcab"]
    with maruhub.api.adopt(tmp_path / "again", folders) as again:
        assert [(blade.number, Path(blade.path).name) for blade in again.blades.list()] == [
            (0, "a"),
            (1, "b"),
            (2, "c"),
            (3, "d"),
        ]
        assert states(again) == [IN_SERVICE, IN_SERVICE, IN_SERVICE, DRAINING]


def test_a_list_without_numbers_counts(hub: Hub) -> None:
    """As earlier builds wrote it."""
    whole = json.loads((hub.path / "hub.json").read_text())
    for blade in whole["blades"]:
        del blade["number"]
    (hub.path / "hub.json").write_text(json.dumps(whole))
    assert [blade.number for blade in hub.blades.list()] == [0, 1, 2]


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 1}', '{"format": 1, "pool": "", "blades": [7]}'])
def test_a_damaged_list_changes_nothing_for_who_has_the_hub_open(hub: Hub, text: str) -> None:
    (hub.path / "hub.json").write_text(text)
    hub.bucket("pets")["2.jpg"] = b"y"
    assert len(hub.store.blades.answering) == 3
    with pytest.raises(MaruError):
        hub.blades.list()


def test_membership_takes_out_only_what_is_in(hub: Hub) -> None:
    membership.dismiss(hub.path, b"stranger" * 2)
    assert len(listed(hub)) == 3
