"""Which rights a request needs, what policies may ask about it, and what canned ACLs grant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from maruhub.gateway.need import Need
from maruhub.gateway.s3.documents.requests import (
    ObjectToDelete,
    read_legal_hold,
    read_retention,
    read_tagging,
)
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.object_lock import HOLD, MODE, UNTIL, to_iso_date
from maruhub.gateway.s3.operation import CONDITIONAL_WRITES, READS, Operation
from maruhub.gateway.s3.policies.condition import Condition
from maruhub.gateway.s3.policies.policy import ANYONE, Statement, arn
from maruhub.gateway.s3.properties import read_copy_source
from maruhub.gateway.s3.route import Asked

BYPASS = "s3:BypassGovernanceRetention"
_OF_VERSION = {
    "s3:GetObject": "s3:GetObjectVersion",
    "s3:DeleteObject": "s3:DeleteObjectVersion",
    "s3:GetObjectAcl": "s3:GetObjectVersionAcl",
    "s3:PutObjectAcl": "s3:PutObjectVersionAcl",
    "s3:GetObjectTagging": "s3:GetObjectVersionTagging",
    "s3:PutObjectTagging": "s3:PutObjectVersionTagging",
    "s3:DeleteObjectTagging": "s3:DeleteObjectVersionTagging",
    "s3:GetObjectAttributes": "s3:GetObjectVersionAttributes",
}
# What a header of a write asks for beside the write.
_BY_HEADER = {
    "x-amz-tagging": "s3:PutObjectTagging",
    MODE: "s3:PutObjectRetention",
    HOLD: "s3:PutObjectLegalHold",
    "x-amz-acl": "s3:PutObjectAcl",
}
_COPIES = (Operation.COPY_OBJECT, Operation.UPLOAD_PART_COPY)
# Policies name them so, in headers and documents alike.
_KEY_OF = {name: f"s3:{name.removeprefix('x-amz-')}" for name in (MODE, HOLD, UNTIL)}
_WRITES = (Operation.PUT_OBJECT, Operation.COPY_OBJECT, Operation.CREATE_MULTIPART_UPLOAD)
# Whose rights are known only when the body is: see ``deletion_needs`` and the form's key.
_BY_BODY = frozenset({Operation.DELETE_OBJECTS, Operation.POST_OBJECT, Operation.PREFLIGHT})
_PARAMETER_KEYS = ("prefix", "delimiter", "max-keys")


def resource_of(need: Need) -> str:
    """What a right is about, as policies name it. All buckets together are ``arn:aws:s3:::*``."""
    return arn(need.bucket or "*", need.key)


def needs(asked: Asked) -> tuple[Need, ...]:
    """The rights that a request needs, each of them.

    None for a preflight, which asks for nothing; none for DeleteObjects and form uploads, whose
    bodies say what they act on.

    Raises:
        S3Failure: ``InvalidArgument`` for a copy's source that can't be read.
    """
    operation = asked.operation
    if operation in _BY_BODY:
        return ()
    version = asked.version_id
    own = Need(of_version(operation.action, version), asked.bucket, asked.key, version)
    if operation in READS:
        return (own,)
    found = [own]
    if operation is Operation.GET_OBJECT_ATTRIBUTES:
        found.append(Need(of_version("s3:GetObject", version), asked.bucket, asked.key, version))
    if operation in _COPIES:
        source = read_copy_source(asked.headers["x-amz-copy-source"])
        action = of_version("s3:GetObject", source.version_id)
        found.append(Need(action, source.bucket, source.key, source.version_id))
    if operation in _WRITES:
        found += [
            Need(action, asked.bucket, asked.key)
            for header, action in _BY_HEADER.items()
            if asked.headers.get(header)
        ]
    if operation in CONDITIONAL_WRITES and _asks_what_is_there(asked):
        found.append(Need(of_version("s3:GetObject", version), asked.bucket, asked.key, version))
    return tuple(found)


def _asks_what_is_there(asked: Asked) -> bool:
    """By an ETag, of which the answer tells; that there is something may be asked by whoever may delete it."""
    wanted = asked.headers.get("if-match")
    return wanted is not None and (asked.operation is not Operation.DELETE_OBJECT or wanted.strip() != "*")


def deletion_needs(bucket: str, doomed: ObjectToDelete) -> tuple[Need, ...]:
    """The rights that one key of DeleteObjects needs: to read it too, if an ETag is its condition."""
    actions = ["s3:DeleteObject"]
    if doomed.etag not in (None, "*"):
        actions.append("s3:GetObject")
    version = doomed.version_id
    return tuple(Need(of_version(action, version), bucket, doomed.key, version) for action in actions)


def bypasses_governance(headers: Mapping[str, str]) -> bool:
    """Whether a request would shorten a GOVERNANCE retention; needs the right ``BYPASS`` to succeed."""
    return headers.get("x-amz-bypass-governance-retention", "").lower() == "true"


def policy_keys(
    asked: Asked,
    *,
    user: str,
    client_address: str,
    scheme: str,
    now_us: int,
    object_tags: Mapping[str, str] | None = None,
    request_tags: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The condition keys of a request, as policies compare them.

    Args:
        asked: The request.
        user: Empty without a signature.
        client_address: The peer's address, without its port.
        scheme: ``http`` or ``https``.
        now_us: Microseconds since 1970.
        object_tags: Of the object as it is, if a policy ``reads_object_tags``.
        request_tags: Those that the request gives.
    """
    keys = {
        "aws:currenttime": to_iso_date(now_us),
        "aws:epochtime": str(now_us // 1_000_000),
        "aws:securetransport": "true" if scheme == "https" else "false",
    }
    if client_address:
        keys["aws:sourceip"] = client_address
    if user:
        keys["aws:username"] = user
    for header, key in (("user-agent", "aws:useragent"), ("referer", "aws:referer")):
        if header in asked.headers:
            keys[key] = asked.headers[header]
    keys |= {f"s3:{name}": asked.parameters[name] for name in _PARAMETER_KEYS if name in asked.parameters}
    if asked.version_id is not None:
        keys["s3:versionid"] = asked.version_id
    keys |= {f"s3:{name}": value for name, value in asked.headers.items() if name.startswith("x-amz-")}
    if asked.operation in _COPIES:
        # However it is written: with a slash before it, encoded more than it has to be, a version behind it.
        source = read_copy_source(asked.headers["x-amz-copy-source"])
        keys["s3:x-amz-copy-source"] = f"{source.bucket}/{source.key}"
    keys |= {key: asked.headers[name] for name, key in _KEY_OF.items() if name in asked.headers}
    keys |= {f"s3:existingobjecttag/{name}": value for name, value in (object_tags or {}).items()}
    keys |= {f"s3:requestobjecttag/{name}": value for name, value in (request_tags or {}).items()}
    return keys


def document_keys(operation: Operation, body: bytes, *, now_us: int) -> dict[str, str]:
    """The condition keys of what a document asks for, where a write would ask for it in a header.

    A document that can't be read gives none: it sets nothing either.
    """
    try:
        if operation is Operation.PUT_OBJECT_TAGGING:
            return {f"s3:requestobjecttag/{name}": value for name, value in read_tagging(body).items()}
        if operation is Operation.PUT_OBJECT_LEGAL_HOLD:
            return {_KEY_OF[HOLD]: "ON" if read_legal_hold(body) else "OFF"}
        if operation is Operation.PUT_OBJECT_RETENTION:
            asked = read_retention(body, now_us=now_us)
            if asked is not None:
                return {_KEY_OF[MODE]: asked.mode.value, _KEY_OF[UNTIL]: to_iso_date(asked.until_us)}
    except S3Failure:
        pass
    return {}


def canned_acl_statements(acl: str, bucket: str, key: str = "") -> tuple[Statement, ...]:
    """What a canned ACL grants beyond its owner's full rights, as statements of a bucket's policy.

    Those that name AWS's own services, or the owner, grant nothing more here.
    """
    if acl not in ("public-read", "public-read-write", "authenticated-read"):
        return ()
    signed = (Condition("Null", False, "aws:username", (False,)),) if acl == "authenticated-read" else ()
    if key:
        get = ("s3:getobject", "s3:getobjectversion")
        return (replace(_grant(get, arn(bucket, key), signed), literal=True),)
    read = ("s3:listbucket", "s3:listbucketversions", "s3:listbucketmultipartuploads")
    statements = [_grant(read, arn(bucket), signed)]
    if acl == "public-read-write":
        statements.append(_grant(("s3:putobject", "s3:deleteobject"), f"{arn(bucket)}/*", ()))
    return tuple(statements)


def _grant(actions: tuple[str, ...], resource: str, conditions: tuple[Condition, ...]) -> Statement:
    return Statement(True, frozenset({ANYONE}), actions, (resource,), conditions=conditions)


def of_version(action: str, version_id: str | None) -> str:
    """The right that an action needs, should a version be named."""
    return action if version_id is None else _OF_VERSION.get(action, action)
