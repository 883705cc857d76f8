"""Versions over HTTP: ids, markers, the null version, what is current when something goes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.s3_client import Bucket, Reply, S3Client
from tests.serving import Server


def set_versioning(bucket: Bucket, status: str) -> Reply:
    body = f"<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>"
    return bucket.ask("PUT", query="versioning", body=body)


def put(bucket: Bucket, key: str, body: bytes = b"") -> str:
    """The version id of a put."""
    return bucket.put(key, body).headers["x-amz-version-id"]


def ids(bucket: Bucket, key: str = "") -> list[str]:
    """Ids of all that is listed, versions and markers, in order."""
    listed = bucket.ask("GET", query={"versions": "", "prefix": key}).document
    return [e.findtext("VersionId") or "" for e in listed if e.tag in ("Version", "DeleteMarker")]


def test_states_of_a_bucket(bucket: Bucket):
    assert bucket.ask("GET", query="versioning").text("Status") == ""
    assert bucket.ask("PUT", query="versioning", body="<VersioningConfiguration/>").code == (
        "IllegalVersioningConfigurationException"
    )
    assert set_versioning(bucket, "Sometimes").code == "MalformedXML"
    for status in ("Enabled", "Suspended", "Enabled"):
        assert set_versioning(bucket, status).status == 200
        assert bucket.ask("GET", query="versioning").text("Status") == status


def test_each_put_is_a_version(versioned: Bucket):
    first, second = put(versioned, "k", b"1"), put(versioned, "k", b"22")
    assert ids(versioned) == [second, first]
    assert versioned.get("k").headers["x-amz-version-id"] == second
    old = versioned.get("k", {"versionId": first})
    assert (old.body, old.headers["x-amz-version-id"]) == (b"1", first)
    assert versioned.head("k", {"versionId": first}).headers["content-length"] == "1"


def test_what_was_there_before_is_null(bucket: Bucket):
    assert "x-amz-version-id" not in bucket.put("k", b"0").headers
    set_versioning(bucket, "Enabled")
    assert bucket.head("k").headers["x-amz-version-id"] == "null"
    first = put(bucket, "k", b"1")
    assert ids(bucket) == [first, "null"]
    assert bucket.get("k", "versionId=null").body == b"0"
    assert bucket.delete("k", "versionId=null").headers["x-amz-version-id"] == "null"
    assert ids(bucket) == [first]


def test_a_delete_adds_a_marker(versioned: Bucket):
    kept = put(versioned, "k", b"1")
    gone = versioned.delete("k")
    marker = gone.headers["x-amz-version-id"]
    assert (gone.status, gone.headers["x-amz-delete-marker"]) == (204, "true")
    for answer, status in (
        (versioned.get("k"), 404),
        (versioned.head("k"), 404),
        (versioned.get("k", {"versionId": marker}), 405),
        (versioned.head("k", {"versionId": marker}), 405),
    ):
        assert (answer.status, answer.headers["x-amz-delete-marker"]) == (status, "true")
        assert answer.headers["x-amz-version-id"] == marker
    assert versioned.get("k", {"versionId": marker}).headers["allow"] == "DELETE"
    assert versioned.get("k", {"versionId": kept}).body == b"1"
    assert ids(versioned) == [marker, kept]


def test_without_its_marker_a_key_is_back(versioned: Bucket):
    put(versioned, "k", b"1")
    older, newer = (versioned.delete("k").headers["x-amz-version-id"] for _ in range(2))
    gone = versioned.delete("k", {"versionId": older})
    assert (gone.headers["x-amz-delete-marker"], gone.headers["x-amz-version-id"]) == ("true", older)
    assert versioned.get("k").status == 404
    versioned.delete("k", {"versionId": newer})
    assert versioned.get("k").body == b"1"


def test_what_is_newest_is_current(versioned: Bucket):
    first, second, third = (put(versioned, "k", body) for body in (b"1", b"2", b"3"))
    assert versioned.delete("k", {"versionId": third}).headers["x-amz-version-id"] == third
    assert versioned.get("k").headers["x-amz-version-id"] == second
    versioned.delete("k", {"versionId": first})
    assert ids(versioned) == [second]
    versioned.delete("k", {"versionId": second})
    assert "x-amz-delete-marker" not in versioned.get("k").headers
    assert versioned.ask("DELETE").status == 204


def test_suspended_the_null_version_is_replaced(versioned: Bucket):
    kept = put(versioned, "k", b"1")
    set_versioning(versioned, "Suspended")
    assert put(versioned, "k", b"2") == "null"
    assert put(versioned, "k", b"3") == "null"
    assert ids(versioned) == ["null", kept]
    gone = versioned.delete("k")
    assert (gone.headers["x-amz-version-id"], gone.headers["x-amz-delete-marker"]) == ("null", "true")
    assert ids(versioned) == ["null", kept]
    assert versioned.get("k").status == 404
    versioned.delete("k", "versionId=null")
    assert versioned.get("k").body == b"1"


def test_ids_that_are_none(versioned: Bucket):
    put(versioned, "k")
    for wrong in ("junk", "00000000000000FF", "0" * 15):
        assert versioned.get("k", {"versionId": wrong}).code == "InvalidArgument"
    unknown = versioned.get("k", "versionId=00000000000000ff")
    assert (unknown.status, unknown.code) == (404, "NoSuchVersion")
    assert versioned.delete("k", "versionId=00000000000000ff").status == 204
    assert versioned.get("k", "versionId=").code == "InvalidArgument"
    assert versioned.ask("PUT", "k", "versionId=null", body=b"x").code == "InvalidArgument"


def test_pages_go_through_the_versions_of_a_key(versioned: Bucket):
    wanted = [put(versioned, key) for key in ("a", "a", "a", "b/c", "b/c")]
    versioned.delete("a")
    found: list[str] = []
    query = {"versions": "", "max-keys": "2"}
    while True:
        page = versioned.ask("GET", query=query)
        found += [
            e.findtext("VersionId") or "" for e in page.document if e.tag in ("Version", "DeleteMarker")
        ]
        if page.text("IsTruncated") == "false":
            break
        query |= {
            "key-marker": page.text("NextKeyMarker"),
            "version-id-marker": page.text("NextVersionIdMarker"),
        }
    assert found == ids(versioned)
    assert set(wanted) < set(found)
    rolled = versioned.ask("GET", query={"versions": "", "delimiter": "/"})
    assert rolled.texts("CommonPrefixes/Prefix") == ["b/"]
    for wrong in ({}, {"key-marker": "a"}):
        query = {"versions": "", "version-id-marker": "x", **wrong}
        assert versioned.ask("GET", query=query).code == "InvalidArgument"


def test_copies_of_versions(versioned: Bucket):
    old = put(versioned, "k", b"old")
    put(versioned, "k", b"new")
    copied = versioned.copy("copy", f"{versioned.name}/k?versionId={old}")
    assert copied.headers["x-amz-copy-source-version-id"] == old
    assert copied.headers["x-amz-version-id"] == versioned.head("copy").headers["x-amz-version-id"]
    assert versioned.get("copy").body == b"old"
    assert versioned.copy("k", f"{versioned.name}/k?versionId={old}").status == 200
    assert versioned.get("k").body == b"old"
    marker = versioned.delete("k").headers["x-amz-version-id"]
    assert versioned.copy("copy", f"{versioned.name}/k").code == "NoSuchKey"
    assert versioned.copy("copy", f"{versioned.name}/k?versionId={marker}").code == "InvalidRequest"


def delete_many(bucket: Bucket, *objects: str, quiet: bool = False) -> Reply:
    listed = "".join(f"<Object>{each}</Object>" for each in objects)
    flag = "<Quiet>true</Quiet>" if quiet else ""
    return bucket.ask("POST", query="delete", body=f"<Delete>{flag}{listed}</Delete>")


def test_many_are_deleted_each_by_itself(versioned: Bucket):
    first = put(versioned, "a", b"1")
    done = delete_many(
        versioned,
        "<Key>a</Key>",
        "<Key>none</Key>",
        f"<Key>a</Key><VersionId>{first}</VersionId>",
        "<Key>a</Key><VersionId>junk</VersionId>",
    )
    assert done.status == 200
    assert done.texts("Deleted/DeleteMarker") == ["true", "true"]
    assert done.texts("Deleted/VersionId") == [first]
    assert (done.text("Error/VersionId"), done.text("Error/Code")) == ("junk", "InvalidArgument")
    assert delete_many(versioned, "<Key>a</Key>", quiet=True).names() == []


def test_a_key_is_deleted_in_the_order_of_the_document(bucket: Bucket):
    """Without its null version an older one is current, and a marker hides that; not the other way round."""
    set_versioning(bucket, "Enabled")
    older = put(bucket, "k", b"old")
    set_versioning(bucket, "Suspended")
    null, plain = "<Key>k</Key><VersionId>null</VersionId>", "<Key>k</Key>"
    for objects, left in (((null, plain), ["null", older]), ((plain, null), [older])):
        put(bucket, "k", b"new")
        assert delete_many(bucket, *objects, "<Key>other</Key>").status == 200
        assert ids(bucket, "k") == left
        assert bucket.get("k").status == (404 if len(left) == 2 else 200)


def test_what_cannot_be_deleted_at_once(bucket: Bucket):
    assert delete_many(bucket).code == "MalformedXML"
    assert delete_many(bucket, "<Key></Key>").code == "MalformedXML"
    assert delete_many(bucket, *["<Key>a</Key>"] * 1001).code == "MalformedXML"
    assert delete_many(bucket, *["<Key>a</Key>"] * 1000).status == 200
    assert bucket.ask("POST", query="delete", body="<Delete").code == "MalformedXML"
    assert bucket.ask("POST", query="delete").code == "MalformedXML"


def test_many_deleted_at_the_same_time(versioned: Bucket, server: Server):
    wanted = [f"<Key>k{n}</Key><VersionId>{put(versioned, f'k{n}')}</VersionId>" for n in range(50)]

    def delete() -> Reply:
        with S3Client(server, server.key("ann")) as client:
            return delete_many(versioned.by(client), *wanted)

    with ThreadPoolExecutor(4) as pool:
        answers = [call.result() for call in [pool.submit(delete) for _ in range(4)]]
    assert all(len(answer.texts("Deleted/Key")) == 50 for answer in answers)
    assert ids(versioned) == []


def test_tags_are_of_one_version(versioned: Bucket):
    tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>{}</Value></Tag></TagSet></Tagging>"
    old, new = put(versioned, "k"), put(versioned, "k")
    assert versioned.ask("PUT", "k", {"tagging": "", "versionId": old}, body=tags.format(1)).status == 200
    assert versioned.ask("PUT", "k", "tagging", body=tags.format(2)).headers["x-amz-version-id"] == new
    assert versioned.ask("GET", "k", {"tagging": "", "versionId": old}).text("TagSet/Tag/Value") == "1"
    assert versioned.ask("GET", "k", "tagging").text("TagSet/Tag/Value") == "2"
    assert ids(versioned) == [new, old]
