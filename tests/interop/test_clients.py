"""Clients of S3 as they come, in their newest releases, do an everyday round at our door.

Each is a program in ``clients/``, run where only its client is installed (``scripts/clients``). It
uploads a thousand small objects and a large one in parts, lists them in pages, reads ranges, copies,
deletes, and uses links where it makes some, looking at every answer. What it leaves is compared
here with what the hub holds.
"""

from __future__ import annotations

import hashlib
import random
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

import maruhub
from tests.interop.homes import run_client
from tests.serving import Server, maru

SMALL, LARGE_BYTES = 1000, (12 << 20) + 12345
LINKED = ("put/default", "put/s3v4", "post/default", "post/s3v4")


@dataclass(frozen=True)
class Client:
    """A client.

    Attributes:
        program: In ``clients/``.
        home: Where it is installed.
        linked: Copies of a small object that it makes in other ways, through links above all.
        markers: Empty objects that it leaves to mark folders.
        others: Objects that it makes for itself, and has compared itself.
        makes_buckets: Whether it can make one.
    """

    program: str
    home: str
    linked: tuple[str, ...] = ()
    markers: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    makes_buckets: bool = True


CLIENTS = (
    Client("with_boto3.py", "common", LINKED),
    Client("with_aioboto3.py", "async", ("put/default", "post/default")),
    Client("with_s3fs.py", "async", ("moved",)),
    Client("with_minio.py", "common", ("put/s3v4", "post/s3v4")),
    Client("with_obstore.py", "common", ("put/s3v4",), makes_buckets=False),
    Client("with_pyarrow.py", "common", markers=("small/",)),
    Client("with_awscli.py", "common"),
    Client("with_s5cmd.py", "common"),
    Client("with_rclone.py", "common"),
    Client("with_duckdb.py", "common", others=("table.parquet",), makes_buckets=False),
    Client("with_sdk.mjs", "node", ("put/s3v4", "post/s3v4")),
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A thousand small files and a large one."""
    folder, order = tmp_path_factory.mktemp("corpus"), random.Random(5)
    (folder / "small").mkdir()
    for number in range(SMALL):
        (folder / "small" / f"{number:04}").write_bytes(order.randbytes(order.randrange(1, 9000)))
    (folder / "large.bin").write_bytes(order.randbytes(LARGE_BYTES))
    return folder


def expected(corpus: Path, linked: Iterable[str]) -> dict[str, str]:
    """What is in a bucket at the end of a round: SHA-256 by key."""
    small = [f"small/{number:04}" for number in range(1, SMALL - SMALL // 10)]
    sources = {key: key for key in ("large.bin", *small)}
    sources |= {"copy/large": "large.bin", "copy/small": "small/0007"}
    sources |= dict.fromkeys(linked, "small/0007")
    return {key: hashlib.sha256((corpus / file).read_bytes()).hexdigest() for key, file in sources.items()}


def held(server: Server, bucket: str) -> dict[str, str]:
    """What the hub holds of a bucket: SHA-256 of the bytes as they are read, by key."""
    with maruhub.connect(server.hub, read_only=True) as hub:
        items = hub.bucket(bucket).items()
        return {key: hashlib.sha256(blob).hexdigest() for key, blob in items}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.program)
def test_an_everyday_round(server: Server, corpus: Path, client: Client):
    bucket = f"round-{secrets.token_hex(4)}"
    if not client.makes_buckets:
        server.key("ann")
        maru(server.hub, "mb", bucket)
        maru(server.hub, "chown", bucket, "ann")
    run_client(server, client.home, client.program, bucket=bucket, corpus=corpus)
    markers = dict.fromkeys(client.markers, hashlib.sha256().hexdigest())
    found = held(server, bucket)
    for key in client.others:
        assert found.pop(key)
    assert found == expected(corpus, client.linked) | markers
