"""Pages of versions while versions go: what a page ended with may be gone when the next is asked for."""

from __future__ import annotations

import pytest

from maruhub.namespace import Namespace, PutItem
from maruhub.namespace.bucket import Versioning


@pytest.fixture
def filled(ns: Namespace) -> list[tuple[str, str]]:
    """A key with seven versions, the ``null`` one in their middle, and one with one: (key, id) in order."""
    states = [Versioning.ENABLED] * 3 + [Versioning.SUSPENDED] + [Versioning.ENABLED] * 4
    for state, key in zip(states, "kkkkkkkl", strict=True):
        ns.buckets.set_versioning("photos", state)
        ns.objects.put_many("photos", [PutItem(key, b"x")])
    return [(v.info.key, v.s3_id) for v in ns.versions.page("photos").versions]


@pytest.mark.parametrize("limit", range(1, 9))
def test_a_bucket_is_emptied_page_by_page(ns: Namespace, filled: list[tuple[str, str]], limit: int) -> None:
    assert [version for _, version in filled].index("null") == 3
    found, how = [], {"key_marker": "", "version_marker": ""}
    while True:
        page = ns.versions.page("photos", limit=limit, **how)
        found += [(v.info.key, v.s3_id) for v in page.versions]
        for version in page.versions:
            ns.versions.delete("photos", version.info.key, version.s3_id)
        if not page.next_key:
            break
        how = {"key_marker": page.next_key, "version_marker": page.next_version}
    assert found == filled
    assert not ns.versions.page("photos").versions


@pytest.mark.parametrize("place", [0, 1, 3, 5, 6])
def test_one_that_is_gone_hides_none_behind_it(
    ns: Namespace, filled: list[tuple[str, str]], place: int
) -> None:
    key, version = filled[place]
    ns.versions.delete("photos", key, version)
    page = ns.versions.page("photos", key_marker=key, version_marker=version)
    rest = filled[place + 1 :] if version != "null" else [pair for pair in filled if pair[1] != "null"]
    assert [(v.info.key, v.s3_id) for v in page.versions] == rest
