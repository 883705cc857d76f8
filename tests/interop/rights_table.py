"""How each operation is asked for, made from the table of operations itself.

A row needs no word here unless the operation takes a body or a header; what a new operation is
refused for is so tested from the day it stands in the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from maruhub.gateway.s3.operation import Operation, Place, Support
from tests.s3_wire import Ask, Told, Wire

KEY: Final = "shelf/book"
ETAG: Final = "9dd4e461268c8034f5c8564e155c67a6"
_ALLOWED: Final = (200, 204, 206)


def _xml(name: str, content: str = "") -> bytes:
    return f"<{name}>{content}</{name}>".encode()


_TAGGING: Final = _xml("Tagging", "<TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet>")
_CORS: Final = _xml(
    "CORSConfiguration",
    "<CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>https://a.example</AllowedOrigin></CORSRule>",
)
_LIFECYCLE: Final = _xml(
    "LifecycleConfiguration",
    "<Rule><ID>r</ID><Filter><Prefix>old/</Prefix></Filter><Status>Enabled</Status>"
    "<Expiration><Days>9</Days></Expiration></Rule>",
)
_BLOCK: Final = _xml("PublicAccessBlockConfiguration", "<BlockPublicAcls>false</BlockPublicAcls>")
_FORM: Final = (
    b'--edge\r\nContent-Disposition: form-data; name="key"\r\n\r\nshelf/form\r\n'
    b'--edge\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nbytes\r\n--edge--\r\n'
)

_BODIES: Final = {
    Operation.DELETE_OBJECTS: _xml("Delete", f"<Object><Key>{KEY}</Key></Object>"),
    Operation.POST_OBJECT: _FORM,
    Operation.PUT_BUCKET_VERSIONING: _xml("VersioningConfiguration", "<Status>Enabled</Status>"),
    Operation.PUT_BUCKET_TAGGING: _TAGGING,
    Operation.PUT_BUCKET_CORS: _CORS,
    Operation.PUT_BUCKET_LIFECYCLE_CONFIGURATION: _LIFECYCLE,
    Operation.PUT_PUBLIC_ACCESS_BLOCK: _BLOCK,
    Operation.PUT_BUCKET_OWNERSHIP_CONTROLS: _xml(
        "OwnershipControls", "<Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>"
    ),
    Operation.PUT_BUCKET_NOTIFICATION_CONFIGURATION: _xml("NotificationConfiguration"),
    Operation.PUT_BUCKET_LOGGING: _xml("BucketLoggingStatus"),
    Operation.PUT_BUCKET_REQUEST_PAYMENT: _xml("RequestPaymentConfiguration", "<Payer>BucketOwner</Payer>"),
    Operation.PUT_BUCKET_ACCELERATE_CONFIGURATION: _xml(
        "AccelerateConfiguration", "<Status>Suspended</Status>"
    ),
    Operation.PUT_OBJECT_LOCK_CONFIGURATION: _xml(
        "ObjectLockConfiguration", "<ObjectLockEnabled>Enabled</ObjectLockEnabled>"
    ),
    Operation.PUT_OBJECT: b"new",
    Operation.UPLOAD_PART: b"part",
    Operation.PUT_OBJECT_TAGGING: _TAGGING,
    Operation.PUT_OBJECT_RETENTION: _xml(
        "Retention", "<Mode>GOVERNANCE</Mode><RetainUntilDate>2099-01-01T00:00:00Z</RetainUntilDate>"
    ),
    Operation.PUT_OBJECT_LEGAL_HOLD: _xml("LegalHold", "<Status>OFF</Status>"),
    Operation.COMPLETE_MULTIPART_UPLOAD: _xml(
        "CompleteMultipartUpload", f"<Part><PartNumber>1</PartNumber><ETag>{ETAG}</ETag></Part>"
    ),
}

_HEADERS: Final[dict[Operation, dict[str, str]]] = {
    Operation.POST_OBJECT: {"content-type": "multipart/form-data; boundary=edge"},
    Operation.PUT_BUCKET_ACL: {"x-amz-acl": "private"},
    Operation.PUT_OBJECT_ACL: {"x-amz-acl": "private"},
    Operation.GET_OBJECT_ATTRIBUTES: {"x-amz-object-attributes": "ETag"},
    Operation.PREFLIGHT: {"origin": "https://a.example", "access-control-request-method": "GET"},
}


@dataclass(frozen=True)
class Stage:
    """A bucket with everything in it that an operation may be about."""

    bucket: str
    upload_id: str

    @property
    def policy(self) -> bytes:
        """One that gives nothing to anyone who is asked about here."""
        return (
            '{"Statement":{"Effect":"Allow","Principal":{"AWS":"somebody"},"Action":"s3:GetObject",'
            f'"Resource":"arn:aws:s3:::{self.bucket}/*"}}}}'
        ).encode()


def set_stage(owner: Wire, bucket: str) -> Stage:
    """Makes the bucket, an object with a version, an upload with a part, and each setting."""
    done = [
        owner.ask("PUT", f"/{bucket}", headers={"x-amz-bucket-object-lock-enabled": "true"}),
        owner.ask("PUT", f"/{bucket}/{KEY}", body=b"x"),
        owner.ask("PUT", f"/{bucket}/{KEY}", "legal-hold", body=_BODIES[Operation.PUT_OBJECT_LEGAL_HOLD]),
        owner.ask("PUT", f"/{bucket}/{KEY}", "retention", body=_BODIES[Operation.PUT_OBJECT_RETENTION]),
    ]
    begun = owner.ask("POST", f"/{bucket}/{KEY}", "uploads")
    upload_id = begun.body.partition(b"<UploadId>")[2].partition(b"<")[0].decode()
    stage = Stage(bucket, upload_id)
    done.append(owner.ask("PUT", f"/{bucket}/{KEY}", f"partNumber=1&uploadId={upload_id}", body=b"x"))
    settings = (
        Operation.PUT_BUCKET_TAGGING,
        Operation.PUT_BUCKET_CORS,
        Operation.PUT_BUCKET_LIFECYCLE_CONFIGURATION,
        Operation.PUT_PUBLIC_ACCESS_BLOCK,
        Operation.PUT_BUCKET_POLICY,
        Operation.PUT_OBJECT_TAGGING,
    )
    done += [owner.send(ask_for(operation, stage)) for operation in settings]
    assert all(told.status in _ALLOWED for told in done), done
    return stage


def ask_for(operation: Operation, stage: Stage) -> Ask:
    """The request that asks for an operation on what is on the stage."""
    path = {
        Place.SERVICE: "/",
        Place.BUCKET: f"/{stage.bucket}",
        Place.OBJECT: f"/{stage.bucket}/{KEY}",
    }[operation.place]
    headers = dict(_HEADERS.get(operation, {}))
    query = []
    for word in filter(None, operation.chosen_by.split("&")):
        if word.startswith("x-amz-"):
            headers[word] = f"/{stage.bucket}/{KEY}"
        else:
            query.append(_parameter(word, stage))
    if operation in (Operation.UPLOAD_PART, Operation.UPLOAD_PART_COPY):
        query.append("partNumber=1")
    if operation is Operation.COPY_OBJECT:
        headers["x-amz-metadata-directive"] = "REPLACE"
    body = stage.policy if operation is Operation.PUT_BUCKET_POLICY else _BODIES.get(operation, b"")
    return Ask(operation.method, path, "&".join(query), headers, body)


def _parameter(word: str, stage: Stage) -> str:
    values = {"uploadId": stage.upload_id, "list-type": "2", "id": "one", "annotationName": "one"}
    values["max-directory-buckets"] = "9"
    return f"{word}={values[word]}" if word in values else word


# What S3 says to whoever may ask, where that is no plain success.
_SAID: Final = {
    Operation.DELETE_BUCKET: (409, "BucketNotEmpty"),
}


def check_right(operation: Operation, told: Told) -> None:
    """Whoever may ask gets a success, or what S3 says instead."""
    if operation.support is Support.REFUSED:
        assert (told.status, told.code) == (501, "NotImplemented")
    elif operation.support is Support.FIXED:
        assert told.status in _ALLOWED or (told.status == 404 and told.code), told
    elif operation is Operation.POST_OBJECT:
        # A form is signed within; what signs the request around it counts for nothing.
        assert told.code == "AccessDenied"
    elif operation in _SAID:
        assert (told.status, told.code) == _SAID[operation]
    else:
        assert told.status in _ALLOWED, told
        assert b"<Error>" not in told.body, told
