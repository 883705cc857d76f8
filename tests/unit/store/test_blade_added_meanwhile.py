"""A process reads at once what others have put on blades that it has never heard of."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from maruhub.api.door import connect, create
from maruhub.store import lookout

OTHER = """
import sys, maruhub
with maruhub.connect(sys.argv[1]) as hub:
    for folder in sys.argv[2:]:
        hub.blades.add(folder)
    for number in range(3):
        hub.blades.drain(number)
    hub.bucket("photos")["a"] = b"only on the new ones"
"""


def test_what_lies_on_new_blades_alone_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    create(tmp_path / "hub", blades=3).close()
    monkeypatch.setattr(lookout, "LOOK_SECONDS", 1000.0)
    with connect(tmp_path / "hub") as hub:
        before = {blade.blade_id for blade in hub.store.blades}
        new = [str(tmp_path / f"new{number}") for number in range(3)]
        subprocess.run([sys.executable, "-c", OTHER, str(tmp_path / "hub"), *new], check=True)
        layouts = [layout for layout in hub.store.layouts() if before.isdisjoint(layout.blades)]
        assert layouts
        assert bytes(hub.bucket("photos")["a"]) == b"only on the new ones"
