"""Settings of a bucket: read from documents, and answered.

Those with rules of their own (CORS, lifecycle, policies) have files of their own. What we don't do is
answered as a bucket of S3 without that setting would be: see ``fixed_answer``.
"""

from __future__ import annotations

from dataclasses import dataclass

from maruhub.gateway.s3.documents.element import Element, malformed, read_document
from maruhub.gateway.s3.documents.text import document, element, escape
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.object_lock import DefaultRetention
from maruhub.gateway.s3.operation import Operation

_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")

_NOTIFICATIONS = (
    "TopicConfiguration",
    "QueueConfiguration",
    "CloudFunctionConfiguration",
    "EventBridgeConfiguration",
)

_FIXED = {
    Operation.GET_BUCKET_OWNERSHIP_CONTROLS: (
        "OwnershipControls",
        "<Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>",
    ),
    Operation.GET_BUCKET_NOTIFICATION_CONFIGURATION: ("NotificationConfiguration", ""),
    Operation.GET_BUCKET_LOGGING: ("BucketLoggingStatus", ""),
    Operation.GET_BUCKET_ACCELERATE_CONFIGURATION: ("AccelerateConfiguration", ""),
    Operation.GET_BUCKET_REQUEST_PAYMENT: ("RequestPaymentConfiguration", "<Payer>BucketOwner</Payer>"),
    **{
        operation: (f"{operation.api_name}Result", "<IsTruncated>false</IsTruncated>")
        for operation in (
            Operation.LIST_BUCKET_ANALYTICS_CONFIGURATIONS,
            Operation.LIST_BUCKET_INVENTORY_CONFIGURATIONS,
            Operation.LIST_BUCKET_METRICS_CONFIGURATIONS,
            Operation.LIST_BUCKET_INTELLIGENT_TIERING_CONFIGURATIONS,
        )
    },
}
_FAILING = {
    Operation.GET_BUCKET_ENCRYPTION: "ServerSideEncryptionConfigurationNotFoundError",
    Operation.GET_BUCKET_WEBSITE: "NoSuchWebsiteConfiguration",
    Operation.GET_BUCKET_REPLICATION: "ReplicationConfigurationNotFoundError",
    Operation.GET_BUCKET_ANALYTICS_CONFIGURATION: "NoSuchConfiguration",
    Operation.GET_BUCKET_INVENTORY_CONFIGURATION: "NoSuchConfiguration",
    Operation.GET_BUCKET_METRICS_CONFIGURATION: "NoSuchConfiguration",
    Operation.GET_BUCKET_INTELLIGENT_TIERING_CONFIGURATION: "NoSuchConfiguration",
    Operation.DELETE_BUCKET_ANALYTICS_CONFIGURATION: "NoSuchConfiguration",
    Operation.DELETE_BUCKET_INVENTORY_CONFIGURATION: "NoSuchConfiguration",
    Operation.DELETE_BUCKET_METRICS_CONFIGURATION: "NoSuchConfiguration",
    Operation.DELETE_BUCKET_INTELLIGENT_TIERING_CONFIGURATION: "NoSuchConfiguration",
}
# What may be put if it says what is so anyway: document, element and word.
_AS_IT_IS = {
    Operation.PUT_BUCKET_LOGGING: ("BucketLoggingStatus", "LoggingEnabled", None),
    Operation.PUT_BUCKET_REQUEST_PAYMENT: ("RequestPaymentConfiguration", "Payer", "BucketOwner"),
    Operation.PUT_BUCKET_ACCELERATE_CONFIGURATION: ("AccelerateConfiguration", "Status", "Suspended"),
}
# What was never there is gone: 204 without a body.
_NOTHING_THERE = frozenset(
    {
        Operation.DELETE_BUCKET_ENCRYPTION,
        Operation.DELETE_BUCKET_WEBSITE,
        Operation.DELETE_BUCKET_REPLICATION,
    }
)


@dataclass(frozen=True)
class PublicAccessBlock:
    """Which public access is blocked, whatever ACLs and policies say."""

    block_public_acls: bool = False
    ignore_public_acls: bool = False
    block_public_policy: bool = False
    restrict_public_buckets: bool = False


def fixed_answer(operation: Operation, body: bytes = b"") -> tuple[int, bytes]:
    """Status and body of an operation whose ``support`` is ``FIXED``; the bucket must exist.

    Raises:
        S3Failure: as the answer, or for a body that asks for more than is so anyway.
    """
    if operation in _FAILING:
        raise S3Failure(_FAILING[operation])
    if operation in _NOTHING_THERE:
        return 204, b""
    # What may be put if it says what is so anyway.
    if operation is Operation.PUT_BUCKET_OWNERSHIP_CONTROLS:
        check_ownership(body)
        return 200, b""
    if operation is Operation.PUT_BUCKET_NOTIFICATION_CONFIGURATION:
        check_notification(body)
        return 200, b""
    if operation in _AS_IT_IS:
        _check_as_it_is(operation, body)
        return 200, b""
    name, content = _FIXED[operation]
    return 200, document(name, content)


