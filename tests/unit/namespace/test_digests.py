"""Digests in threads: the same as one after another, also in a forked child."""

from __future__ import annotations

import hashlib
import os
import signal
import warnings

import pytest

from maruhub.namespace.digests import Hasher, start_digests


@pytest.mark.parametrize("sizes", [[], [0], [10] * 5, [50_000] * 37, [1, 900_000, 0, 5, 2_000_000]])
def test_order_is_kept(sizes: list[int]) -> None:
    blobs = [os.urandom(size) for size in sizes]
    expected = [(hashlib.md5(blob).digest(), hashlib.sha256(blob).digest()) for blob in blobs]
    assert start_digests(blobs).result() == expected


def test_pieces() -> None:
    hasher = Hasher()
    for piece in (b"a" * 5000, b"b"):
        for future in hasher.update(piece):
            future.result()
    whole = b"a" * 5000 + b"b"
    assert hasher.digest() == (hashlib.md5(whole).digest(), hashlib.sha256(whole).digest())


def test_works_after_a_fork() -> None:
    blobs = [os.urandom(50_000) for _ in range(8)]
    expected = start_digests(blobs).result()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        signal.alarm(20)
        os._exit(0 if start_digests(blobs).result() == expected else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
