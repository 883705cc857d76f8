"""A hub that is full: new data are refused before the reserve, deletes are not, and room is room again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import maruhub
from maruhub import compose
from maruhub.api import Hub
from maruhub.errors import NoSpace
from maruhub.store import blades, lookout, rooms
from maruhub.store.capacity import Room
from maruhub.store.local_blade import LocalBlade

DRIVE_BYTES = 40 << 20
RESERVE_BYTES = 4 << 20
OBJECT_BYTES = 100_000


class Drives:
    """Drives of ``DRIVE_BYTES``, which know what stands on them beside ``ballast``."""

    def __init__(self) -> None:
        self.ballast: dict[str, int] = {}

    def room(self, blade: LocalBlade) -> Room:
        taken = sum(path.stat().st_size for path in (blade.root / "segments").iterdir())
        free = DRIVE_BYTES - taken - self.ballast.get(blade.root.name, 0)
        return Room(max(0, free), DRIVE_BYTES)


@pytest.fixture
def drives(monkeypatch: pytest.MonkeyPatch) -> Drives:
    made = Drives()
    monkeypatch.setattr(LocalBlade, "room", lambda blade: made.room(blade))
    for module in (lookout, blades):
        monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)
    # Each put asks for room: ballast comes at once, as no data do.
    monkeypatch.setattr(rooms, "_ASK_SECONDS", 0.0)
    return made


@pytest.fixture
def hub(tmp_path: Path, drives: Drives) -> Iterator[Hub]:
    folders = [tmp_path / name for name in "abc"]
    compose.create_pool(tmp_path / "hub", blades=folders, segment_bytes=32 << 20).close()
    opened = maruhub.connect(tmp_path / "hub")
    yield opened
    opened.close()


def fill(hub: Hub) -> int:
    """Puts until there is no room; how many were stored."""
    for number in range(1000):
        try:
            hub.bucket("pets")[f"{number:04}"] = bytes(OBJECT_BYTES)
        except NoSpace:
            return number
    raise AssertionError("it never was full")


def least_free(drives: Drives, hub: Hub) -> int:
    return min(drives.room(blade).free_bytes for blade in hub.pool.found.local_blades)


def test_new_data_stop_before_the_reserve_and_deletes_go_on(hub: Hub, drives: Drives) -> None:
    stored = fill(hub)
    assert stored > 300
    assert RESERVE_BYTES - (1 << 20) < least_free(drives, hub) <= RESERVE_BYTES
    for number in range(stored):
        del hub.bucket("pets")[f"{number:04}"]
    assert list(hub.bucket("pets")) == []
    with pytest.raises(NoSpace, match=r"only the reserve is left \(/"):
        hub.bucket("pets")["another"] = bytes(OBJECT_BYTES)
    assert least_free(drives, hub) > 0


def test_a_new_process_can_delete_in_a_full_hub_with_all_copies(
    hub: Hub, drives: Drives, tmp_path: Path
) -> None:
    """Though no log is open that it could go on in."""
    fill(hub)
    hub.store.close_logs(0)
    hub.close()
    with maruhub.connect(tmp_path / "hub") as other:
        del other.bucket("pets")["0000"]
        assert "0000" not in other.bucket("pets")
        opened = [layout for layout in other.store.layouts() if not layout.closed]
        assert [len(layout.blades) for layout in opened] == [3]


def test_with_room_data_are_taken_again(hub: Hub, drives: Drives) -> None:
    drives.ballast = dict.fromkeys("abc", 34 << 20)
    stored = fill(hub)
    drives.ballast = {}
    hub.bucket("pets")["late"] = b"there is room again"
    assert bytes(hub.bucket("pets")["late"]) == b"there is room again"
    assert len(list(hub.bucket("pets"))) == stored + 1


def test_a_log_leaves_a_blade_that_has_only_its_reserve_or_is_drained(hub: Hub, drives: Drives) -> None:
    hub.bucket("pets")["1"] = bytes(OBJECT_BYTES)
    drives.ballast = {"a": 37 << 20}
    before = drives.room(hub.pool.found.local_blades[0]).free_bytes
    for number in range(5):
        hub.bucket("pets")[f"more{number}"] = bytes(OBJECT_BYTES)
    assert before - drives.room(hub.pool.found.local_blades[0]).free_bytes < OBJECT_BYTES
    drives.ballast = {}
    hub.blades.drain("1")
    hub.bucket("pets")["2"] = bytes(OBJECT_BYTES)
    drained = hub.pool.found.local_blades[1].blade_id
    open_layouts = [layout for layout in hub.store.layouts() if not layout.closed]
    assert open_layouts
    assert all(drained not in layout.blades for layout in open_layouts)
    assert len(list(hub.bucket("pets"))) == 7
