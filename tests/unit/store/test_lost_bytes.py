"""Bytes that nobody has whole: the error says what each blade answered, so that a dead drive is told from rot."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from maruhub import compose
from maruhub.api.door import connect, create
from maruhub.errors import Corrupt
from maruhub.store.format.extent import Blob, Blobs, Extent
from maruhub.store.local_blade import LocalFile
from maruhub.store.read.answers import WRONG, no_intact_copy
from maruhub.store.read.layouts import FileKey
from maruhub.store.read.mapping import MappedFile
from maruhub.store.store import PoolStore
from maruhub.testing.calls import Calls, Fault
from maruhub.testing.machine import Machine

DATA = random.Random(1).randbytes(20_000)


def put(store: PoolStore) -> Blob:
    (blob,) = store.append([DATA])
    store.commit(lambda rows: rows.put(b"Kall", b"", extents=blob))
    return blob


def lost(store: PoolStore, blob: Blob) -> Corrupt:
    (error,) = store.read_many(Blobs.of([blob]))
    assert isinstance(error, Corrupt)
    return error


def short(blade_id: bytes) -> str:
    return blade_id.hex()[:8]


def test_copies_say_each_why_they_have_it_not(tmp_path: Path) -> None:
    machine = Machine(3, home=tmp_path)
    healthy = machine.start()
    blob = put(healthy.store)
    healthy.close()
    (inode,) = (
        i for name, i in machine.platters[2].files.items() if name.startswith(f"{blob[0].segment:016x}")
    )
    inode.write(blob[0].offset, b"rot")
    process = machine.start(Calls(faults=[Fault("read", 1, errno.EIO, times=0, blade=1)]), missing=[0])
    error = lost(process.store, blob)
    gone, dead, rotten = (short(platter.blade_id) for platter in machine.platters)
    for said in (
        f"blade {gone}: missing",
        f"blade {dead}: Input/output error",
        f"blade {rotten}: other bytes than were written",
    ):
        assert said in error.what
    assert "missing blades" in error.hint
    process.close()


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """A hub in strips, 4 and 2 of parity."""
    with create(tmp_path / "hub", blades=6) as hub:
        hub.bucket("photos").put_many({f"{n:02}": random.Random(n).randbytes(30_000) for n in range(48)})
        hub.care.once()
    return tmp_path / "hub"


def three_of(hub: Path) -> list[Path]:
    """Blades with a strip, one more than may be lost; one that stalled for a moment has none."""
    return sorted({file.parents[1] for file in hub.glob("blades/*/segments/*.strip")})[:3]


def spoiled(file: Path) -> None:
    """Other bytes in the middle of a strip, whose header and sums stay."""
    raw = bytearray(file.read_bytes())
    # Different ones in each: the same change in several may cancel itself out where they are decoded together.
    raw[5000:-4096] = random.Random(file.name).randbytes(len(raw[5000:-4096]))
    file.write_bytes(raw)


def removed(file: Path) -> None:
    file.unlink()


def cut(file: Path) -> None:
    os.truncate(file, 4096)


def emptied(file: Path) -> None:
    os.truncate(file, 0)


@pytest.mark.parametrize(
    ("harm", "said", "hint"),
    [
        (spoiled, "other bytes than were written", "rotted"),
        (removed, "the file is gone", "kernel's log"),
        (cut, "the file is shorter than it was", "kernel's log"),
        (emptied, "the file is shorter than it was", "kernel's log"),
    ],
)
def test_strips_name_those_that_are_harmed_and_no_others(
    sealed: Path, harm: Callable[[Path], None], said: str, hint: str
) -> None:
    harmed = three_of(sealed)
    for blade in harmed:
        for file in (blade / "segments").glob("*.strip"):
            harm(file)
    with connect(sealed, read_only=True) as hub:
        ids = {Path(blade.path).name: blade.id[:8] for blade in hub.blades.list()}
        errors = []
        for key in (f"{n:02}" for n in range(48)):
            try:
                hub.bucket("photos").get(key)
            except Corrupt as error:
                errors.append(error)
    assert errors
    for error in errors:
        told = {blade for blade, id_ in ids.items() if id_ in error.what}
        assert told == {blade.name for blade in harmed}
        assert (
            f"blades {', '.join(sorted((ids[blade] for blade in told), key=error.what.index))}: {said}"
            in error.what
        )
        assert hint in error.hint
        assert str(sealed.parent) not in f"{error} {error.hint}", "strangers are told of it over HTTP"


def test_blades_that_are_away_are_asked_for(sealed: Path) -> None:
    with connect(sealed, read_only=True) as hub:
        ids = {Path(blade.path).name: blade.id[:8] for blade in hub.blades.list()}
    away = three_of(sealed)
    for blade in away:
        blade.rename(sealed.parent / blade.name)
    with connect(sealed, read_only=True) as hub, pytest.raises(Corrupt, match="missing") as caught:
        hub.bucket("photos").get_many([f"{n:02}" for n in range(48)])
    assert all(ids[blade.name] in caught.value.what for blade in away)
    assert "Bring missing blades back" in caught.value.hint
    assert str(sealed.parent) not in str(caught.value)


def test_what_many_blades_say_is_short() -> None:
    answers = {
        FileKey("f", bytes([i]) * 16): number for i, number in enumerate([WRONG] * 6 + [errno.EIO] * 4)
    }
    error = no_intact_copy(Extent(1, 2, 3, 4), answers)
    assert "blades 00000000, 01010101, 02020202, 03030303 and 2 more: other bytes" in error.what
    assert "blades 06060606, 07070707, 08080808, 09090909: Input/output error" in error.what
    assert len(error.what) < 300


def test_two_files_of_one_blade_are_one_answer() -> None:
    answers = {FileKey(name, b"\1" * 16): errno.EIO for name in "ab"}
    assert "(blade 01010101: Input/output error)" in no_intact_copy(Extent(1, 2, 3, 4), answers).what


def test_an_address_of_nothing_says_so(tmp_path: Path) -> None:
    pool = compose.create_pool(tmp_path / "hub", n=2)
    (extent,) = put(pool.store)
    for wrong in (extent._replace(segment=extent.segment ^ 1), extent._replace(offset=1 << 50)):
        assert "there is no such segment or place" in lost(pool.store, (wrong,)).what
    pool.close()


def test_a_page_that_can_not_be_had_is_what_a_read_would_say(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(8192))
    mapped = MappedFile(LocalFile(path, os.O_RDONLY))
    os.truncate(path, 4096)
    with pytest.raises(OSError, match="No data") as caught:
        mapped.view_cold(4096, 8192)
    assert caught.value.errno == errno.ENODATA
    mapped.file.size = lambda: 8192  # type: ignore[method-assign]
    with pytest.raises(OSError, match="Input/output"):
        mapped.view_cold(4096, 8192)
