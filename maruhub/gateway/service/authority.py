"""Who may do what: policies of buckets, users and keys, canned ACLs, ownership.

An admin's key may everything; the owner of a bucket everything in it; others what policies give.
An explicit deny wins over every allow (but an admin's); only a bucket's own policy can't keep its owner from
reading, replacing and deleting it, so that nobody locks themselves out. A key with a policy of its own may do
what that says and nothing else, whoever owns the bucket.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from maruhub.errors import InvalidName, MaruError, NoSuchBucket
from maruhub.gateway.need import ADMIN, Need
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.operation import READS
from maruhub.gateway.s3.permission import (
    canned_acl_statements,
    document_keys,
    needs,
    policy_keys,
    resource_of,
)
from maruhub.gateway.s3.policies.document import read_policy
from maruhub.gateway.s3.policies.policy import Decision, Policy, PolicyRequest, Statement, evaluate
from maruhub.gateway.s3.properties import read_copy_source
from maruhub.gateway.s3.tags import read_tagging_header
from maruhub.gateway.service.request import Request
from maruhub.namespace import Namespace
from maruhub.namespace.bucket import Bucket
from maruhub.namespace.object import ObjectInfo

HUB = "hub"
"""Whose a bucket is that belongs to no user."""

ACCOUNT = "000000000000"
"""The one account there is, as ARNs in policies may name it."""

_EVERY_USER = frozenset({"s3:CreateBucket", "s3:ListAllMyBuckets"})
"""What whoever has a key may do without a policy."""


_OF_THE_POLICY = frozenset({"s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"})
"""What a bucket's policy can't deny the bucket's owner."""


