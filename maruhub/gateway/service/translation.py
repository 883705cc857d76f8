"""From errors of the hub to S3's codes: one table, which a test proves complete."""

from __future__ import annotations

from typing import Final

from maruhub import errors
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.operation import Operation
from maruhub.gateway.s3.route import Asked
from maruhub.wire import fault

CODES: Final[dict[type[errors.MaruError], str]] = {
    errors.InvalidInput: "InvalidArgument",
    errors.InvalidPart: "InvalidPart",
    errors.PartTooSmall: "EntityTooSmall",
    errors.NotFound: "NoSuchKey",
    errors.NoSuchBucket: "NoSuchBucket",
    errors.NoSuchKey: "NoSuchKey",
    errors.NoSuchVersion: "NoSuchVersion",
    errors.NoSuchUpload: "NoSuchUpload",
    errors.Conflict: "OperationAborted",
    errors.PreconditionFailed: "PreconditionFailed",
    errors.AlreadyExists: "BucketAlreadyExists",
    errors.BucketNotEmpty: "BucketNotEmpty",
    errors.Busy: "ServiceUnavailable",
    errors.QuotaExceeded: "QuotaExceeded",
    errors.Refused: "AccessDenied",
    errors.ReadOnly: "ServiceUnavailable",
    errors.UnsupportedFormat: "ServiceUnavailable",
    errors.Unavailable: "ServiceUnavailable",
    errors.Corrupt: "InternalError",
}
"""Kinds not listed take the code of their nearest listed ancestor."""

_NAMED: Final = {
    "NoSuchBucket": ("BucketName",),
    "BucketNotEmpty": ("BucketName",),
    "BucketAlreadyExists": ("BucketName",),
    "NoSuchKey": ("Key",),
    "NoSuchVersion": ("Key", "VersionId"),
    "NoSuchUpload": ("UploadId",),
    "InvalidPart": ("UploadId",),
}
_ADDRESS: Final = "maru://"


def failure_of(error: errors.MaruError) -> S3Failure:
    """What a client of S3 is told of an error; folders, and hints, which name commands of the hub, stay here."""
    if isinstance(error, S3Failure):
        return error
    for kind in type(error).__mro__:
        if kind in CODES:
            return S3Failure(CODES[kind], _sentence(fault.discreet(error, error.what)))
    return S3Failure("InternalError")


def refusal_of(error: errors.MaruError, asked: Asked) -> S3Failure:
    """The same, with what is missing or in the way named in elements of its own, as S3 does it.

    Where a copy's source may be meant, nothing is added: nobody could tell which of the two it is.
    """
    failure = failure_of(error)
    if asked.operation in (Operation.COPY_OBJECT, Operation.UPLOAD_PART_COPY):
        return failure
    known = {
        "BucketName": asked.bucket,
        "Key": asked.key,
        "VersionId": asked.parameters.get("versionId", ""),
        "UploadId": asked.parameters.get("uploadId", ""),
    }
    for name in _NAMED.get(failure.code, ()):
        if known[name]:
            failure.fields.setdefault(name, known[name])
    return failure


def _sentence(text: str) -> str:
    return text if text.startswith(_ADDRESS) else text[:1].upper() + text[1:]
