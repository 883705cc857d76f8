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
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import maruhub
from tests.interop.certificate import Certificate, make_certificate
from tests.interop.homes import Place, run_client
from tests.serving import Server, maru, serving

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

    def __str__(self) -> str:
        return self.program.removeprefix("with_").partition(".")[0]


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
    Client("with_s3torch.py", "torch", others=("model.pt",), makes_buckets=False),
    Client("with_sdk.mjs", "node", ("put/s3v4", "post/s3v4")),
)


BUCKETS_AS_HOSTS = tuple(
    c for c in CLIENTS if c.program in ("with_boto3.py", "with_minio.py", "with_sdk.mjs")
)
# Its HTTP library trusts the system's certificates alone.
OVER_TLS = tuple(client for client in CLIENTS if client.program != "with_s3torch.py")
OVER_IPV6 = tuple(c for c in CLIENTS if c.program in ("with_boto3.py", "with_rclone.py", "with_sdk.mjs"))
BASE = "hub.localhost"


def has_ipv6() -> bool:
    """Whether this machine can listen on its own address of IPv6."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def corpus_in(folder: Path, small: int) -> Path:
    """Small files and a large one."""
    order = random.Random(5)
    (folder / "small").mkdir()
    for number in range(small):
        (folder / "small" / f"{number:04}").write_bytes(order.randbytes(order.randrange(1, 9000)))
    (folder / "large.bin").write_bytes(order.randbytes(LARGE_BYTES))
    return folder


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return corpus_in(tmp_path_factory.mktemp("corpus"), SMALL)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For rounds whose point is the way there."""
    return corpus_in(tmp_path_factory.mktemp("few"), 30)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"), "localhost", "127.0.0.1", BASE, f"*.{BASE}")


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> Iterator[Server]:
    """A server with TLS, and with buckets as hosts."""
    options = ("--tls-cert", str(certificate.chain), "--tls-key", str(certificate.key), "--host", BASE)
    with serving(tmp_path_factory.mktemp("secure"), *options, "--workers", "2") as running:
        yield running


def expected(corpus: Path, client: Client) -> dict[str, str]:
    """What is in a bucket at the end of a round: SHA-256 by key."""
    small = sorted(f"small/{path.name}" for path in (corpus / "small").iterdir())
    sources = {key: key for key in ("large.bin", *small[1 : -(len(small) // 10)])}
    sources |= {"copy/large": "large.bin", "copy/small": small[7]}
    sources |= dict.fromkeys(client.linked, small[7])
    sums = {key: hashlib.sha256((corpus / file).read_bytes()).hexdigest() for key, file in sources.items()}
    return sums | dict.fromkeys(client.markers, hashlib.sha256().hexdigest())


def held(server: Server, bucket: str) -> dict[str, str]:
    """What the hub holds of a bucket: SHA-256 of the bytes as they are read, by key."""
    with maruhub.connect(server.hub, read_only=True) as hub:
        items = hub.bucket(bucket).items()
        return {key: hashlib.sha256(blob).hexdigest() for key, blob in items}


def do_round(client: Client, server: Server, corpus: Path, **way: Any) -> None:
    """Has a client do its round in a new bucket, and compares what it leaves."""
    bucket = f"round-{secrets.token_hex(4)}"
    if not client.makes_buckets:
        server.key("ann")
        maru(server.hub, "mb", bucket)
        maru(server.hub, "chown", bucket, "ann")
    run_client(client.home, client.program, Place(server, bucket, corpus, **way))
    found = held(server, bucket)
    for key in client.others:
        assert found.pop(key)
    assert found == expected(corpus, client)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("client", CLIENTS, ids=str)
def test_an_everyday_round(server: Server, corpus: Path, client: Client):
    do_round(client, server, corpus)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("client", OVER_TLS, ids=str)
def test_a_round_over_tls(secure: Server, certificate: Certificate, few: Path, client: Client):
    do_round(client, secure, few, certificate=certificate.authority)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("client", BUCKETS_AS_HOSTS, ids=str)
def test_a_round_with_buckets_as_hosts(secure: Server, certificate: Certificate, few: Path, client: Client):
    do_round(client, secure, few, certificate=certificate.authority, base=BASE)


@pytest.mark.timeout(600)
def test_rounds_over_ipv6(tmp_path: Path, few: Path):
    if not has_ipv6():
        pytest.skip("this machine has no IPv6")
    with serving(tmp_path, "--workers", "1", address="[::1]") as server:
        for client in OVER_IPV6:
            do_round(client, server, few)
