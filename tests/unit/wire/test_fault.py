"""Errors on the wire: every kind arrives as itself, and any text as an error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maruhub import errors
from maruhub.wire import fault


def kinds() -> list[type[errors.MaruError]]:
    return [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and kind.__module__ == errors.__name__
    ]


@pytest.mark.parametrize("kind", kinds())
def test_a_kind_arrives_as_itself_with_a_status_that_says_who_is_at_fault(
    kind: type[errors.MaruError],
) -> None:
    arrived = fault.decode(fault.encode(kind("what", hint="hint")))
    assert (type(arrived), arrived.what, arrived.hint) == (kind, "what", "hint")
    assert 400 <= fault.status_of(arrived) < 600
    assert (fault.status_of(arrived) == 400) == issubclass(kind, errors.InvalidInput)


def test_a_kind_of_a_later_release_keeps_its_words() -> None:
    arrived = fault.from_json({"code": "Sideways", "what": "it slipped", "hint": "stand up"})
    assert (type(arrived), str(arrived)) == (errors.MaruError, "it slipped stand up")


@given(
    st.binary() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(lambda v: str(v).encode())
)
def test_any_text_is_an_error(text: bytes) -> None:
    assert isinstance(fault.decode(text), errors.MaruError)


def test_a_text_that_is_very_deep_is_an_error() -> None:
    assert isinstance(fault.decode(b"[" * 100_000), errors.InvalidData)


@pytest.mark.parametrize(
    ("what", "told"),
    [
        (
            "no room: only the reserve is left (/mnt/a/maru); No space (/mnt/b).",
            "no room: only the reserve is left (…); No space (…).",
        ),
        ("The index at /srv/hub/index is closed.", "The index at … is closed."),
        ("/srv/hub/keys can't be read: Permission denied.", "… can't be read: Permission denied."),
        ("'/srv/hub' is in use; see \"/srv/x\",/srv/y", "'…' is in use; see \"…\",…"),
        (
            "maru://photos/a/b and http://host/x, s3/ and 3 / 4",
            "maru://photos/a/b and http://host/x, s3/ and 3 / 4",
        ),
    ],
)
def test_no_folder_of_this_machine_is_told(what: str, told: str) -> None:
    ours = (errors.Unavailable, errors.NoSpace, errors.ReadOnly, errors.Corrupt, errors.UnsupportedFormat)
    for kind in ours:
        assert fault.to_json(kind(what, hint=what)) == {"code": kind.code, "what": told, "hint": told}
        assert str(fault.decode(fault.encode(kind(what)))) == told


def test_what_the_other_end_has_named_is_told() -> None:
    for kind in (errors.InvalidName, errors.NoSuchKey, errors.Refused):
        assert fault.to_json(kind("'/a/b' is no key."))["what"] == "'/a/b' is no key."
