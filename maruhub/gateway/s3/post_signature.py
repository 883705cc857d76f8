"""The signature of a form upload: over the text of its policy."""

from __future__ import annotations

from collections.abc import Mapping

from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.signature import Secrets, credential_of, signature_text, verified_signer
from maruhub.wire.signing import ALGORITHM, Signer

_MALFORMED = "InvalidArgument"
_NEEDED = ("x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature")


def is_signed(fields: Mapping[str, str]) -> bool:
    """Whether a form claims to be signed, however badly."""
    return "policy" in fields or any(name in fields for name in _NEEDED)


def verify_form(fields: Mapping[str, str], *, secrets: Secrets) -> Signer:
    """Who signed a form; its policy says until when it is good.

    Args:
        fields: By name in lower case.
        secrets: Finds the secret of an access key.

    Raises:
        S3Failure: A field is missing or malformed, or the signature is wrong.
    """
    missing = [name for name in ("policy", *_NEEDED) if not fields.get(name)]
    if missing:
        name = missing[0]
        raise S3Failure(
            "InvalidArgument", f"Bucket POST must contain a field named '{name}'.", ArgumentName=name
        )
    if fields["x-amz-algorithm"] != ALGORITHM:
        raise S3Failure(
            "InvalidArgument", f"x-amz-algorithm must be {ALGORITHM}.", ArgumentName="x-amz-algorithm"
        )
    access_key, scope = credential_of(fields["x-amz-credential"], _MALFORMED, ())
    given = signature_text(fields["x-amz-signature"], _MALFORMED)
    timestamp = fields["x-amz-date"]
    return verified_signer(
        access_key, scope, timestamp=timestamp, text=fields["policy"], given=given, secrets=secrets
    )
