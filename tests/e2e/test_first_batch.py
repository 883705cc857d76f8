"""The first batch costs what it must: no library that reading has no use for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import maruhub
from tests.e2e.maru import ROOT

_READ = """
import sys
from importlib.abc import MetaPathFinder

class Watch(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "pandas":
            print("asked for pandas")

sys.meta_path.insert(0, Watch())
import maruhub
with maruhub.connect(sys.argv[1]) as hub:
    version = hub.version("cats")
    batch = next(version.batches(4, prefetch=0))
    assert batch.columns.column("label")[0].as_py() in range(8)
    version.manifest.numbers("size", batch.positions.astype("int64"))
print(len(batch))
"""


def test_reading_asks_for_no_pandas_which_a_trainer_would_wait_seconds_for(tmp_path: Path):
    with maruhub.create(tmp_path / "hub") as hub:
        hub.bucket("photos").put_many({f"{number}.jpg": bytes(100) for number in range(8)})
        cats = hub.dataset("cats")
        cats.commit("photos")
        (tmp_path / "labels.csv").write_text("key,label\n" + "".join(f"{n}.jpg,{n}\n" for n in range(8)))
        cats.label(tmp_path / "labels.csv")
    command = [sys.executable, "-c", _READ, str(tmp_path / "hub")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "4\n", done.stderr
