"""Which names are refused, and that the message says why."""

from __future__ import annotations

import pytest

from maruhub.errors import InvalidName
from maruhub.namespace.names import check_bucket_name, encode_key


@pytest.mark.parametrize(
    "name", ["abc", "a1b", "photos", "my.bucket", "a-b-c", "0zero", "x" * 63, "1.2.3", "data-set", "datasets"]
)
def test_good_bucket_names(name: str) -> None:
    check_bucket_name(name)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "3 to 63"),
        ("ab", "3 to 63"),
        ("x" * 64, "3 to 63"),
        ("Photos", "3 to 63"),
        ("my_bucket", "3 to 63"),
        ("-abc", "3 to 63"),
        ("abc.", "3 to 63"),
        ("abc\n", "3 to 63"),
        ("a/b", "3 to 63"),
        ("a\0b", "3 to 63"),
        ("caf\u00e9", "3 to 63"),
        ("\u0661\u0662\u0663", "3 to 63"),
        ("a..b", "part between dots"),
        ("a.-b", "part between dots"),
        ("a-.b", "part between dots"),
        ("192.168.5.4", "IP address"),
        ("xn--abc", "'xn--'"),
        ("sthree-abc", "'sthree-'"),
        ("abc-s3alias", "'-s3alias'"),
        ("abc--ol-s3", "'--ol-s3'"),
        ("abc--x-s3", "'--x-s3'"),
        ("dataset", "addresses versions"),
        ("maru-meta", "reserved for the hub"),
    ],
)
def test_bad_bucket_names_say_why(name: str, why: str) -> None:
    with pytest.raises(InvalidName, match="cannot name a bucket") as caught:
        check_bucket_name(name)
    assert why in caught.value.what
    assert "another name" in caught.value.hint


@pytest.mark.parametrize("key", ["a", "..", "/", "//", "a/b", "\0", "한글/개.jpg", "x" * 1024, "é" * 512])
def test_good_keys(key: str) -> None:
    assert encode_key(key).decode() == key


@pytest.mark.parametrize(
    ("key", "why"),
    [("", "0 bytes"), ("x" * 1025, "1025 bytes"), ("é" * 513, "1026 bytes"), ("a\udcff", "not UTF-8")],
)
def test_bad_keys_say_why(key: str, why: str) -> None:
    with pytest.raises(InvalidName, match=why):
        encode_key(key)
