"""The policy of a form upload: what a browser may put, until when.

A document that whoever made the form has signed. Every field that the browser sends must fit a
condition of it, but for those that the signature itself needs.
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass

from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.object_lock import read_iso_date

POLICY_BYTES_MAX = 64 * 1024
_FREE = frozenset({"policy", "x-amz-signature", "signature", "awsaccesskeyid", "file", "submit"})
_LENGTH = "content-length-range"
_SIZE = re.compile(r"[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True)
class PostCondition:
    """One field that must be equal to a value, or begin with it."""

    name: str
    value: str
    begins: bool = False

    def fits(self, given: str) -> bool:
        """Whether a field's value fits. Of several in one field, as types of content, each must."""
        if not self.begins:
            return given == self.value
        if self.name == "content-type" and "," in given:
            return all(one.strip().startswith(self.value) for one in given.split(","))
        return given.startswith(self.value)


@dataclass(frozen=True)
class PostPolicy:
    """What a form may be used for.

    Attributes:
        expires_us: Until when, microseconds since 1970.
        conditions: Of the fields.
        least_bytes: Of the file.
        most_bytes: Of the file; None is any.
    """

    expires_us: int
    conditions: tuple[PostCondition, ...]
    least_bytes: int = 0
    most_bytes: int | None = None

    def check(self, fields: Mapping[str, str], *, now_us: int) -> None:
        """Nothing, if the fields fit (names in lower case, ``bucket`` among them).

        Raises:
            S3Failure: ``AccessDenied``, with what does not fit.
        """
        if now_us >= self.expires_us:
            raise _denied("Policy expired.")
        for condition in self.conditions:
            if not condition.fits(fields.get(condition.name, "")):
                sign = "starts-with" if condition.begins else "eq"
                shown = f'["{sign}", "${condition.name}", "{condition.value}"]'
                raise _denied(f"Policy Condition failed: {shown}")
        spoken_of = {condition.name for condition in self.conditions} | _FREE | {"bucket"}
        extra = [n for n in fields if n not in spoken_of and not n.startswith("x-ignore-")]
        if extra:
            raise _denied(f"Extra input fields: {', '.join(sorted(extra))[:512]}")

    def check_size(self, size_bytes: int, *, ended: bool) -> None:
        """Nothing, if so many bytes may be put. Raises: S3Failure: ``EntityTooLarge``, ``EntityTooSmall``."""
        if self.most_bytes is not None and size_bytes > self.most_bytes:
            raise S3Failure("EntityTooLarge", MaxSizeAllowed=str(self.most_bytes))
        if ended and size_bytes < self.least_bytes:
            raise S3Failure(
                "EntityTooSmall", MinSizeAllowed=str(self.least_bytes), ProposedSize=str(size_bytes)
            )


def read_post_policy(encoded: str) -> PostPolicy:
    """A policy from the form's field ``policy``.

    Raises:
        S3Failure: ``InvalidPolicyDocument``.
    """
    if len(encoded) > POLICY_BYTES_MAX:
        raise _invalid("It is too long.")
    try:
        document = json.loads(b64decode(encoded, validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise _invalid("It is not JSON in base64.") from None
    if not isinstance(document, dict) or not {"expiration", "conditions"} <= set(document):
        raise _invalid("It has an expiration and conditions.")
    conditions: list[PostCondition] = []
    bounds: tuple[int, int | None] = (0, None)
    given = document["conditions"]
    if not isinstance(given, list) or not isinstance(document["expiration"], str):
        raise _invalid("Its expiration is a date, its conditions are a list.")
    for each in given:
        if isinstance(each, list) and len(each) == 3 and each[0] == _LENGTH:
            bounds = _bounds(each)
        else:
            conditions += _conditions(each)
    try:
        expires_us = read_iso_date(document["expiration"], "expiration")
    except S3Failure:
        raise _invalid("Its expiration is not in ISO 8601.") from None
    return PostPolicy(expires_us, tuple(conditions), *bounds)


def _conditions(given: object) -> list[PostCondition]:
    if isinstance(given, dict) and given and all(isinstance(v, str) for v in given.values()):
        return [PostCondition(str(name).lower(), value) for name, value in given.items()]
    if isinstance(given, list) and len(given) == 3 and all(isinstance(part, str) for part in given):
        how, name, value = given
        if how.lower() in ("eq", "starts-with") and name.startswith("$"):
            return [PostCondition(name[1:].lower(), value, begins=how.lower() == "starts-with")]
    raise _invalid(f"This is no condition: {json.dumps(given)[:200]}")


def _bounds(given: list[object]) -> tuple[int, int]:
    least, most = (int(v) if isinstance(v, str) and _SIZE.fullmatch(v) else v for v in given[1:])
    if not (isinstance(least, int) and isinstance(most, int) and 0 <= least <= most):
        raise _invalid("A content-length-range is two sizes, the smaller one first.")
    return least, most


def _denied(why: str) -> S3Failure:
    return S3Failure("AccessDenied", f"Invalid according to Policy: {why}")


def _invalid(why: str) -> S3Failure:
    return S3Failure("InvalidPolicyDocument", f"Invalid Policy: {why}")
