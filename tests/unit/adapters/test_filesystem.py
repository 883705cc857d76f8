"""Hubs behind file systems."""

from __future__ import annotations

from pathlib import Path

import maruhub
from maruhub.adapters.filesystem import MaruFileSystem


def test_a_hub_that_was_closed_is_opened_again(tmp_path: Path) -> None:
    maruhub.create(tmp_path / "hub").close()
    files = MaruFileSystem(tmp_path / "hub")
    files.pipe("photos/a", b"bytes")
    assert MaruFileSystem(tmp_path / "hub").hub is files.hub
    files.hub.close()
    again = MaruFileSystem(tmp_path / "hub")
    assert again.cat("photos/a") == b"bytes"
    assert MaruFileSystem(tmp_path / "hub").hub is again.hub
    again.hub.close()
