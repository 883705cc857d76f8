"""From errors of the hub to S3's codes: one table, which a test proves complete."""

from __future__ import annotations

from typing import Final

from maruhub import errors
from maruhub.gateway.s3.failure import S3Failure

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


def failure_of(error: errors.MaruError) -> S3Failure:
    """What a client of S3 is told of an error; hints name commands of the hub and stay here."""
    if isinstance(error, S3Failure):
        return error
    for kind in type(error).__mro__:
        if kind in CODES:
            return S3Failure(CODES[kind], _sentence(error.what))
    return S3Failure("InternalError")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
