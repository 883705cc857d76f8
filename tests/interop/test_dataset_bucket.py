"""Committed versions over S3: the bucket ``dataset`` reads as any other, and as it was."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.s3_client import S3Client
from tests.serving import Server, maru

KEYS = ["cats/1.jpg", "cats/2.jpg", "dogs/1.jpg", "dogs/é 3.jpg", "readme"]


@pytest.fixture(scope="module")
def data(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Files that were committed as ``pets@v1``; one is overwritten, one deleted, and v2 committed."""
    folder = tmp_path_factory.mktemp("pets")
    datas = {key: os.urandom(5000 + number) for number, key in enumerate(KEYS)}
    for key, content in datas.items():
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    maru(server.hub, "ingest", str(folder), "pets")
    maru(server.hub, "commit", "pets", "pets")
    (folder / "cats/1.jpg").write_bytes(b"another cat")
    maru(server.hub, "cp", str(folder / "cats/1.jpg"), "maru://pets/cats/1.jpg")
    maru(server.hub, "rm", "maru://pets/readme")
    maru(server.hub, "commit", "pets", "pets")
    return datas


@pytest.fixture
def admin(server: Server):
    with S3Client(server, server.key("chief", admin=True)) as client:
        yield client


def pages(client: S3Client, prefix: str, *, limit: int, delimiter: str = "") -> tuple[list[str], list[str]]:
    keys: list[str] = []
    prefixes: list[str] = []
    token = ""
    while True:
        query = f"list-type=2&prefix={quote(prefix, safe='')}&max-keys={limit}&delimiter={delimiter}"
        reply = client.ask(
            "GET", "/dataset", query=query + (f"&continuation-token={quote(token)}" if token else "")
        )
        assert reply.status == 200, reply.body
        found = reply.texts("Contents/Key"), reply.texts("CommonPrefixes/Prefix")
        assert len(found[0]) + len(found[1]) <= limit
        keys += found[0]
        prefixes += found[1]
        if reply.text("IsTruncated") == "false":
            return keys, prefixes
        token = reply.text("NextContinuationToken")


@pytest.mark.parametrize("limit", [1, 2, 1000])
def test_a_version_is_listed_page_by_page(admin: S3Client, data: dict[str, bytes], limit: int):
    ids = sorted((f"pets/v1/pets/{key}" for key in data), key=str.encode)
    assert pages(admin, "pets/v1/", limit=limit) == (ids, [])
    assert pages(admin, "", limit=limit, delimiter="/") == ([], ["pets/"])
    assert pages(admin, "pets/", limit=limit, delimiter="/") == ([], ["pets/v1/", "pets/v2/"])
    assert pages(admin, "pets/v1/pets/", limit=limit, delimiter="/") == (
        ["pets/v1/pets/readme"],
        ["pets/v1/pets/cats/", "pets/v1/pets/dogs/"],
    )
    everything, _ = pages(admin, "", limit=limit)
    assert len(everything) == 5 + 4


def test_bytes_are_those_of_then(admin: S3Client, data: dict[str, bytes]):
    for key, content in data.items():
        reply = admin.ask("GET", "/dataset/pets/v1/pets/" + key)
        assert (reply.status, reply.body) == (200, content)
        assert reply.headers["etag"].strip('"') == hashlib.sha256(content).hexdigest()
    now = admin.ask("GET", "/dataset/pets/latest/pets/cats/1.jpg")
    assert now.body == b"another cat"
    part = admin.ask("GET", "/dataset/pets/v1/pets/cats/2.jpg", headers={"range": "bytes=100-199"})
    assert (part.status, part.body) == (206, data["cats/2.jpg"][100:200])
    other = {"range": "bytes=100-199", "if-range": '"other"'}
    assert admin.ask("GET", "/dataset/pets/v1/pets/cats/2.jpg", headers=other).body == data["cats/2.jpg"]
    assert admin.ask("HEAD", "/dataset/pets/v1/pets/readme").headers["content-length"] == "5004"


def test_a_sample_is_one_part_and_has_no_versions(admin: S3Client, data: dict[str, bytes]):
    path = "/dataset/pets/v1/pets/readme"
    first = admin.ask("GET", path, "partNumber=1")
    assert (first.status, first.body) == (206, data["readme"])
    assert admin.ask("GET", path, "partNumber=2").code == "InvalidPartNumber"
    assert admin.ask("GET", path, "versionId=null").body == data["readme"]
    assert admin.ask("GET", path, "versionId=00000000000000ff").code == "NoSuchVersion"
    assert admin.ask("GET", path, "versionId=junk").code == "InvalidArgument"
    assert admin.ask("PUT", "/own").status == 200
    copied = admin.ask("PUT", "/own/copy", headers={"x-amz-copy-source": path})
    assert copied.code == "NotImplemented"


@pytest.mark.parametrize("prefix", ["pets/v9/", "none/v1/", "none/", "pets/v9/pets/cats/"])
def test_below_what_is_not_there_is_nothing(admin: S3Client, data: dict[str, bytes], prefix: str):
    for delimiter in ("", "/"):
        assert pages(admin, prefix, limit=2, delimiter=delimiter) == ([], [])


def test_what_is_not_there_and_what_may_not_be(admin: S3Client, data: dict[str, bytes], tmp_path: Path):
    assert admin.ask("GET", "/dataset/pets/v2/pets/readme").code == "NoSuchKey"
    assert admin.ask("GET", "/dataset/pets/v9/pets/readme").code == "NoSuchKey"
    assert admin.ask("GET", "/dataset/none/v1/pets/readme").code == "NoSuchKey"
    assert admin.ask("PUT", "/dataset/pets/v1/pets/new", body=b"x").code == "AccessDenied"
    assert admin.ask("DELETE", "/dataset/pets/v1/pets/readme").code == "AccessDenied"
    assert admin.ask("DELETE", "/dataset").code == "AccessDenied"


def test_a_policy_gives_a_version_to_a_user(server: Server, data: dict[str, bytes], tmp_path: Path):
    policy = tmp_path / "policy.json"
    policy.write_text(
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject",'
        ' "Resource": "arn:aws:s3:::dataset/pets/v1/*"}]}'
    )
    with S3Client(server, server.key("reader", policy=policy)) as reader:
        assert reader.ask("GET", "/dataset/pets/v1/pets/readme").body == data["readme"]
        assert reader.ask("GET", "/dataset/pets/v2/pets/cats/1.jpg").code == "AccessDenied"
        assert reader.ask("GET", "/dataset", query="list-type=2").code == "AccessDenied"
