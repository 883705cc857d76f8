"""``tools/rescue.py`` alone: blades in, every object out, or named with the reason.

Pools are made by the hub; the program runs in a process of its own that can't import it.
"""

from __future__ import annotations

import ast
import csv
import errno
import hashlib
import importlib.util
import io
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import xxhash

import maruhub
from maruhub import compose
from maruhub.namespace.bucket import Versioning
from maruhub.namespace.paths import also_folders, key_to_path
from maruhub.store.format.batch import CHECKPOINT, BatchHead, BatchPlace, decode_batch_head, encode_batch
from maruhub.store.format.cutting import cut_into_strips, units_of
from maruhub.store.format.header import decode_header
from maruhub.store.format.row import Row, encode_row
from maruhub.store.format.strip import (
    SUM_BLOCK_BYTES,
    StripHeader,
    encode_strip_header,
    encode_trailer,
    strip_header_bytes,
)
from maruhub.store.parity import code
from maruhub.store.seal.act import Outcome
from maruhub.store.store import PoolStore

TOOL = Path(__file__).parents[2] / "tools" / "rescue.py"
SEGMENT_BYTES = 1 << 20
Objects = dict[tuple[str, str], bytes]
KEYS = [
    "cats/1.jpg", "a", "a/b", "a/b/c", "/a", "a//b", "a/", "../../../escaped", "a/./b", "/etc/passwd",
    "x\0y", "%~x", "%~%25~x", "x" * 300, "é" * 200 + "%", "new\nline", "ü/😀", ".", "..", "%^", "a/%^",
    "%part", "back\\slash", "//", "k" * 1024, "a%2fb", " ", "~", "-rf",
]  # fmt: skip


