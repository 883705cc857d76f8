"""A process that may open no more files: what it can't see is not lost, and it says why."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from maruhub import compose
from maruhub.errors import Unavailable
from maruhub.namespace import Namespace
from maruhub.store.local_blade import LocalBlade, LocalFile
from tests.filled_pool import fill, held, held_open


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "hub"
    compose.create_pool(path, n=4, segment_bytes=1 << 20).close()
    return path


def test_without_descriptors_a_hub_is_not_opened_for_reading_only(
    hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def exhausted(path: Any, *rest: Any, **more: Any) -> int:
        if os.fspath(path).endswith("hub.lock"):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return real(path, *rest, **more)

    monkeypatch.setattr(os, "open", exhausted)
    with pytest.raises(Unavailable, match="Too many open files"):
        compose.open_pool(hub)


@contextlib.contextmanager
def out_of_descriptors(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No file of a blade can be opened any more; those that are open stay so."""

    def refuse(self: LocalBlade, name: str, **_: bool) -> LocalFile:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), name)

    with monkeypatch.context() as exhausted:
        exhausted.setattr(LocalBlade, "open", refuse)
        yield


@pytest.mark.parametrize("accept_loss", [False, True])
def test_what_can_not_be_opened_for_want_of_descriptors_is_not_lost(
    hub: Path, monkeypatch: pytest.MonkeyPatch, accept_loss: bool
) -> None:
    pool = compose.open_pool(hub)
    objects = fill(pool)
    pool.close()
    shutil.rmtree(hub / "index")
    with out_of_descriptors(monkeypatch), pytest.raises(Unavailable, match="ulimit"):
        compose.open_pool(hub, accept_loss=accept_loss)
    assert held_open(hub) == []
    pool = compose.open_pool(hub)
    assert pool.recovered is not None
    assert pool.recovered.problems == []
    assert held(pool) == objects
    pool.close()


@pytest.mark.parametrize("sealed", [False, True])
def test_a_check_without_descriptors_is_no_finding(
    hub: Path, monkeypatch: pytest.MonkeyPatch, sealed: bool
) -> None:
    pool = compose.open_pool(hub)
    objects = fill(pool)
    if sealed:
        pool.store.close_logs(0)
        pool.keeper().run()
    with out_of_descriptors(monkeypatch), pytest.raises(Unavailable, match="ulimit"):
        pool.check()
    report = pool.check()
    assert (report.lost, dict(report.bad_copies)) == ([], {})
    assert held(pool) == objects
    pool.close()


def test_a_log_is_not_taken_over_without_descriptors(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = compose.open_pool(hub)
    objects = fill(pool)
    pool.close()
    pool = compose.open_pool(hub)
    with out_of_descriptors(monkeypatch), pytest.raises(Unavailable, match="ulimit"):
        Namespace(pool.store).objects.put("photos", "more", b"more")
    assert held(pool) == objects
    pool.close()
