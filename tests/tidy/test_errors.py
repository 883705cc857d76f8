"""The tree of errors: every kind explained, every code one kind's, every kind carried over borders."""

from __future__ import annotations

import inspect
import pickle

import pytest

from maruhub import errors

KINDS = [
    kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.MaruError)
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_kind_is_explained(kind: type[errors.MaruError]):
    assert kind.__doc__
    assert kind.__doc__ != (kind.__base__ or object).__doc__


def test_codes_are_unique_and_each_kind_has_its_own():
    codes = [kind.__dict__.get("code") for kind in KINDS]
    assert None not in codes
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_kind_survives_the_border_of_a_process(kind: type[errors.MaruError]):
    back = pickle.loads(pickle.dumps(kind("what", hint="next")))
    assert (type(back), back.what, back.hint) == (kind, "what", "next")