@pytest.fixture(scope="module")
def alone() -> ModuleType:
    """The program as a module, for its parts."""
    spec = importlib.util.spec_from_file_location("rescue_under_test", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


# ---------------------------------------------------------------- pools


def make(folder: Path, blades: int) -> list[Path]:
    drives = [folder / f"drive{number}" for number in range(blades)]
    compose.create_pool(folder / "hub", blades=drives, segment_bytes=SEGMENT_BYTES).close()
    return drives


@pytest.fixture(autouse=True, scope="module")
def _full_copies() -> Iterator[None]:
    """Segments stay in full copies until a test says otherwise."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PoolStore, "_seal", lambda *_: None)
        yield


def fill(hub: maruhub.Hub, seed: int = 1) -> Objects:
    chance = random.Random(seed)
    wanted: Objects = {("odd-names", key): b"at " + key.encode() for key in KEYS}
    sizes = (0, 1, 4095, 4096, 4097, 50_000, (1 << 20) - 1, 1 << 20, (3 << 20) + 17)
    wanted |= {("sizes", f"of/{size}"): chance.randbytes(size) for size in sizes}
    wanted |= {(f"bucket-{i % 5}", f"many/{i}"): chance.randbytes(i % 900) for i in range(400)}
    for bucket in dict.fromkeys(bucket for bucket, _ in wanted):
        hub.bucket(bucket).put_many({key: data for (at, key), data in wanted.items() if at == bucket})
    hub.bucket("odd-names")["a"] = wanted["odd-names", "a"] = b"written again"
    del hub.bucket("sizes")["of/4096"]
    del wanted["sizes", "of/4096"]
    hub.bucket("sizes").copy("of/50000", "by-reference", bucket="copies")
    wanted["copies", "by-reference"] = wanted["sizes", "of/50000"]
    hub.bucket("gone")["x"] = b"y"
    del hub.bucket("gone")["x"]
    hub.namespace.buckets.delete("gone")
    for number in range(5):
        hub.bucket("late")[f"{number}"] = wanted["late", f"{number}"] = chance.randbytes(70_000)
    return wanted


def paths_of(objects: Objects) -> dict[bytes, bytes]:
    """What stands below OUT: path → bytes."""
    found = {}
    for bucket in dict.fromkeys(bucket for bucket, _ in objects):
        keys = {key for at, key in objects if at == bucket}
        folders = also_folders(keys)
        for key in keys:
            path = f"{bucket}/{key_to_path(key, is_also_folder=key in folders)}"
            found[path.encode()] = objects[bucket, key]
    return found


def files_below(out: Path) -> dict[bytes, bytes]:
    found = {}
    for folder, _, names in os.walk(os.fsencode(out)):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, os.fsencode(out))] = file.read()
    return found


def run(*arguments: object, elsewhere: Path) -> subprocess.CompletedProcess[str]:
    elsewhere.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-I", str(TOOL), *map(str, arguments)],
        cwd=elsewhere,
        env={"PYTHONPATH": "", "PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )


def files_of(drives: list[Path], suffix: str) -> list[Path]:
    return sorted(path for drive in drives for path in (drive / "segments").glob(f"*{suffix}"))


def flip(path: Path, offset: int, size: int = 1) -> None:
    data = bytearray(path.read_bytes())
    for at in range(offset, min(offset + size, len(data))):
        data[at] ^= 0x55
    path.write_bytes(data)


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], Objects]:
    """A pool of six blades in full copies, the hub's own folder gone."""
    folder = tmp_path_factory.mktemp("six")
    drives = make(folder, 6)
    with maruhub.connect(folder / "hub") as hub:
        wanted = fill(hub)
    shutil.rmtree(folder / "hub")
    return drives, wanted


@pytest.fixture
def pool(six: tuple[list[Path], Objects], tmp_path: Path) -> tuple[list[Path], Objects]:
    """A copy of it to break."""
    drives = []
    for drive in six[0]:
        drives.append(tmp_path / drive.name)
        shutil.copytree(drive, drives[-1])
    return drives, dict(six[1])


# ---------------------------------------------------------------- full copies


def test_every_object_comes_out_whatever_its_name(pool, tmp_path):
    drives, wanted = pool
    before = {path: path.read_bytes() for path in files_of(drives, "")}
    done = run(*drives, tmp_path / "out", elsewhere=tmp_path / "cwd")
    assert (done.returncode, files_below(tmp_path / "out")) == (0, paths_of(wanted)), done.stderr
    assert {path: path.read_bytes() for path in files_of(drives, "")} == before
    assert {path.name for path in tmp_path.iterdir()} == {*(d.name for d in drives), "out", "cwd"}
    assert list((tmp_path / "cwd").iterdir()) == []


@pytest.mark.parametrize("lost", [(0, 1), (2, 5), (3, 4)])
def test_two_blades_may_be_missing_and_a_copy_rotten(pool, tmp_path, lost):
    drives, wanted = pool
    left = [drive for number, drive in enumerate(drives) if number not in lost]
    for number in lost:
        shutil.rmtree(drives[number])
    seen: dict[str, int] = {}
    for path in files_of(left, ".log"):
        seen[path.name] = seen.get(path.name, 0) + 1
    spare = {name for name, copies in seen.items() if copies > 1}
    rotten = [path for path in files_of(left[:1], ".log") if path.name in spare]
    for path in rotten:
        flip(path, 5000, 200_000)
    done = run(*left, tmp_path / "out", elsewhere=tmp_path / "cwd")
    assert (done.returncode, files_below(tmp_path / "out")) == (0, paths_of(wanted)), done.stderr


def test_copies_rotten_in_different_places_make_one_whole_object(tmp_path):
    drives = make(tmp_path, 3)
    chance = random.Random(4)
    with maruhub.connect(tmp_path / "hub") as hub:
        hub.bucket("big")["one"] = data = chance.randbytes((6 << 20) + 100)
    shutil.rmtree(tmp_path / "hub")
    logs = {path.name for path in files_of(drives, ".log")}
    for number, name in itertools.product(range(3), logs):
        path = drives[number] / "segments" / name
        at = path.read_bytes().find(data[number << 20 : (number << 20) + 4096])
        if at >= 0:
            flip(path, at + 77)
    done = run(*drives, tmp_path / "out", elsewhere=tmp_path / "cwd")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "big" / "one").read_bytes() == data


def test_a_damaged_object_is_named_with_the_reason_and_not_written(pool, tmp_path):
    drives, wanted = pool
    data = wanted.pop(("sizes", "of/50000"))
    del wanted["copies", "by-reference"]
    for path in files_of(drives, ".log"):
        at = path.read_bytes().find(data)
        if at >= 0:
            flip(path, at + 40_000)
    done = run(*drives, tmp_path / "out", "--json", elsewhere=tmp_path / "cwd")
    assert done.returncode == 1
    assert files_below(tmp_path / "out") == paths_of(wanted)
    said = json.loads(done.stdout)
    assert {(d["bucket"], d["key"]) for d in said["damaged"]} == {
        ("sizes", "of/50000"),
        ("copies", "by-reference"),
    }
    assert all("wrong in every copy" in d["reason"] for d in said["damaged"])
    assert "sizes/of/50000" in done.stderr


