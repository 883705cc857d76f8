"""Servers that the tests of a module share; each test takes buckets of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.s3_client import Bucket, S3Client
from tests.serving import Server, serving

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on a hub of six blades, two workers."""
    with serving(tmp_path_factory.mktemp("served"), "--workers", "2") as running:
        yield running


@pytest.fixture
def ann(server: Server) -> Iterator[S3Client]:
    """A user, who owns the bucket of each test."""
    with S3Client(server, server.key("ann")) as client:
        yield client


@pytest.fixture
def bob(server: Server) -> Iterator[S3Client]:
    """Another user, without any right that isn't given."""
    with S3Client(server, server.key("bob")) as client:
        yield client


@pytest.fixture
def anyone(server: Server) -> Iterator[S3Client]:
    """Whoever comes without a signature."""
    with S3Client(server) as client:
        yield client


@pytest.fixture
def new_name() -> str:
    """A bucket's name that nobody has used."""
    return f"bucket-{next(_numbers)}"


@pytest.fixture
def bucket(ann: S3Client, new_name: str) -> Bucket:
    """A new bucket of ann's."""
    made = Bucket(ann, new_name)
    assert made.ask("PUT").status == 200
    return made


@pytest.fixture
def versioned(bucket: Bucket) -> Bucket:
    """A new bucket of ann's that keeps versions."""
    body = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    assert bucket.ask("PUT", query="versioning", body=body).status == 200
    return bucket