def versioning(enabled: bool | None) -> bytes:
    """The answer of GetBucketVersioning; None: it was never set."""
    status = None if enabled is None else "Enabled" if enabled else "Suspended"
    return document("VersioningConfiguration", element("Status", status))


def location(region: str) -> bytes:
    """The answer of GetBucketLocation; of the default region, ``us-east-1``, it is empty."""
    return document("LocationConstraint", "" if region == "us-east-1" else escape(region))


def object_lock(default: DefaultRetention | None) -> bytes:
    """The answer of GetObjectLockConfiguration for a bucket with object lock."""
    content = "<ObjectLockEnabled>Enabled</ObjectLockEnabled>"
    if default is not None:
        time = element("Days", default.days or None) + element("Years", default.years or None)
        mode = element("Mode", default.mode.value)
        content += f"<Rule><DefaultRetention>{mode}{time}</DefaultRetention></Rule>"
    return document("ObjectLockConfiguration", content)


def policy_status(public: bool) -> bytes:
    """The answer of GetBucketPolicyStatus."""
    return document("PolicyStatus", f"<IsPublic>{'true' if public else 'false'}</IsPublic>")


def public_access_block(block: PublicAccessBlock) -> bytes:
    """The answer of GetPublicAccessBlock."""
    values = (
        block.block_public_acls,
        block.ignore_public_acls,
        block.block_public_policy,
        block.restrict_public_buckets,
    )
    content = "".join(element(n, "true" if v else "false") for n, v in zip(_BLOCKS, values, strict=True))
    return document("PublicAccessBlockConfiguration", content)


def read_public_access_block(raw: bytes) -> PublicAccessBlock:
    """What is to be blocked; what isn't named isn't. Raises: S3Failure: ``MalformedXML``."""
    root = read_document(raw, "PublicAccessBlockConfiguration").only(*_BLOCKS)
    return PublicAccessBlock(*(root.truth(name) for name in _BLOCKS))


def check_ownership(raw: bytes) -> None:
    """Nothing, if it says what is so anyway: the bucket's owner owns all, ACLs are disabled.

    Raises:
        S3Failure: ``MalformedXML``; ``NotImplemented`` for another ownership.
    """
    root = read_document(raw, "OwnershipControls").only("Rule")
    rule = root.one("Rule")
    words = ("BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter")
    found = None if rule is None else rule.only("ObjectOwnership").word("ObjectOwnership", words)
    if found is None:
        raise malformed("OwnershipControls have a Rule with an ObjectOwnership.")
    if found != words[0]:
        raise S3Failure("NotImplemented", "ACLs are disabled here: ownership is BucketOwnerEnforced.")


def _check_as_it_is(operation: Operation, raw: bytes) -> None:
    """Nothing, if it says what is so anyway. Raises: S3Failure: ``MalformedXML``, ``NotImplemented``."""
    name, child, word = _AS_IT_IS[operation]
    found = read_document(raw, name).only(child).one(child)
    if (found.text.strip() if found is not None else None) != word:
        raise S3Failure(
            "NotImplemented", f"{operation.api_name} is not implemented but for what is so anyway."
        )


def check_notification(raw: bytes) -> None:
    """Nothing, if no notification is asked for. Raises: S3Failure: ``MalformedXML``, ``NotImplemented``."""
    root = read_document(raw, "NotificationConfiguration").only(*_NOTIFICATIONS)
    if root.children:
        raise S3Failure("NotImplemented", "Notifications are not implemented.")


def check_acl(raw: bytes, owner: str) -> None:
    """Nothing, if an ACL gives the owner full control and nobody else anything.

    Raises:
        S3Failure: ``MalformedACLError`` for what is no ACL, ``AccessControlListNotSupported`` for any
            other, as AWS with ACLs disabled.
    """
    try:
        root = read_document(raw, "AccessControlPolicy").only("Owner", "AccessControlList")
        listed = root.one("AccessControlList")
        grants = [] if listed is None else listed.only("Grant").children
        ids = [_grantee(grant.only("Grantee", "Permission")) for grant in grants]
    except S3Failure as wrong:
        raise S3Failure("MalformedACLError", wrong.message) from None
    if listed is None:
        raise S3Failure("MalformedACLError")
    if not ids or any(given != (owner, "FULL_CONTROL") for given in ids):
        raise S3Failure("AccessControlListNotSupported", "The bucket does not allow ACLs")


def _grantee(grant: Element) -> tuple[str, str]:
    grantee = grant.one("Grantee")
    rights = ("FULL_CONTROL", "WRITE", "WRITE_ACP", "READ", "READ_ACP")
    right = grant.word("Permission", rights)
    if grantee is None or right is None:
        raise malformed("A Grant has a Grantee and a Permission.")
    grantee.only("ID", "DisplayName", "EmailAddress", "URI")
    return grantee.word("ID") or "", right