def test_damaged_records_are_told(pool, tmp_path):
    drives, wanted = pool
    markers = {}
    for path in files_of(drives, ".log"):
        markers[path.name] = decode_header(path.read_bytes()[:4096], where="").marker
    name = next(name for name, marker in sorted(markers.items()) if _batches(_copy(drives, name), marker)[2:])
    for path in files_of(drives, name):
        flip(path, _batches(path.read_bytes(), markers[name])[1][0] + 90)
    done = run(*drives, tmp_path / "out", elsewhere=tmp_path / "cwd")
    assert done.returncode == 1
    assert f"segment {name[:16]}" in done.stderr
    assert "changes are missing" in done.stderr
    # What other batches say is out all the same.
    _nothing_wrong(tmp_path / "out", wanted)


def _nothing_wrong(out: Path, wanted: Objects) -> None:
    """Whatever is out under an object's name is that object, perhaps before a change that is lost."""
    got, whole = files_below(out), paths_of(wanted)
    assert got.pop(b"odd-names/a/%^", b"at a") in (b"at a", b"written again")
    assert {path: data for path, data in got.items() if whole.get(path, data) != data} == {}


def test_turns_of_which_every_copy_is_gone_are_told(pool, tmp_path):
    drives, _ = pool
    name = files_of(drives, ".log")[0].name
    for path in files_of(drives, name):
        path.unlink()
    done = run(*drives, tmp_path / "out", elsewhere=tmp_path / "cwd")
    assert done.returncode == 1
    assert name[:16] in done.stderr or "changes are missing" in done.stderr


def test_what_a_dead_writer_left_and_a_void_batch_do_not_count(pool, tmp_path):
    """A batch behind the chain's end whose turn a later one passed over, and torn bytes behind it."""
    drives, wanted = pool
    heads = {}
    for name in {path.name for path in files_of(drives, ".log")}:
        data = _copy(drives, name)
        marker = decode_header(data[:4096], where="").marker
        for at, end in _batches(data, marker)[-1:]:
            heads[name] = decode_batch_head(marker, data[at:end], at)
    last = max(head.last for head in heads.values())
    keys = sorted(key for key in _rows(drives) if key[:1] == b"K")
    one, other = sorted(heads)[:2]
    _append(drives, one, heads[one], keys, first=last + 1, after=last)
    _append(drives, other, heads[other], [], first=last + 9, after=last)
    done = run(*drives, tmp_path / "out", elsewhere=tmp_path / "cwd")
    assert files_below(tmp_path / "out") == paths_of(wanted), done.stderr


def _append(
    drives: list[Path], name: str, head: BatchHead, gone: list[bytes], *, first: int, after: int
) -> None:
    """A batch at a log's end that removes rows, as its writer would make it."""
    data = _copy(drives, name)
    place = BatchPlace(len(data) + -len(data) % 8, head.offset, head.epoch, first, first, after, 0)
    rows = [(key, encode_row(None, counter=first, time_us=0)) for key in gone]
    batch = encode_batch(decode_header(data[:4096], where="").marker, place, rows)
    for path in files_of(drives, name):
        path.write_bytes(data.ljust(place.offset, b"\0") + batch + os.urandom(3000))


def _copy(drives: list[Path], name: str) -> bytes:
    return max((path.read_bytes() for path in files_of(drives, name)), key=len)


def _batches(data: bytes, marker: bytes) -> list[tuple[int, int]]:
    """Start and end of each batch of a log that nobody tore."""
    found, at = [], data.find(marker, 4096)
    while at >= 0:
        head = decode_batch_head(marker, data[at : at + 88], at)
        assert head is not None
        found.append((at, head.end))
        at = data.find(marker, head.end)
    return found


def _rows(drives: list[Path]) -> dict[bytes, Row]:
    """Every row that any batch of any log holds (of an undamaged pool)."""
    found = {}
    for name in {path.name for path in files_of(drives, ".log")}:
        data = _copy(drives, name)
        for at, end in _batches(data, decode_header(data[:4096], where="").marker):
            batch, place = data[at:end], 88
            while place < len(batch):
                key_size, size = (int.from_bytes(batch[place + i : place + i + 4], "little") for i in (0, 4))
                key = batch[place + 8 : place + 8 + key_size]
                place += 8 + key_size + size
                found[key] = Row(key, batch[place - size : place])
    return found


# ---------------------------------------------------------------- strips


