"""Which headers a request of S3 may carry, and which of them ask for what we don't do.

A header that would change what the request means is honoured or refused, never passed over.
Headers of other vendors and of HTTP itself are none of our business. Presigned addresses may carry
``x-amz-…`` headers in the query: they count as if they were headers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from maruhub.gateway.s3.checksums import KINDS
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.operation import CONDITIONAL_WRITES, Operation

# Read by the signature or the body, by ``parameters``, or without any effect on the answer.
_KNOWN_WORDS = """
x-amz-acl x-amz-bucket-object-lock-enabled x-amz-bucket-object-lock-token
x-amz-bypass-governance-retention x-amz-checksum-algorithm x-amz-checksum-mode x-amz-checksum-type
x-amz-client-token x-amz-confirm-remove-self-bucket-access x-amz-content-sha256 x-amz-copy-source
x-amz-copy-source-if-match x-amz-copy-source-if-modified-since x-amz-copy-source-if-none-match
x-amz-copy-source-if-unmodified-since x-amz-copy-source-range x-amz-date
x-amz-decoded-content-length x-amz-expected-bucket-owner x-amz-grant-full-control x-amz-grant-read
x-amz-grant-read-acp x-amz-grant-write x-amz-grant-write-acp x-amz-max-parts x-amz-metadata-directive
x-amz-mp-object-size x-amz-object-attributes x-amz-object-lock-legal-hold x-amz-object-lock-mode
x-amz-object-lock-retain-until-date x-amz-optional-object-attributes
x-amz-part-number-marker x-amz-sdk-checksum-algorithm x-amz-security-token
x-amz-skip-destination-validation x-amz-source-expected-bucket-owner x-amz-storage-class
x-amz-tagging x-amz-tagging-directive x-amz-te x-amz-trailer
x-amz-transition-default-minimum-object-size x-amz-user-agent x-amz-cf-id
"""
_KNOWN = frozenset(_KNOWN_WORDS.split())
_KNOWN_BEGINNINGS = ("x-amz-meta-", "x-amz-checksum-")

# Values that say what happens anyway.
_HARMLESS = {
    # The C++ SDK, below Arrow, says which version of the API it speaks; there is one.
    "x-amz-api-version": {"2006-03-01"},
    "x-amz-object-ownership": {"BucketOwnerEnforced"},
    "x-amz-object-annotation-directive": {"EXCLUDE"},
    # Whoever asks would pay; no bucket here asks for it.
    "x-amz-request-payer": {"requester"},
}

# AWS's SDK for JavaScript signs links with the checksum of a body that it hasn't seen, an empty one's;
# S3 passes over sums in queries, so that such links work. And SDKs put their name into the query,
# and a browser's sends its own beside it; it means nothing.
_NOT_HOISTED = frozenset(f"x-amz-checksum-{kind}" for kind in KINDS) | {
    "x-amz-sdk-checksum-algorithm",
    "x-amz-user-agent",
}

# Query parameters of a presigned address that belong to the signature.
_SIGNATURE_PARAMETERS_WORDS = """
x-amz-algorithm x-amz-credential x-amz-date x-amz-expires x-amz-signedheaders x-amz-signature
x-amz-security-token x-amz-content-sha256
"""
SIGNATURE_PARAMETERS = frozenset(_SIGNATURE_PARAMETERS_WORDS.split())
_NO_HEADERS = SIGNATURE_PARAMETERS | _NOT_HOISTED


_CHANGING = ("PUT", "POST", "DELETE")
_ETAGS = frozenset({"if-match", "if-none-match"})
_COPY_RANGE = "x-amz-copy-source-range"
_SAY_WHEN = _ETAGS | {"if-modified-since", "if-unmodified-since", "content-range", _COPY_RANGE}
_ALLOWED = {
    **dict.fromkeys(CONDITIONAL_WRITES, _ETAGS),
    Operation.UPLOAD_PART_COPY: frozenset({_COPY_RANGE}),
}


def is_hoisted(name: str) -> bool:
    """Whether a parameter of the query, in lower case, counts as the header of that name."""
    return name.startswith("x-amz-") and name not in _NO_HEADERS


def with_hoisted(headers: Mapping[str, str], hoisted: Sequence[tuple[str, str]]) -> Mapping[str, str]:
    """Headers by name, and with them those that a presigned address carries in its query.

    A header that was sent as such stands.

    Raises:
        S3Failure: ``InvalidArgument`` if the two say different things.
    """
    if not hoisted:
        return headers
    merged = dict(headers)
    for name, value in hoisted:
        if merged.setdefault(name, value) != value:
            raise S3Failure(
                "InvalidArgument",
                f"The query and a header give different values of {name}.",
                ArgumentName=name,
                ArgumentValue=value,
            )
    return merged


def refuse_misplaced(operation: Operation, headers: Mapping[str, str]) -> None:
    """Nothing, unless a request that changes something says when or how far, in words it isn't asked in.

    Whoever says so relies on it: without it another's object would be replaced, or cut off.

    Raises:
        S3Failure: ``NotImplemented``, which names the header.
    """
    if _SAY_WHEN.isdisjoint(headers) or operation.method not in _CHANGING:
        return
    allowed = _ALLOWED.get(operation, frozenset())
    for name in sorted(_SAY_WHEN.intersection(headers) - allowed):
        raise _not_implemented(name)


def refuse_unknown(headers: Mapping[str, str]) -> None:
    """Nothing, if we honour every ``x-amz-`` header among these.

    Raises:
        S3Failure: ``NotImplemented``, which names the header (encryption, redirects, requester pays,
            MFA, appends, and whatever is newer than this table).
    """
    for name in headers:
        if name[:6] != "x-amz-" or name in _KNOWN or name.startswith(_KNOWN_BEGINNINGS):
            continue
        if headers[name] in _HARMLESS.get(name, ()):
            continue
        raise _not_implemented(name)


def _not_implemented(name: str) -> S3Failure:
    return S3Failure(
        "NotImplemented",
        f"A header you provided implies functionality that is not implemented: {name}.",
        Header=name,
    )
