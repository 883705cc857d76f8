"""Every kind of error has an exit status, and the document says the same."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import pytest

from maruhub import errors
from maruhub.cli import exits

DOCUMENT = Path(__file__).parents[3] / "docs/reference/exit-status.md"


def _kinds(root: type[errors.MaruError] = errors.MaruError) -> list[type[errors.MaruError]]:
    own = [kind for kind in root.__subclasses__() if kind.__module__ == "maruhub.errors"]
    return own + [deeper for kind in own for deeper in _kinds(kind)]


@pytest.mark.parametrize("kind", _kinds(), ids=lambda kind: kind.__name__)
def test_every_kind_has_a_status(kind: type[errors.MaruError]) -> None:
    assert exits.status_of(kind("x")) not in (exits.DONE, exits.FAULT)


def test_a_kind_outside_the_table_is_a_fault() -> None:
    assert exits.status_of(errors.MaruError("x")) == exits.FAULT


def test_the_nearest_listed_kind_decides() -> None:
    assert exits.status_of(errors.NotHeldOut("x")) != exits.status_of(errors.ReadOnly("x"))
    assert exits.status_of(errors.ReadOnly("x")) == exits.status_of(errors.Refused("x"))


def test_statuses_tell_kinds_apart() -> None:
    special = {exits.DONE, exits.FAULT, exits.INCOMPLETE, exits.INTERRUPTED, exits.BROKEN_PIPE}
    assert len(set(exits.STATUS.values())) == len(exits.STATUS)
    assert not special & set(exits.STATUS.values())


def test_the_document_lists_each_status_and_each_code() -> None:
    text = DOCUMENT.read_text()
    rows = dict(re.findall(r"^\| (\d+) \| (.*) \|$", text, re.MULTILINE))
    named = {exits.DONE, exits.FAULT, exits.INCOMPLETE, exits.INTERRUPTED, exits.BROKEN_PIPE}
    assert {int(status) for status in rows} == named | set(exits.STATUS.values())
    for kind in _kinds():
        assert f"`{kind.code}`" in rows[str(exits.status_of(kind("x")))], kind.code


def test_the_system_says_no() -> None:
    missing = exits.from_system(FileNotFoundError(errno.ENOENT, "No such file or directory", "/no/where"))
    assert isinstance(missing, errors.NotFound)
    assert "/no/where" in missing.what
    assert exits.from_system(OSError(errno.EFAULT, "Bad address")) is None