def cut(drives: list[Path], name: str, *, act: int = 2, keep_logs: bool = False) -> None:
    """A segment's full copies become strips, as docs/format.md says."""
    log = _copy(drives, name)
    header = decode_header(log[:4096], where=name)
    batches = _batches(log, header.marker)
    runs = {(e.offset, e.offset + e.length) for row in _all_rows[str(drives[0])] for e in row.extents
            if e.segment == header.segment}  # fmt: skip
    pieces = sorted([*runs, *batches])
    k = max(1, min(len(drives) - 2, 8))
    files = min(len(drives), k + 2)
    total = sum(end - start for start, end in pieces)
    cutting = cut_into_strips(units_of([(a, b, i) for i, (a, b) in enumerate(pieces)], -(-total // k)), k)
    data_at = strip_header_bytes(files, len(cutting.ranges))
    strips = [bytearray(length) for length in cutting.lengths]
    for start, length, place, file in cutting.ranges:
        piece = log[start : start + length]
        strips[file][place : place + len(piece)] = piece
    longest = max(cutting.lengths)
    filled = [bytes(strip).ljust(longest, b"\0") for strip in strips]
    data = [*map(bytes, strips), *map(bytes, code(k).encode(filled)[: files - k])]
    first, last = (batches[0], batches[-1]) if batches else ((0, 0), (0, 0))
    act_id = random.Random(name).randbytes(16)
    for number, strip in enumerate(data):
        made = StripHeader(
            header.pool_id, header.segment, header.segment_class, number, act, act_id, header.marker, 0,
            len(log), last[0], last[1], first[0], 1, k, tuple(map(len, data)),
            tuple(part._replace(place=part.place + data_at) for part in cutting.ranges),
        )  # fmt: skip
        blocks = [strip[at : at + SUM_BLOCK_BYTES] for at in range(0, len(strip), SUM_BLOCK_BYTES)]
        whole = encode_strip_header(made) + strip + encode_trailer([zlib.crc32(block) for block in blocks])
        file = f"{header.segment:016x}.{act}.{number}.strip"
        (drives[(number + header.segment) % len(drives)] / "segments" / file).write_bytes(whole)
    for path in files_of(drives, name) if not keep_logs else ():
        path.unlink()


_all_rows: dict[str, list[Row]] = {}


def cut_all(drives: list[Path], **options: bool) -> None:
    _all_rows[str(drives[0])] = list(_rows(drives).values())
    for name in sorted({path.name for path in files_of(drives, ".log")}):
        cut(drives, name, **options)


@pytest.mark.parametrize(("blades", "lost"), [(6, (0, 3)), (6, (4, 5)), (4, (0, 1)), (3, (0, 2)), (2, (1,))])
def test_strips_are_rebuilt_without_two_blades(tmp_path, blades, lost):
    drives = make(tmp_path, blades)
    with maruhub.connect(tmp_path / "hub") as hub:
        wanted = fill(hub)
    shutil.rmtree(tmp_path / "hub")
    cut_all(drives)
    assert not files_of(drives, ".log")
    for number in lost:
        shutil.rmtree(drives[number])
    left = [drive for drive in drives if drive.exists()]
    done = run(*left, tmp_path / "out", elsewhere=tmp_path / "cwd")
    assert (done.returncode, files_below(tmp_path / "out")) == (0, paths_of(wanted)), done.stderr


def test_rot_in_strips_is_found_by_their_sums_and_rebuilt(pool, tmp_path):
    """Two strips of each segment damaged, each in another way, beside leftovers of an act that failed."""
    drives, wanted = pool
    cut_all(drives)
    by_segment: dict[str, list[Path]] = {}
    for path in files_of(drives, ".strip"):
        by_segment.setdefault(path.name[:16], []).append(path)
    for number, paths in enumerate(by_segment.values()):
        paths.sort(key=lambda path: path.name)
        one, other = paths[number % 4], paths[(number + 2) % 6]
        flip(one, 4096 + 100, 9_000)
        if number % 3 == 0:
            flip(other, 50)  # its header
        elif number % 3 == 1:
            flip(other, other.stat().st_size - 9, 9)  # its sums
        else:
            other.write_bytes(other.read_bytes()[: other.stat().st_size // 2])
        whole = paths[(number + 1) % 6]
        for name, size in (
            (whole.name.replace(".2.", ".3."), 5000),
            (whole.name, whole.stat().st_size - 9000),
        ):
            stale = drives[(drives.index(whole.parents[1]) + 1) % 6] / "segments" / name
            assert not stale.exists()
            stale.write_bytes(whole.read_bytes()[:size])
    done = run(*drives, tmp_path / "out", elsewhere=tmp_path / "cwd")
    assert (done.returncode, files_below(tmp_path / "out")) == (0, paths_of(wanted)), done.stderr


def test_full_copies_beside_a_half_done_act_count(pool, tmp_path):
    drives, wanted = pool
    cut_all(drives, keep_logs=True)
    for path in files_of(drives, ".strip"):
        if not path.name.endswith((".0.strip", ".4.strip")):
            path.unlink()
    done = run(*drives[2:], tmp_path / "out", elsewhere=tmp_path / "cwd")
    assert (done.returncode, files_below(tmp_path / "out")) == (0, paths_of(wanted)), done.stderr


def test_with_three_strips_lost_what_is_left_comes_out_and_the_rest_is_named(pool, tmp_path):
    drives, wanted = pool
    cut_all(drives)
    named = []
    for left in itertools.combinations(drives, 3):
        out = tmp_path / f"out{len(named)}"
        done = run(*left, out, elsewhere=tmp_path / "cwd")
        assert done.returncode == 1
        _nothing_wrong(out, wanted)
        # A segment can be named where the records that tell of it are left; else those are.
        named.append("too few of its files" in done.stderr)
        assert named[-1] or "damaged in every copy" in done.stderr
    assert any(named)


def seal(hub: maruhub.Hub, *, covered: int = 0) -> None:
    """Every segment becomes strips, or is cut anew."""
    hub.store.close_logs(0)
    for layout in list(hub.store.layouts()):
        with hub.store.acting() as acts:
            if layout.closed:
                assert acts.recut(layout.segment, covered=covered).outcome in (Outcome.DONE, Outcome.REMOVED)


@pytest.mark.parametrize(("blades", "lost"), [(6, (1, 4)), (4, (2, 3)), (3, (0, 1))])
def test_a_pool_that_the_hub_has_sealed(tmp_path, blades, lost):
    drives = make(tmp_path, blades)
    with maruhub.connect(tmp_path / "hub") as hub:
        wanted = fill(hub)
        seal(hub)
        assert len(files_of(drives, ".strip")) > 3 * blades
        hub.bucket("late")["more"] = wanted["late", "more"] = b"in full copies"
        del hub.bucket("late")["1"]
        del wanted["late", "1"]
    for number in lost:
        shutil.rmtree(drives[number])
    left = [drive for drive in drives if drive.exists()]
    done = run(*left, tmp_path / "out", elsewhere=tmp_path / "cwd")
    assert (done.returncode, files_below(tmp_path / "out")) == (0, paths_of(wanted)), done.stderr


def test_records_that_a_checkpoint_replaced_are_left_out_and_nothing_comes_back(tmp_path):
    """A row that is gone stands in no checkpoint: older records that set it must not count."""
    drives = make(tmp_path, 6)
    with maruhub.connect(tmp_path / "hub") as hub:
        wanted = fill(hub)
        made = hub.store.checkpoint()
        seal(hub, covered=made.began_after)
        hub.bucket("late")["more"] = wanted["late", "more"] = b"in full copies"
    for drive in drives[2:4]:
        shutil.rmtree(drive)
    done = run(*drives[:2], *drives[4:], tmp_path / "out", elsewhere=tmp_path / "cwd")
    assert (done.returncode, files_below(tmp_path / "out")) == (0, paths_of(wanted)), done.stderr


def test_a_checkpoint_that_was_never_finished_hides_no_older_one(tmp_path):
    """The record that took ``x`` away was left out; the one that put it is still there."""
    drives = make(tmp_path, 4)
    with maruhub.connect(tmp_path / "hub") as hub:
        hub.bucket("photos")["x"] = b"deleted"
        hub.store.close_logs(0)
        first = {layout.segment for layout in hub.store.layouts()}
        del hub.bucket("photos")["x"]
        hub.bucket("photos")["y"] = b"stays"
        hub.store.close_logs(0)
        made = hub.store.checkpoint()
        removed = set()
        for layout in list(hub.store.layouts()):
            with hub.store.acting() as acts:
                if layout.closed and layout.segment not in first:
                    removed.add(acts.recut(layout.segment, covered=made.began_after).outcome)
        assert removed
        turn = hub.store._writer_side().turn
        turn.relog(lambda txn: list(txn.scan(b"\1L", b"\1M", 2)), CHECKPOINT)
        hub.bucket("photos")["z"] = b"later"
    done = run(*drives[1:3], tmp_path / "out", elsewhere=tmp_path / "cwd")
    assert done.returncode == 0, done.stderr
    assert files_below(tmp_path / "out") == {b"photos/y": b"stays", b"photos/z": b"later"}


# ---------------------------------------------------------------- the line of rows


def test_a_checkpoint_takes_the_place_of_what_is_older(tmp_path):
    drives = make(tmp_path, 4)
    with maruhub.connect(tmp_path / "hub") as hub:
        wanted = fill(hub)
        hub.store.checkpoint()
        del hub.bucket("late")["0"]
        del wanted["late", "0"]
        hub.bucket("late")["after"] = wanted["late", "after"] = b"the checkpoint"
    done = run(*drives[1:3], tmp_path / "out", elsewhere=tmp_path / "cwd")
    assert (done.returncode, files_below(tmp_path / "out")) == (0, paths_of(wanted)), done.stderr


def test_an_object_of_the_last_turn_that_never_arrived_leaves_what_the_key_held(tmp_path):
    drives = make(tmp_path, 2)
    with maruhub.connect(tmp_path / "hub") as hub:
        hub.bucket("photos")["a"] = b"first" * 1000
        hub.bucket("photos")["a"] = second = random.Random(2).randbytes(9000)
    for path in files_of(drives, ".log"):
        at = path.read_bytes().find(second)
        data = path.read_bytes()
        path.write_bytes(data[:at] + bytes(4608) + data[at + 4608 :])
    done = run(*drives, tmp_path / "out", elsewhere=tmp_path / "cwd")
    assert done.returncode == 1
    assert "photos/a" in done.stderr
    assert files_below(tmp_path / "out") == {b"photos/a": b"first" * 1000}


# ---------------------------------------------------------------- options


def test_list_and_verify_write_nothing(six, tmp_path):
    drives, wanted = six
    done = run("--list", *drives, elsewhere=tmp_path / "cwd")
    rows = list(csv.DictReader(io.StringIO(done.stdout, newline="")))
    assert {(row["bucket"], row["key"]): row["sha256"] for row in rows} == {
        name: hashlib.sha256(data).hexdigest() for name, data in wanted.items()
    }
    done = run("--verify", "--json", *drives, elsewhere=tmp_path / "cwd")
    said = json.loads(done.stdout)
    assert (done.returncode, said["did"], said["objects"]) == (0, "verified", len(wanted))
    assert said["bytes"] == sum(map(len, wanted.values()))
    assert list((tmp_path / "cwd").iterdir()) == []


def test_a_bucket_and_a_prefix_choose(six, tmp_path):
    drives, wanted = six
    arguments = ("--bucket", "odd-names", "--prefix", "a/", *drives, tmp_path / "out")
    done = run(*arguments, elsewhere=tmp_path / "cwd")
    keys = [key for bucket, key in wanted if bucket == "odd-names" and key.startswith("a/")]
    chosen = {("odd-names", key) for key in keys}
    whole = paths_of({name: data for name, data in wanted.items() if name[0] == "odd-names"})
    folders = also_folders({key for bucket, key in wanted if bucket == "odd-names"})
    names = {f"odd-names/{key_to_path(key, is_also_folder=key in folders)}".encode() for _, key in chosen}
    assert files_below(tmp_path / "out") == {path: whole[path] for path in names}, done.stderr


def test_hidden_versions_come_out_beside(six, tmp_path):
    drives, wanted = six
    done = run("--versions", *drives, tmp_path / "out", elsewhere=tmp_path / "cwd")
    assert done.returncode == 0, done.stderr
    got = files_below(tmp_path / "out")
    hidden = {path: data for path, data in got.items() if path.startswith(b"%versions/")}
    assert {path: data for path, data in got.items() if path not in hidden} == paths_of(wanted)
    contents = {(path.split(b"/")[1], path.split(b"/", 3)[3]): data for path, data in hidden.items()}
    assert contents[b"odd-names", b"a"] == b"at a"
    assert contents[b"gone", b"x"] == b"y"
    assert len(contents[b"sizes", b"of/4096"]) == 4096


def test_versions_that_a_bucket_keeps_come_out_beside_and_markers_nowhere(tmp_path):
    """Current objects are what keys hold now; a marker that a key was deleted is no object."""
    drives = make(tmp_path, 4)
    with maruhub.connect(tmp_path / "hub") as hub:
        names = hub.namespace
        names.buckets.create("kept")
        names.buckets.set_versioning("kept", Versioning.ENABLED)
        for data in (b"one", b"two"):
            hub.bucket("kept")["a"] = data
        hub.bucket("kept")["b"] = b"gone"
        names.versions.delete_current("kept", ["b", "never"])
        hub.bucket("kept")["c"] = b"older"
        hub.bucket("kept")["c"] = b"newer"
        newest = names.versions.page("kept", prefix="c").versions[0]
        names.versions.delete("kept", "c", newest.s3_id)
    for lost in drives[:2]:
        shutil.rmtree(lost)
    left = drives[2:]
    done = run(*left, tmp_path / "out", elsewhere=tmp_path / "cwd")
    assert done.returncode == 0, done.stderr
    assert files_below(tmp_path / "out") == {b"kept/a": b"two", b"kept/c": b"older"}
    done = run("--versions", *left, tmp_path / "all", elsewhere=tmp_path / "cwd")
    assert done.returncode == 0, done.stderr
    beside = [data for path, data in files_below(tmp_path / "all").items() if path.startswith(b"%versions/")]
    assert sorted(beside) == [b"gone", b"newer", b"one"]
    done = run("--versions", "--list", *left, elsewhere=tmp_path / "cwd")
    rows = sorted((row["key"], row["state"]) for row in csv.DictReader(io.StringIO(done.stdout)))
    assert rows == [("a", "current"), ("a", "listed"), ("b", "listed"), ("c", "current"), ("c", "hidden")]


def test_dataset_versions_come_out_as_a_table_and_their_files(tmp_path):
    drives = make(tmp_path, 4)
    with maruhub.connect(tmp_path / "hub") as hub:
        hub.bucket("photos").put_many({f"{i}.jpg": bytes([i]) * 100 for i in range(50)})
        version = hub.dataset("cats").commit("photos/", message="first, delivery")
    done = run("--datasets", *drives[2:], tmp_path / "out", elsewhere=tmp_path / "cwd")
    assert done.returncode == 0, done.stderr
    (row,) = csv.DictReader(io.StringIO(done.stdout))
    assert (row["dataset"], row["version"], row["rows"], row["message"]) == (
        "cats", "1", "50", "first, delivery",
    )  # fmt: skip
    assert row["digest"] == version.digest
    folder = tmp_path / "out" / "%datasets"
    root = json.loads((folder / "cats" / "v1.json").read_bytes())
    piece = root["groups"][0]["pieces"][0]["fragment"]
    import pyarrow as pa

    table = pa.ipc.open_file(folder / "fragments" / piece).read_all()
    assert len(table["id"]) == 50


# ---------------------------------------------------------------- wrong calls, hostile pools


@pytest.mark.parametrize("case", ["full", "inside", "no-out", "no-blades", "mixed"])
def test_a_wrong_call_writes_nothing(six, tmp_path, case):
    drives, _ = six
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    (tmp_path / "empty").mkdir()
    calls = {
        "full": [*drives, tmp_path / "full"],
        "inside": [*drives, drives[0] / "segments" / "out"],
        "no-out": [drives[0]],
        "no-blades": [tmp_path / "empty", tmp_path / "nowhere", tmp_path / "out"],
    }
    if case == "mixed":
        calls[case] = [*drives, *make(tmp_path / "other", 1), tmp_path / "out"]
    done = run(*calls[case], elsewhere=tmp_path / "cwd")
    assert done.returncode == 2, done.stderr
    assert done.stderr
    assert not (tmp_path / "out").exists()
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine"]


def test_hostile_rows_write_nothing_outside(tmp_path):
    """Bucket names, keys and sizes that no hub would write, in batches with right sums."""
    drives = make(tmp_path, 1)
    with maruhub.connect(tmp_path / "hub") as hub:
        hub.bucket("photos")["a"] = b"good"
    (path,) = [p for p in files_of(drives, ".log") if b"good" in p.read_bytes()]
    log = path.read_bytes()
    marker = decode_header(log[:4096], where="").marker
    at, end = _batches(log, marker)[-1]
    head = decode_batch_head(marker, log[at:end], at)
    assert head is not None
    rows = {key: row for key, row in _rows(drives).items() if key[:1] in b"BK"}
    (good,) = [row for key, row in rows.items() if key[:1] == b"K"]
    (bucket,) = [row for key, row in rows.items() if key[:1] == b"B"]
    number = good.key[1:9]
    names = [b"../../up", b"/abs", b"\xff\xfe", b"", b"a" * 5000, b"../" * 50 + b"x"]
    hostile = [(b"K" + number + name, good.raw) for name in names]
    hostile += [(b"B" + name, bucket.raw) for name in (b"..", b"../up", b"/etc", b"\xff", b"")]
    hostile += [(b"K" + bytes(8) + b"stray", good.raw), (b"K", good.raw), (b"V" + number, good.raw)]
    hostile += [(b"K" + number + b"cut", good.raw[:50]), (b"M", good.raw), (b"B\0", b"")]
    counter = head.last + 1
    place = BatchPlace(len(log) + -len(log) % 8, at, head.epoch, counter, counter, head.last, 0)
    path.write_bytes(log.ljust(place.offset, b"\0") + encode_batch(marker, place, hostile))
    out = tmp_path / "deep" / "er" / "out"
    options = ("--versions", "--datasets")
    done = run(*options, *drives, out, elsewhere=tmp_path / "cwd")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert (out / "photos" / "a").read_bytes() == b"good"
    assert all(path.startswith(b"er/out/") for path in files_below(tmp_path / "deep"))
    assert {p.name for p in tmp_path.iterdir()} == {"drive0", "hub", "deep", "cwd"}
    assert not Path("/abs").exists()


# ---------------------------------------------------------------- its parts


def test_it_is_written_for_python_3_9_and_its_standard_library():
    tree = ast.parse(TOOL.read_text(), feature_version=(3, 9))
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    assert {name.split(".")[0] for name in imported} <= {*sys.stdlib_module_names, "__future__"}


def test_its_paths_are_those_of_the_hub(alone):
    chance = random.Random(7)
    letters = ["a", "/", ".", "%", "~", "+", "^", "\0", "é", "😀", "x" * 100, "25", "00"]
    for _ in range(3000):
        key = "".join(chance.choices(letters, k=chance.randint(1, 14)))
        if len(key.encode()) <= 1024:
            assert alone.key_to_path(key.encode()).decode() == key_to_path(key)


def test_its_sum_is_xxh3(alone):
    chance = random.Random(8)
    for size in [*range(241, 1300, 7), 1024, 1025, 2048, 4096, 100_001]:
        data = chance.randbytes(size)
        assert alone.xxh3_64(data) == xxhash.xxh3_64_intdigest(data)


@pytest.mark.parametrize("k", range(1, 9))
def test_its_parity_is_that_of_the_hub(alone, k):
    chance = random.Random(k)
    data = [chance.randbytes(64) for _ in range(k)]
    files = [*data, *map(bytes, code(k).encode(data))]
    for lost in itertools.combinations(range(k + 2), 2):
        have = {n: files[n] for n in range(k + 2) if n not in lost}
        assert [alone.decode(k, have, n) for n in lost] == [files[n] for n in lost]


@pytest.fixture(autouse=True)
def _no_rows_kept() -> Iterator[None]:
    yield
    _all_rows.clear()


def test_sectors_that_a_drive_cannot_read_cost_no_more_than_themselves(alone, pool, tmp_path, monkeypatch):
    """Each page can be read from two copies of three, but no copy all through."""
    drives, wanted = pool
    numbers = {drive.name: number for number, drive in enumerate(drives)}
    real, owner = os.pread, {}

    def pread(descriptor: int, size: int, offset: int) -> bytes:
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        owner[path] = numbers[Path(path).parents[1].name]
        pages = range(offset // 4096, (offset + size - 1) // 4096 + 1)
        if any(page % 32 == owner[path] for page in pages):
            raise OSError(errno.EIO, "Input/output error", path)
        return real(descriptor, size, offset)

    monkeypatch.setattr(alone.os, "pread", pread)
    options = alone.Options(blades=tuple(map(str, drives)), out=str(tmp_path / "out"), as_json=True)
    said = io.StringIO()
    alone.Rescue(options, output=said, messages=io.StringIO()).run()
    told = json.loads(said.getvalue())
    got, whole = files_below(tmp_path / "out"), paths_of(wanted)
    assert (told["damaged"], told["problems"]) == ([], [])
    assert got == whole
    assert "could not read" in " ".join(told["notes"])


def test_a_log_whose_header_is_damaged_everywhere_is_told(tmp_path):
    drives = make(tmp_path, 1)
    with maruhub.connect(tmp_path / "hub") as hub:
        hub.bucket("photos")["a"] = b"good"
    for path in files_of(drives, ".log"):
        flip(path, 100)
    done = run("--verify", *drives, elsewhere=tmp_path / "cwd")
    assert done.returncode == 1
    assert "its header is damaged" in done.stderr
