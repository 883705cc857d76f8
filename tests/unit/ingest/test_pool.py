"""Ingest into a real pool: killed, on a full drive, into one that can't be written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from maruhub import compose
from maruhub.errors import NoSpace, ReadOnly
from maruhub.ingest import IngestOptions, Report, ingest
from maruhub.namespace import Namespace

OPTIONS = IngestOptions(workers=3, batch_items=10)
KILLED = """
import os, signal, sys
from maruhub import compose
from maruhub.ingest import IngestOptions, ingest
from maruhub.namespace import Namespace

source, hub, at = sys.argv[1], sys.argv[2], int(sys.argv[3])
ns = Namespace(compose.open_pool(__import__("pathlib").Path(hub)).store)
put_many, calls = ns.objects.put_many, []

def put(bucket, items, **how):
    calls.append(items)
    if len(calls) == at:
        os.kill(os.getpid(), signal.SIGKILL)
    done = put_many(bucket, items, **how)
    os.write(1, "".join(item.key + "\\n" for item in items).encode())
    return done

ns.objects.put_many = put
ingest(ns, source, "photos", options=IngestOptions(workers=3, batch_items=10))
"""


@pytest.fixture
def files(tree) -> dict[str, bytes]:
    made = {f"{i % 7}/{i:03}": os.urandom(500 * i) for i in range(100)}
    tree.write(made)
    return made


def held(ns: Namespace) -> dict[str, bytes]:
    infos = [info for page in ns.listing.scan("photos") for info in page]
    return {i.key: bytes(b) for i, b in zip(infos, ns.objects.read_infos(infos), strict=True)}


@pytest.mark.parametrize("at", [1, 4, 9])
def test_a_killed_ingest_goes_on(tree, files, tmp_path: Path, at: int) -> None:
    hub = tmp_path / "hub"
    compose.create_pool(hub, n=3).close()
    done = subprocess.run(
        [sys.executable, "-c", KILLED, tree.path, hub, str(at)], capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    acknowledged = done.stdout.split()
    pool = compose.open_pool(hub)
    ns = Namespace(pool.store)
    kept = held(ns) if acknowledged else {}
    assert set(acknowledged) <= set(kept)
    assert kept.items() <= files.items()
    report = ingest(ns, tree.path, "photos", options=OPTIONS)
    assert report.stored <= 100 - len(kept)
    assert (report.stored + report.unchanged, report.refused_total) == (100, 0)
    assert held(ns) == files
    pool.close()


@pytest.fixture
def small_drive(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    folder = tmp_path / "drive"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True)
    if done.returncode:
        pytest.skip("this process may not mount")
    yield folder
    # Lazy: views of the last reads may still be mapped.
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_drive_keeps_what_was_stored(small_drive: Path, tmp_path: Path, tree) -> None:
    files = {f"{i:03}": os.urandom(50_000) for i in range(200)}
    tree.write(files)
    pool = compose.create_pool(tmp_path / "hub", blades=[small_drive / "blade"])
    ns = Namespace(pool.store)
    done: list[int] = []
    with pytest.raises(NoSpace, match="the same ingest goes on from there"):
        ingest(ns, tree.path, "photos", options=OPTIONS, progress=lambda p: done.append(p.stored))
    kept = held(ns)
    assert 0 < len(kept) < 200
    assert len(kept) == done[-1]
    assert kept.items() <= files.items()
    subprocess.run(["mount", "-o", "remount,size=64m", small_drive], check=True)
    report = ingest(ns, tree.path, "photos", options=OPTIONS)
    assert (report.unchanged, report.stored) == (len(kept), 200 - len(kept))
    assert held(ns) == files
    pool.close()


def test_a_hub_that_cannot_be_written(tmp_path: Path, tree, files) -> None:
    hub = tmp_path / "hub"
    pool = compose.create_pool(hub, n=1)
    report: Report = ingest(Namespace(pool.store), tree.path, "photos", options=OPTIONS)
    assert report.stored == 100
    pool.close()
    pool = compose.open_pool(hub, read_only=True)
    tree.write({"new": b"n"})
    ns = Namespace(pool.store)
    with pytest.raises(ReadOnly):
        ingest(ns, tree.path, "photos", options=OPTIONS)
    assert held(ns) == files
    pool.close()


def test_a_truncated_image_lands_as_it_is(tmp_path: Path, tree) -> None:
    """Whether bytes are an image is for whoever decodes them: the hub keeps what came."""
    from PIL import Image

    Image.new("RGB", (64, 64)).save(tree.path / "whole.png")
    data = (tree.path / "whole.png").read_bytes()
    tree.write({"cut.png": data[: len(data) // 2]})
    pool = compose.create_pool(tmp_path / "hub", n=1)
    report = ingest(Namespace(pool.store), tree.path, "photos", options=OPTIONS)
    assert (report.stored, report.refused_total) == (2, 0)
    assert held(Namespace(pool.store)) == {"whole.png": data, "cut.png": data[: len(data) // 2]}
    pool.close()
