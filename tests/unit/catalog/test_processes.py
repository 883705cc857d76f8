"""Versions in other processes: after a fork, and opened anew."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys

import numpy as np
import pytest

from maruhub import compose
from maruhub.catalog import Catalog
from maruhub.namespace import Namespace, PutItem


@pytest.fixture
def hub(tmp_path):
    pool = compose.create_pool(tmp_path / "hub", n=1, segment_bytes=4 << 20)
    ns = Namespace(pool.store, "parent")
    items = [PutItem(f"{i:03}", bytes([i]) * 5000, metadata={"n": str(i)}) for i in range(100)]
    ns.objects.put_many("photos", items, create_bucket=True)
    Catalog(ns).dataset("d").commit("photos")
    yield pool
    pool.close()


def read_in_child(view, store, rows, queue):
    blobs = store.read_many(view.blobs(rows))
    filtered = view.where("n = '7'").ids()
    queue.put((view.ids(rows), [bytes(blob)[0] for blob in blobs], view.digest, filtered))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("touched", [False, True])
def test_an_open_version_works_after_a_fork(hub, touched):
    version = Catalog(Namespace(hub.store)).dataset("d").latest
    rows = np.array([7, 99, 0])
    if touched:
        version.blobs(rows)
        version.where("n = '1'")
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    children = [
        context.Process(target=read_in_child, args=(version, hub.store, rows, queue)) for _ in range(2)
    ]
    for child in children:
        child.start()
    found = [queue.get() for _ in children]
    for child in children:
        child.join(30)
        assert child.exitcode == 0
    ids = ["photos/007", "photos/099", "photos/000"]
    assert found == [(ids, [7, 99, 0], version.digest, ["photos/007"])] * 2


SCRIPT = """
import sys
from pathlib import Path
from maruhub import compose
from maruhub.catalog import Catalog
from maruhub.namespace import Namespace
pool = compose.open_pool(Path(sys.argv[1]))
ns = Namespace(pool.store, sys.argv[2])
for i in range(3):
    ns.objects.put("photos", f"{sys.argv[2]}-{i}", sys.argv[2].encode())
    Catalog(ns).dataset("d").commit(message=sys.argv[2])
pool.close()
"""


def test_processes_that_commit_at_once_lose_nothing(hub, tmp_path):
    children = [
        subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path / "hub"), name])
        for name in ("one", "two")
    ]
    for child in children:
        assert child.wait(60) == 0
    ds = Catalog(Namespace(hub.store)).dataset("d")
    expected = {f"photos/{name}-{i}" for name in ("one", "two") for i in range(3)}
    assert expected <= set(ds.latest.ids())
    assert len(ds.latest) == 106
    assert {info.actor for info in ds.versions()} <= {"parent", "one", "two"}


def test_importing_the_catalog_is_cheap():
    code = (
        "import sys, maruhub.catalog; print([m for m in ('pyarrow', 'duckdb', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
