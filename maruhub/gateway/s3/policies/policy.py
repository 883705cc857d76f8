"""Policies: who may do what, as values, and what they decide of a request.

An explicit deny wins over every allow; without either there is no decision, and whoever asked falls
back on ownership. ``policy_document`` reads the language.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network

from maruhub.gateway.need import TRAIN
from maruhub.gateway.s3.operation import Operation
from maruhub.gateway.s3.policies.condition import Condition, Value
from maruhub.gateway.s3.policies.wildcard import matches, meets

ARN = "arn:aws:s3:::"
ANYONE = "*"
_TAG_KEY = "s3:existingobjecttag/"
_BITS_V4, _BITS_V6 = 8, 32

# Rights that no operation's name has: of versions, of what headers ask beside the operation, and
# of the batch door: runs over a dataset's version.
OBJECT_ACTIONS = frozenset(
    {o.action for o in Operation if o.place.value == "object"}
    | {
        "s3:BypassGovernanceRetention",
        "s3:DeleteObjectVersion",
        "s3:DeleteObjectVersionTagging",
        "s3:GetObjectVersion",
        "s3:GetObjectVersionAcl",
        "s3:GetObjectVersionAttributes",
        "s3:GetObjectVersionTagging",
        "s3:GetObjectVersionTorrent",
        "s3:PutObjectVersionAcl",
        "s3:PutObjectVersionTagging",
        TRAIN,
    }
)
# DeleteObjects and a form upload act on objects, though their address is a bucket's.
BUCKET_ACTIONS = frozenset(o.action for o in Operation if o.action.startswith("s3:")) - OBJECT_ACTIONS
ACTIONS = OBJECT_ACTIONS | BUCKET_ACTIONS


class Decision(enum.Enum):
    """What policies say of a request."""

    ALLOW = "allow"
    DENY = "deny"
    NONE = "none"


@dataclass(frozen=True)
class Statement:
    """One sentence of a policy.

    Attributes:
        allow: Whether it allows; else it denies.
        principals: Names of users, or ``*`` for everyone, also without a name. None in a policy that
            belongs to a user or a key: whoever has it is meant.
        actions: Patterns in lower case.
        not_actions: Whether it speaks of all actions but those.
        resources: Patterns of ARNs.
        not_resources: Whether it speaks of all resources but those.
        conditions: All must hold.
        sid: Its name, if it has one.
        literal: Whether ``*`` and ``?`` in resources are characters like others: an ACL is about one key.
    """

    allow: bool
    principals: frozenset[str] | None
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_actions: bool = False
    not_resources: bool = False
    conditions: tuple[Condition, ...] = ()
    sid: str = ""
    literal: bool = False

    def speaks_of(self, request: PolicyRequest) -> bool:
        """Whether the statement is about this request."""
        return (
            (self.principals is None or ANYONE in self.principals or request.user in self.principals)
            and any(matches(a, request.action.lower()) for a in self.actions) is not self.not_actions
            and self._names(request) is not self.not_resources
            and all(condition.holds(request.keys) for condition in self.conditions)
        )

    def _names(self, request: PolicyRequest) -> bool:
        resource = request.resource
        if self.literal:
            return resource in self.resources
        if request.whole and not self.allow and not self.not_resources:
            return any(meets(r, resource) for r in self.resources)
        return any(matches(r, resource) for r in self.resources)


@dataclass(frozen=True)
class Policy:
    """A whole policy; ``text`` is the document as it was put, which is how it is got again."""

    statements: tuple[Statement, ...]
    text: str = ""

    @property
    def has_conditions(self) -> bool:
        """Whether a decision needs any of the condition keys of ``policy_keys``."""
        return any(s.conditions for s in self.statements)

    @property
    def reads_object_tags(self) -> bool:
        """Whether a decision needs the tags of the object: ``s3:existingobjecttag/NAME`` in the keys."""
        return any(c.key.startswith(_TAG_KEY) for s in self.statements for c in s.conditions)

    @property
    def is_public(self) -> bool:
        """Whether it allows something to everyone, unless addresses or names of users bound it."""
        bounds = {"aws:sourceip", "aws:username"}
        return any(
            s.allow
            and s.principals is not None
            and ANYONE in s.principals
            and not any(c.key in bounds and not c.if_exists and _is_positive(c) for c in s.conditions)
            for s in self.statements
        )


@dataclass(frozen=True)
class PolicyRequest:
    """What a decision is about.

    Attributes:
        user: Name of the user; empty for a request without a signature.
        action: As in ``ACTIONS``.
        resource: ``arn:aws:s3:::bucket`` or ``arn:aws:s3:::bucket/key``.
        keys: Condition keys in lower case (but for the names of tags), by ``policy_keys``.
        whole: Whether all that begins with the resource is asked for: who denies a part of it denies that.
    """

    user: str
    action: str
    resource: str
    keys: Mapping[str, str] = field(default_factory=dict)
    whole: bool = False


def arn(bucket: str, key: str = "") -> str:
    """The resource that a bucket or an object is."""
    return f"{ARN}{bucket}/{key}" if key else f"{ARN}{bucket}"


def evaluate(statements: Iterable[Statement], request: PolicyRequest) -> Decision:
    """What the statements of all policies that count decide; an explicit deny wins."""
    decision = Decision.NONE
    for statement in statements:
        if statement.allow and decision is Decision.ALLOW:
            continue
        if statement.speaks_of(request):
            if not statement.allow:
                return Decision.DENY
            decision = Decision.ALLOW
    return decision


def _is_positive(condition: Condition) -> bool:
    if condition.operator == "IpAddress":
        return all(map(_bounds, condition.values))
    return condition.operator == "StringEquals"


def _bounds(network: Value) -> bool:
    """Whether a network is small enough to be no public, as S3 has it; two halves of all are everybody."""
    if isinstance(network, IPv4Network):
        return network.prefixlen >= _BITS_V4
    return isinstance(network, IPv6Network) and (network.prefixlen >= _BITS_V6 or network.is_private)
