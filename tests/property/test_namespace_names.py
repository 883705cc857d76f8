"""Names: every valid key has one path and one place in order; nothing escapes a root."""

from __future__ import annotations

import os.path
from pathlib import PurePosixPath

from hypothesis import assume, example, given
from hypothesis import strategies as st

from maruhub.errors import InvalidInput, InvalidName
from maruhub.namespace.address import parse_address
from maruhub.namespace.bucket import Bucket
from maruhub.namespace.hidden import hidden_key_of, hidden_prefix, hidden_range, hidden_row_key
from maruhub.namespace.names import check_bucket_name
from maruhub.namespace.paths import (
    also_folders,
    folder_to_prefix,
    key_to_path,
    path_to_key,
    prefix_to_folder,
)

PIECES = st.sampled_from(
    ["/", "//", ".", "..", "\0", "%", "%~", "%+", "%^", "%00", "%25", "a", "b", "é", "\U0001f600", "x" * 120]
)
KEYS = st.one_of(
    st.lists(PIECES, min_size=1, max_size=14).map("".join), st.text(min_size=1, max_size=300)
).filter(lambda key: 0 < len(key.encode("utf-8", "surrogatepass")) <= 1024)
KEYS = KEYS.filter(lambda key: not any("\ud800" <= c <= "\udfff" for c in key))
BUCKET = Bucket("photos", 0x0102030405060708, delay_us=0, created_us=0)


@given(KEYS, st.booleans())
@example("\0" * 1024, True)
@example("/" * 1024, True)
@example("%~" * 512, False)
@example("\U0001f600" * 256, True)
def test_path_round_trip_and_safety(key: str, is_also_folder: bool) -> None:
    path = key_to_path(key, is_also_folder=is_also_folder)
    assert path_to_key(path) == key
    parts = path.split("/")
    assert all(part not in ("", ".", "..") and "\0" not in part for part in parts)
    assert all(len(part.encode()) <= 255 for part in parts)
    assert os.path.normpath(os.path.join("/below", path)) == "/below/" + path
    assert len(path.encode()) <= 3600


@given(KEYS)
def test_ordinary_keys_are_their_own_path(key: str) -> None:
    parts = key.split("/")
    assume(not any(part in ("", ".", "..") or part[:2] in ("%~", "%+", "%^") for part in parts))
    assume("\0" not in key and all(len(part.encode()) <= 255 for part in parts))
    assert key_to_path(key) == key


@given(st.sets(KEYS, max_size=12))
def test_paths_of_many_keys_live_together(keys: set[str]) -> None:
    """All distinct, and none is a folder on the way to another."""
    keys |= {key.rpartition("/")[0] for key in keys} - {""}
    folders = also_folders(keys)
    paths = [key_to_path(key, is_also_folder=key in folders) for key in keys]
    assert len(set(paths)) == len(keys)
    on_the_way = {str(parent) for path in paths for parent in PurePosixPath(path).parents}
    assert not on_the_way & set(paths)


@given(st.lists(st.one_of(PIECES, st.text(max_size=5)), max_size=8).map("".join))
def test_any_path_has_its_one_key_or_none(path: str) -> None:
    try:
        key = path_to_key(path)
    except InvalidName:
        return
    assert path in (key_to_path(key), key_to_path(key, is_also_folder=True))


@given(KEYS)
def test_folders_and_prefixes(key: str) -> None:
    prefix = key.rpartition("/")[0] + "/" if "/" in key else ""
    folder = prefix_to_folder(prefix)
    assert folder_to_prefix(folder) == prefix
    path = key_to_path(key)
    assert not folder or path.startswith(folder + "/")


@given(KEYS, KEYS, st.integers(1, 2**64 - 1), st.integers(1, 2**64 - 1))
def test_hidden_rows_lie_in_order_of_keys_then_newest_first(one: str, two: str, a: int, b: int) -> None:
    first, second = hidden_row_key(BUCKET, one.encode(), a), hidden_row_key(BUCKET, two.encode(), b)
    assert (first < second) == ((one.encode(), -a) < (two.encode(), -b))
    assert hidden_key_of(first) == one.encode()
    assert len(first) <= 2048
    start, stop = hidden_range(BUCKET, two.encode())
    assert (start <= first < stop) == one.encode().startswith(two.encode())
    start, stop = hidden_range(BUCKET, two.encode(), exactly=True)
    assert (start <= first < stop) == (one == two) == first.startswith(hidden_prefix(BUCKET, two.encode()))


@given(KEYS)
def test_addresses(key: str) -> None:
    text = "maru://photos/" + key
    address = parse_address(text)
    assert str(address) == text
    assert address.key == key  # type: ignore[union-attr]


@given(st.text(max_size=70))
def test_names_are_good_or_refused_never_worse(name: str) -> None:
    try:
        check_bucket_name(name)
    except InvalidName:
        pass
    else:
        assert 3 <= len(name) <= 63
        assert name.isascii()
    try:
        parse_address("maru://" + name)
    except InvalidInput:
        pass
