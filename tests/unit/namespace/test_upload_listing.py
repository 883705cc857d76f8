"""Pages of uploads under way: every marker, delimiter and limit, against a plain list."""

from __future__ import annotations

import itertools

import pytest

from maruhub.errors import InvalidInput
from maruhub.namespace import Namespace

KEYS = ["a", "a/", "a/1", "a/2", "a\0", "ab", "b--c", "b--d", "é/é"]


@pytest.fixture
def begun(ns: Namespace) -> list[tuple[str, str]]:
    """Two uploads to each key, with parts: (key, upload id) in order."""
    ids = [(key, ns.uploads.begin("photos", key).upload_id) for key in KEYS * 2]
    for key, upload in ids:
        part = ns.uploads.part("photos", key, upload, 1)
        part.write(b"x")
        part.commit()
    return sorted(ids, key=lambda pair: (pair[0].encode(), pair[1]))


def expected(begun, prefix: str, delimiter: str) -> list[tuple[str, str]]:
    names = []
    for key, upload in begun:
        if key.startswith(prefix):
            at = key.find(delimiter, len(prefix)) if delimiter else -1
            name = (key, upload) if at < 0 else (key[: at + len(delimiter)], "")
            names += [name] if name not in names else []
    return names


@pytest.mark.parametrize("limit", [1, 3, 100])
@pytest.mark.parametrize("delimiter", ["", "/", "--"])
@pytest.mark.parametrize("prefix", ["", "a", "b"])
def test_pages(ns: Namespace, begun, prefix: str, delimiter: str, limit: int) -> None:
    found: list[tuple[str, str]] = []
    how = {"key_marker": "", "upload_marker": ""}
    for _ in itertools.count():
        page = ns.uploads.page("photos", prefix=prefix, delimiter=delimiter, limit=limit, **how)
        some = [(u.key, u.upload_id) for u in page.uploads] + [(name, "") for name in page.prefixes]
        found += sorted(some, key=lambda pair: pair[0].encode())
        assert len(some) <= limit
        if not page.next_key:
            break
        how = {"key_marker": page.next_key, "upload_marker": page.next_upload}
    assert found == expected(begun, prefix, delimiter)


def test_a_key_marker_alone_passes_over_all_uploads_of_the_key(ns: Namespace, begun) -> None:
    page = ns.uploads.page("photos", key_marker="a")
    assert [(u.key, u.upload_id) for u in page.uploads] == [pair for pair in begun if pair[0] > "a"]
    inside = ns.uploads.page("photos", key_marker="a/1", delimiter="/")
    assert "a/" not in inside.prefixes


def test_limits(ns: Namespace, begun) -> None:
    assert ns.uploads.page("photos", limit=0).uploads == []
    with pytest.raises(InvalidInput):
        ns.uploads.page("photos", limit=-1)
