"""Buckets over HTTP: which names they may have, who may make one again, where they say they are."""

from __future__ import annotations

import pytest

from tests.s3_client import Bucket, S3Client


def constraint(region: str) -> str:
    return (
        "<CreateBucketConfiguration>"
        f"<LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
    )


OF_WRONG_LETTERS = ("ab", "a" * 64, "Upper", "under_score", "-dash", "dash-")


@pytest.mark.parametrize("name", [*OF_WRONG_LETTERS, "a..b", "1.2.3.4", "xn--abc", "abc-s3alias", "maru-x"])
def test_a_name_that_no_bucket_can_have(ann: S3Client, name: str):
    made = ann.ask("PUT", f"/{name}")
    assert (made.status, made.code) == (400, "InvalidBucketName")
    assert made.text("BucketName") == name
    assert ("3 to 63" in made.text("Message")) == (name in OF_WRONG_LETTERS)
    for method, path in (("GET", f"/{name}"), ("PUT", f"/{name}/key"), ("DELETE", f"/{name}")):
        assert ann.ask(method, path).code == "InvalidBucketName"


def test_again_by_its_owner_is_no_error_and_resets_the_acl(bucket: Bucket, anyone: S3Client, new_name: str):
    again = bucket.ask("PUT", headers={"x-amz-acl": "public-read"})
    assert (again.status, again.headers["location"]) == (200, f"/{new_name}")
    assert bucket.by(anyone).ask("GET").status == 200
    bucket.put("key", b"kept")
    assert bucket.ask("PUT").status == 200
    assert bucket.by(anyone).ask("GET").status == 403
    assert bucket.get("key").body == b"kept"


def test_again_by_another(bucket: Bucket, bob: S3Client):
    assert bucket.by(bob).ask("PUT").code == "BucketAlreadyExists"


def test_again_elsewhere_or_otherwise(bucket: Bucket):
    again = bucket.ask("PUT", body=constraint("eu-west-1"))
    assert (again.status, again.code) == (409, "BucketAlreadyOwnedByYou")
    locked = bucket.ask("PUT", headers={"x-amz-bucket-object-lock-enabled": "true"})
    assert (locked.status, locked.code) == (409, "BucketAlreadyOwnedByYou")


def test_a_bucket_says_where_it_was_asked_to_be(ann: S3Client, bucket: Bucket, new_name: str):
    assert bucket.ask("GET", query="location").document.text is None
    assert bucket.ask("HEAD").headers["x-amz-bucket-region"] == "us-east-1"
    elsewhere = Bucket(ann, f"{new_name}-eu")
    assert elsewhere.ask("PUT", body=constraint("eu-west-1")).status == 200
    assert elsewhere.ask("GET", query="location").document.text == "eu-west-1"
    assert elsewhere.ask("HEAD").headers["x-amz-bucket-region"] == "eu-west-1"
    listed = ann.ask("GET", "/", {"prefix": elsewhere.name})
    assert listed.text("Buckets/Bucket/BucketRegion") == "eu-west-1"


def test_a_region_that_is_none(ann: S3Client, new_name: str):
    refused = ann.ask("PUT", f"/{new_name}", body=constraint("nowhere").encode())
    assert (refused.status, refused.code) == (400, "InvalidLocationConstraint")


def test_only_an_empty_bucket_goes(bucket: Bucket, bob: S3Client):
    bucket.put("key")
    assert (bucket.ask("DELETE").status, bucket.ask("DELETE").code) == (409, "BucketNotEmpty")
    assert bucket.by(bob).ask("DELETE").code == "AccessDenied"
    bucket.delete("key")
    assert bucket.ask("DELETE").status == 204
    assert (bucket.ask("DELETE").status, bucket.ask("DELETE").code) == (404, "NoSuchBucket")


def test_the_expected_owner(bucket: Bucket):
    bucket.put("key", b"x")
    for owner, status in (("ann", 200), ("000000000000", 200), ("bob", 403), ("111111111111", 403)):
        assert bucket.get("key", x_amz_expected_bucket_owner=owner).status == status
        assert bucket.put("key", b"x", x_amz_expected_bucket_owner=owner).status == status
        copied = bucket.copy("copy", f"{bucket.name}/key", x_amz_source_expected_bucket_owner=owner)
        assert copied.status == status


def test_whoever_would_pay_is_served(bucket: Bucket):
    bucket.put("key", b"x")
    assert bucket.get("key", x_amz_request_payer="requester").status == 200
