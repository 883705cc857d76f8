"""The signature of a form upload: over the text of its policy."""

from __future__ import annotations

from collections.abc import Mapping

from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.signatures.v2 import check_signature_v2
from maruhub.gateway.s3.signatures.v4 import Secrets, Verified, credential_of, signature_text, verified_signer
from maruhub.wire.signing import ALGORITHM

_MALFORMED = "InvalidArgument"
_NEEDED = ("x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature")
_NEEDED_V2 = ("awsaccesskeyid", "signature")


def is_signed(fields: Mapping[str, str]) -> bool:
    """Whether a form claims to be signed, however badly."""
    return any(name in fields for name in ("policy", *_NEEDED, *_NEEDED_V2))


def verify_form(fields: Mapping[str, str], *, secrets: Secrets) -> Verified:
    """Checks a form, signed with version 4 or 2; its policy says until when it is good.

    Args:
        fields: By name in lower case.
        secrets: Finds the secret of an access key.

    Raises:
        S3Failure: A field is missing or malformed, or the signature is wrong.
    """
    is_v2 = any(name in fields for name in _NEEDED_V2) and not any(name in fields for name in _NEEDED)
    for name in ("policy", *(_NEEDED_V2 if is_v2 else _NEEDED)):
        if not fields.get(name):
            text = f"Bucket POST must contain a field named '{name}'."
            raise S3Failure("InvalidArgument", text, ArgumentName=name)
    if is_v2:
        access_key = fields["awsaccesskeyid"]
        check_signature_v2(access_key, fields["policy"], given=fields["signature"], secrets=secrets)
        return Verified(access_key)
    return Verified(_verified_v4(fields, secrets))


def _verified_v4(fields: Mapping[str, str], secrets: Secrets) -> str:
    if fields["x-amz-algorithm"] != ALGORITHM:
        raise S3Failure(
            "InvalidArgument", f"x-amz-algorithm must be {ALGORITHM}.", ArgumentName="x-amz-algorithm"
        )
    access_key, scope = credential_of(fields["x-amz-credential"], _MALFORMED)
    given = signature_text(fields["x-amz-signature"], _MALFORMED)
    timestamp = fields["x-amz-date"]
    verified_signer(
        access_key, scope, timestamp=timestamp, text=fields["policy"], given=given, secrets=secrets
    )
    return access_key
