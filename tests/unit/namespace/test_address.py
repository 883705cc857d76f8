"""Addresses: one meaning each, and back."""

from __future__ import annotations

import pytest

from maruhub.errors import InvalidInput, InvalidName, Refused
from maruhub.namespace.address import (
    DatasetAddress,
    ObjectAddress,
    is_address,
    parse_address,
    parse_bucket_path,
    parse_short,
)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("maru://photos/cats/1.jpg", ObjectAddress("photos", "cats/1.jpg")),
        ("maru://photos/", ObjectAddress("photos", "")),
        ("maru://photos//a%20/../b?x#y", ObjectAddress("photos", "/a%20/../b?x#y")),
        ("maru://dataset", DatasetAddress()),
        ("maru://dataset/cats", DatasetAddress("cats")),
        ("maru://dataset/cats/v3", DatasetAddress("cats", "v3")),
        ("maru://dataset/cats/v3/photos/1.jpg", DatasetAddress("cats", "v3", "photos/1.jpg")),
    ],
)
def test_parse_and_back(text: str, address: ObjectAddress | DatasetAddress) -> None:
    assert parse_address(text) == address
    assert str(address) == text


def test_bucket_alone() -> None:
    assert parse_address("maru://photos") == ObjectAddress("photos", "")
    assert is_address("maru://photos")
    assert not is_address("./maru:")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("photos/cats", InvalidInput),
        ("s3://photos/cats", InvalidInput),
        ("maru://", InvalidName),
        ("maru:///key", InvalidName),
        ("maru://Photos/key", InvalidName),
        ("maru://photos/" + "x" * 1025, InvalidName),
        ("maru://photos/\udc80", InvalidName),
        ("maru://dataset//v3/x", InvalidName),
        ("maru://dataset/cats//x", InvalidName),
    ],
)
def test_refused(text: str, kind: type[InvalidInput]) -> None:
    with pytest.raises(kind):
        parse_address(text)


def test_bucket_path() -> None:
    assert parse_bucket_path("photos/cats/") == ObjectAddress("photos", "cats/")
    assert parse_bucket_path("maru://photos") == ObjectAddress("photos")
    for text in ("dataset", "dataset/cats/v1", "maru://dataset/cats/v1/photos/1.jpg"):
        with pytest.raises(Refused, match="only be read"):
            parse_bucket_path(text)


def test_short_addresses() -> None:
    assert parse_short("photos/cats/") == ObjectAddress("photos", "cats/")
    assert parse_short("dataset/cats/v1/p/") == DatasetAddress("cats", "v1", "p/")
    with pytest.raises(InvalidName):
        parse_short("dataset/cats/v1/\udc80")


@pytest.mark.parametrize(("key", "below"), [("", ""), ("a", "a/"), ("a/", "a/"), ("/", "/"), ("a//", "a//")])
def test_what_lies_below(key: str, below: str) -> None:
    assert ObjectAddress("photos", key).below == below
    assert DatasetAddress("cats", "v1", key).below == below
