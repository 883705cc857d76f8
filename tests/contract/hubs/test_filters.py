"""Filters that guides and people write, through both doors; over HTTP what has no bound is refused in so many words."""

from __future__ import annotations

import re
from typing import Any

import pytest

from maruhub.errors import Busy, InvalidInput
from tests.contract.hubs.conftest import Served
from tests.tidy.tree import ROOT, documents
from tests.unit.catalog.filters import GOOD, ROWS, table

_IN_DOCUMENTS = re.compile(r"""\.where\("([^"]+)"\)|\["where", "([^"]+)"\]|--where '([^']+)'""")


@pytest.fixture
def cats(served: Served) -> Served:
    """The dataset ``cats``, with columns of every kind."""
    served.local.bucket("photos").put_many({f"{i:06}.jpg": b"x" * (i % 99) for i in range(0, ROWS, 30)})
    served.local.dataset("cats").commit("photos")
    wanted = table().take(list(range(0, ROWS, 30))).drop_columns(["size", "created", "mtime"])
    served.local.dataset("cats").label(wanted)
    return served


def in_documents() -> list[str]:
    """Filters that stand in the documents."""
    found = [m for document in documents() for m in _IN_DOCUMENTS.findall(document.read_text())]
    return sorted({text for each in found for text in each if text and "repeat" not in text})


def same(cats: Served, text: str) -> Any:
    return cats.remote.version("cats").where(text), cats.local.version("cats").where(text)


def test_filters_of_the_documents_are_found_at_all() -> None:
    assert len(in_documents()) >= 4, in_documents()
    assert (ROOT / "docs/reference/filters.md").exists()


def test_filters_give_the_same_wherever_the_hub_is(cats: Served) -> None:
    for text in [*GOOD, *in_documents()]:
        there, here = same(cats, text)
        assert there.digest == here.digest, text


def test_what_has_no_bound_is_refused_over_http_alone(cats: Served) -> None:
    unbounded = "length(repeat(label, 2)) > 0"
    assert len(cats.local.version("cats").where(unbounded)) > 0
    with pytest.raises(InvalidInput, match=r"repeat\(\)") as refused:
        cats.remote.version("cats").where(unbounded)
    assert "docs/reference/filters.md" in refused.value.hint


def test_a_mistake_over_http_shows_its_place_and_the_columns(cats: Served) -> None:
    version = cats.remote.version("cats")
    with pytest.raises(InvalidInput, match="syntax error") as refused:
        version.where("label = = 'cat'")
    assert "label" in refused.value.hint
    with pytest.raises(InvalidInput, match="'lable'") as refused:
        version.where("lable = 'cat'")
    assert "label" in refused.value.hint


def test_who_finds_the_hub_busy_asks_again(cats: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    version, sources, heard = cats.remote.version("cats"), cats.server.door._sources, []
    answering = type(sources).open

    def busy_twice(self: Any, source: Any, allowed: Any) -> Any:
        heard.append(source)
        if len(heard) < 3:
            raise Busy("others.")
        return answering(self, source, allowed)

    monkeypatch.setattr(type(sources), "open", busy_twice)
    assert len(version.where("size > 3")) == len(cats.local.version("cats").where("size > 3"))
    assert len(heard) == 3

    def busy(self: Any, source: Any, allowed: Any) -> Any:
        raise Busy("others.")

    monkeypatch.setattr(type(sources), "open", busy)
    monkeypatch.setattr(cats.remote.transport, "patience_s", 0.2)
    with pytest.raises(Busy, match="others"):
        version.where("size > 4")


def test_a_view_by_a_filter_over_http_is_narrowed_and_saved_as_any(cats: Served) -> None:
    view = cats.remote.version("cats").where("label = 'cat'").where("size > 3").sort("size", descending=True)
    assert cats.local.view(view.save().digest).ids() == view.ids()
    narrowed = cats.remote.view(view.digest).where("size > 50")
    assert narrowed.ids() == [id_ for id_, size in zip(view.ids(), view.sizes(), strict=True) if size > 50]
