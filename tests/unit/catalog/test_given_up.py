"""What a commit wrote and no version names keeps no segment from being sealed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

import maruhub
from maruhub.api import Hub
from maruhub.catalog import growth
from maruhub.catalog.growth import Growth
from maruhub.catalog.labels import joining
from maruhub.catalog.ledger import Ledger
from maruhub.catalog.manifests.draft import Draft
from maruhub.catalog.manifests.fragment import write_table
from maruhub.compose import create_pool
from maruhub.errors import Conflict, InvalidInput, Unavailable


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    create_pool(tmp_path / "hub", n=4).close()
    with maruhub.connect(tmp_path / "hub") as hub:
        hub.bucket("photos").put_many({f"{n}.jpg": bytes([n]) * 1000 for n in range(9)})
        yield hub


def waiting(hub: Hub) -> dict[str, int]:
    """What care has to leave, once all logs are closed."""
    hub.store.close_logs(0)
    return dict(hub.care.once().waiting)


def test_a_commit_that_others_overtook(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    real, rounds = Growth.draft, []

    def draft(self: Growth, dataset: str, number: int) -> Draft:
        made = real(self, dataset, number)
        rounds.append(number)
        if len(rounds) == 1:
            hub.bucket("photos")["meanwhile.jpg"] = b"new"
            hub.dataset("cats").commit("photos")
        return made

    monkeypatch.setattr(Growth, "draft", draft)
    hub.bucket("photos")["later.jpg"] = b"newer"
    assert len(hub.dataset("cats").commit("photos")) == 11
    assert rounds == [1, 1]
    assert waiting(hub) == {}
    assert len(hub.version("cats")) == 11


@pytest.mark.parametrize("error", [Conflict("not now."), InvalidInput("no.")])
def test_a_commit_that_is_refused(hub: Hub, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(Ledger, "_put", refuse)
    with pytest.raises(type(error)):
        hub.dataset("cats").commit("photos")
    monkeypatch.undo()
    assert waiting(hub) == {}


def test_one_of_which_nobody_knows_whether_it_was_done_is_kept(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise Unavailable("a drive failed.")

    monkeypatch.setattr(Ledger, "_put", fail)
    with pytest.raises(Unavailable):
        hub.dataset("cats").commit("photos")
    monkeypatch.undo()
    assert sum(waiting(hub).values()) == 1


def test_a_draft_that_comes_to_nothing(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise InvalidInput("no.")

    monkeypatch.setattr(growth, "digest_of", refuse)
    with pytest.raises(InvalidInput):
        hub.dataset("cats").commit("photos")
    monkeypatch.undo()
    assert waiting(hub) == {}


def test_labels_that_change_nothing(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    cats = hub.dataset("cats")
    cats.commit("photos")
    table = pa.table({"key": [f"{n}.jpg" for n in range(9)], "kind": ["cat"] * 9})
    cats.label(table, name="kinds")
    real = joining.label_draft

    def draft(*given: object, **named: object) -> Draft:
        # As if it were cut otherwise than the one before.
        table = pa.table({"kind": ["cat", "cat"]})
        made = real(*given, **named)  # type: ignore[arg-type]
        made.fragments.append(write_table(hub.store, "labels", table))
        return made

    monkeypatch.setattr(joining, "label_draft", draft)
    assert not cats.label(table, name="kinds").bytes_written
    assert waiting(hub) == {}
