"""The table of ``docs/reference/names.md``, and that a real file system takes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from maruhub.errors import InvalidName
from maruhub.namespace.paths import (
    also_folders,
    folder_to_prefix,
    key_to_path,
    path_to_key,
    prefix_to_folder,
)

TABLE = [
    ("cats/1.jpg", "cats/1.jpg"),
    (".hidden/..x/...", ".hidden/..x/..."),
    ("100%/a%20b", "100%/a%20b"),
    ("/a", "%~/a"),
    ("a//b", "a/%~/b"),
    ("a/", "a/%~"),
    ("../a", "%~../a"),
    ("a/./b", "a/%~./b"),
    ("x\0y", "%~x%00y"),
    ("50%\0", "%~50%25%00"),
    ("%~x", "%~%25~x"),
    ("%+", "%~%25+"),
    ("a/%^", "a/%~%25^"),
    ("x" * 255, "x" * 255),
    ("x" * 256, "%+" + "x" * 253 + "/%~xxx"),
    ("é" * 128, "%+" + "é" * 126 + "/%~éé"),
]


@pytest.mark.parametrize(("key", "path"), TABLE)
def test_table(key: str, path: str) -> None:
    assert key_to_path(key) == path
    assert path_to_key(path) == key
    assert key_to_path(key, is_also_folder=True) == path + "/%^"
    assert path_to_key(path + "/%^") == key


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "a/../b",
        "a//b",
        "./a",
        "a/",
        "a\0b",
        "%^",
        "a/%^/b",
        "%~a",
        "%~%2E",
        "%+abc",
        "%+abc/%~d",
        "%+abc/d",
        "%~\0",
        "x" * 256,
        "%~" + "x" * 254,
        "a\udcff",
    ],
)
def test_no_key_has_this_path(path: str) -> None:
    with pytest.raises(InvalidName):
        path_to_key(path)


def test_bad_keys_have_no_path() -> None:
    for key in ("", "x" * 1025, "\ud800"):
        with pytest.raises(InvalidName):
            key_to_path(key)


def test_keys_that_are_folders_too() -> None:
    assert also_folders(["a", "a/b", "a/", "a//c", "b", "ab/c"]) == {"a", "a/"}


@pytest.mark.parametrize(
    ("prefix", "folder"), [("", ""), ("a/", "a"), ("a/../b/", "a/%~../b"), ("/", "%~"), ("a//", "a/%~")]
)
def test_folders(prefix: str, folder: str) -> None:
    assert prefix_to_folder(prefix) == folder
    assert folder_to_prefix(folder) == prefix


def test_folder_needs_its_slash() -> None:
    with pytest.raises(InvalidName):
        prefix_to_folder("a")


def test_a_file_system_holds_all_keys_at_once(tmp_path: Path) -> None:
    keys = {key for key, _ in TABLE} | {"a", "a/b", "a/b/c", "a//", "a/%^/x", "%", "x" * 256 + "/y"}
    folders = also_folders(keys)
    for key in keys:
        file = tmp_path / key_to_path(key, is_also_folder=key in folders)
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x") as out:
            out.write(key)
    found = {file.relative_to(tmp_path).as_posix(): file for file in tmp_path.rglob("*") if file.is_file()}
    assert {path_to_key(path): file.read_text() for path, file in found.items()} == {k: k for k in keys}