class Authority:
    """Decides for one request; made anew for each.

    Args:
        request: The request.
        buckets: Those that were read at this moment for others, by name; more are added.
    """

    def __init__(self, request: Request, buckets: dict[str, Bucket] | None = None) -> None:
        self._request = request
        self._names: Namespace = request.names
        self._buckets = {} if buckets is None else buckets
        self._current: tuple[Bucket, ObjectInfo | None] | None = None

    def require_all(self) -> None:
        """Nothing, if the caller may do what is asked.

        Raises:
            S3Failure: ``AccessDenied``; ``NoSuchBucket`` where there is none.
        """
        for need in needs(self._request.asked):
            self.require(need)
        self._require_owners()

    def _require_owners(self) -> None:
        """Nothing, if the buckets belong to whom the request says they do, where it says so."""
        headers = self._request.asked.headers
        expected = headers.get("x-amz-expected-bucket-owner")
        if expected is not None and self._request.bucket not in ("", "dataset"):
            self._require_owner(self._request.bucket, expected)
        expected = headers.get("x-amz-source-expected-bucket-owner")
        if expected is not None and "x-amz-copy-source" in headers:
            self._require_owner(read_copy_source(headers["x-amz-copy-source"]).bucket, expected)

    def _require_owner(self, bucket: str, expected: str) -> None:
        if expected not in (self.bucket(bucket).owner or HUB, ACCOUNT):
            raise S3Failure("AccessDenied", "The bucket does not belong to the owner that was expected.")

    def require(self, need: Need) -> None:
        """The same for one right."""
        if not self.allows(need):
            raise S3Failure("AccessDenied")

    def allows(self, need: Need) -> bool:
        """Whether the caller has a right. Raises NoSuchBucket."""
        caller = self._request.caller
        if caller.admin and caller.key_policy is None:
            return True
        if need.action == ADMIN and not caller.admin:
            return False  # whatever a policy says of all actions, or of all but some
        bucket = self._bucket(need)
        if caller.key_policy is not None:
            own = _policy(caller.key_policy, None).statements
            if self._decision(own, need) is not Decision.ALLOW:
                return False
            if caller.admin:
                return True
            return self._decision(self._statements(bucket, need), need) is not Decision.DENY
        decision = self._decision(self._statements(bucket, need), need)
        if decision is not Decision.NONE:
            return decision is Decision.ALLOW
        if caller.anonymous:
            return False
        return need.action in _EVERY_USER or (bucket is not None and bucket.owner == caller.user)

    def require_of_new(self, need: Need) -> None:
        """As :meth:`require`, of a bucket that is about to be the caller's.

        Its owner may, unless a policy of the user or the key says otherwise.
        """
        caller = self._request.caller
        if caller.key_policy is not None:
            own = _policy(caller.key_policy, None).statements
            if self._decision(own, need) is not Decision.ALLOW:
                raise S3Failure("AccessDenied")
        if not caller.admin and self._decision(self._statements(None, need), need) is Decision.DENY:
            raise S3Failure("AccessDenied")

    def denies(self, need: Need) -> bool:
        """Whether a policy denies a right, whatever others allow."""
        caller = self._request.caller
        if caller.key_policy is not None:
            own = _policy(caller.key_policy, None).statements
            if self._decision(own, need) is Decision.DENY:
                return True
        if caller.admin:
            return False
        return self._decision(self._statements(self._bucket(need), need), need) is Decision.DENY

    def _decision(self, given: Iterable[Statement], need: Need) -> Decision:
        statements = tuple(given)
        if not statements:
            # What policies may ask about a request takes time to say; most buckets have none.
            return Decision.NONE
        user = self._request.caller.user
        keys, whole = self._keys(need), _is_version(need)
        return evaluate(statements, PolicyRequest(user, need.action, resource_of(need), keys, whole=whole))

    def bucket(self, name: str) -> Bucket:
        """A bucket; raises NoSuchBucket, S3Failure for what can't name one."""
        found = self._buckets.get(name)
        if found is None:
            asked = self._request.asked
            # What is read next is looked up with its bucket.
            if name == asked.bucket and asked.operation in READS and asked.version_id is None:
                return self.current()[0]
            try:
                found = self._buckets[name] = self._names.buckets.get(name)
            except InvalidName as wrong:
                raise bad_bucket_name(name, wrong) from None
        return found

    def current(self) -> tuple[Bucket, ObjectInfo | None]:
        """The bucket that is asked, and what the key holds: one look-up. Raises as :meth:`bucket`."""
        if self._current is None:
            name, key = self._request.asked.bucket, self._request.asked.key
            try:
                self._current = self._names.objects.find(name, key)
            except InvalidName as wrong:
                raise bad_bucket_name(name, wrong) from None
            self._buckets[name] = self._current[0]
        return self._current

    def _current_of(self, bucket: str, key: str) -> ObjectInfo | None:
        asked = self._request.asked
        if self._current is not None and (bucket, key) == (asked.bucket, asked.key):
            return self._current[1]
        return self._names.objects.find(bucket, key)[1]

    def owns(self, bucket: Bucket) -> bool:
        """Whether the caller is the bucket's owner, or an admin."""
        caller = self._request.caller
        return caller.admin or (not caller.anonymous and bucket.owner == caller.user)

    def _bucket(self, need: Need) -> Bucket | None:
        if not need.bucket or need.bucket == "dataset" or need.action == "s3:CreateBucket":
            return None
        return self.bucket(need.bucket)

    def _statements(self, bucket: Bucket | None, need: Need) -> Iterator[Statement]:
        if self._request.caller.user_policy is not None:
            yield from _policy(self._request.caller.user_policy, None).statements
        if bucket is None:
            return
        blocked = bucket.tail.get("public_access", {})
        text = bucket.tail.get("policy")
        if text is not None:
            policy = _policy(text, bucket.name)
            allows = not (blocked.get("RestrictPublicBuckets") and policy.is_public and not self.owns(bucket))
            denies = not self._keeps_hold(bucket, need)
            yield from (each for each in policy.statements if (allows if each.allow else denies))
        if not blocked.get("IgnorePublicAcls"):
            yield from canned_acl_statements(bucket.tail.get("acl", ""), bucket.name)
            if need.key and self._asks_for_reading(need):
                yield from canned_acl_statements(self._object_field(need, "acl") or "", bucket.name, need.key)

    def _keeps_hold(self, bucket: Bucket, need: Need) -> bool:
        """Whether it is the owner who asks for the policy itself, by a key that has none of its own."""
        return need.action in _OF_THE_POLICY and self.owns(bucket) and self._request.caller.key_policy is None

    @staticmethod
    def _asks_for_reading(need: Need) -> bool:
        return need.action in ("s3:GetObject", "s3:GetObjectVersion")

    def _keys(self, need: Need) -> Mapping[str, str]:
        request = self._request
        policies = self._policies(need)
        if not any(policy.has_conditions for policy in policies):
            # All that canned ACLs ask about; the rest costs time on every request.
            return {"aws:username": request.caller.user} if request.caller.user else {}
        tags = None
        if need.key and any(policy.reads_object_tags for policy in policies):
            tags = self._object_field(need, "tags")
        given = request.asked.headers.get("x-amz-tagging")
        keys = policy_keys(
            request.asked,
            user=request.caller.user,
            client_address=request.head.client.rpartition(":")[0].strip("[]"),
            scheme=request.head.scheme,
            now_us=request.now_us,
            object_tags=tags,
            request_tags=read_tagging_header(given) if given else None,
        )
        keys |= document_keys(request.asked.operation, request.body, now_us=request.now_us)
        keys |= need.parameters
        return keys if need.version_id is None else keys | {"s3:versionid": need.version_id}

    def _policies(self, need: Need) -> list[Policy]:
        """Those that may have a say: the key's, the user's, the bucket's."""
        caller, bucket = self._request.caller, self._buckets.get(need.bucket)
        found = [_policy(text, None) for text in (caller.key_policy, caller.user_policy) if text is not None]
        text = None if bucket is None else bucket.tail.get("policy")
        return found if text is None or bucket is None else [*found, _policy(text, bucket.name)]

    def _object_field(self, need: Need, name: str) -> Any:
        """A named field of the version that a right is about; None where there is none."""
        version = need.version_id
        info = self._current_of(need.bucket, need.key)
        if version is None or (info is not None and version == info.version_id):
            return None if info is None else info.tail.get(name)
        try:
            return self._names.versions.head(need.bucket, need.key, version).info.tail.get(name)
        except NoSuchBucket:
            raise
        except MaruError:
            return None


def _is_version(need: Need) -> bool:
    """Whether a dataset's version is asked for at once, with all its samples."""
    return need.bucket == "dataset" and need.key.endswith("/") and need.key.count("/") == 2


def bad_bucket_name(name: str, wrong: InvalidName) -> S3Failure:
    """What a client is told of a name that no bucket can have."""
    return S3Failure("InvalidBucketName", wrong.what, BucketName=name[:64])


@functools.lru_cache(maxsize=4096)
def _policy(text: str, bucket: str | None) -> Policy:
    """Policies are texts that were checked when they were put; here each is read once."""
    return read_policy(text.encode(), bucket=bucket, kept=True)


def allowed_buckets(authority: Authority, buckets: Iterable[Bucket]) -> list[Bucket]:
    """Those of the buckets that the caller owns, or may list."""
    return [
        bucket
        for bucket in buckets
        if authority.owns(bucket) or authority.allows(Need("s3:ListBucket", bucket.name))
    ]
