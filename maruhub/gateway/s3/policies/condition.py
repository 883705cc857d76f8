"""Conditions of the policy language: operators, keys, and what they decide.

An operator compares one key of the request with the values of the policy. Without the key a positive
comparison is false and a negated one true, as AWS has it; ``…IfExists`` is then always true.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from maruhub.gateway.s3.policies.wildcard import matches

_KEYS_WORDS = """
aws:currenttime aws:epochtime aws:referer aws:securetransport aws:sourceip aws:useragent aws:username
s3:delimiter s3:max-keys s3:object-lock-legal-hold s3:object-lock-mode
s3:object-lock-retain-until-date s3:prefix s3:versionid
"""
KEYS = frozenset(_KEYS_WORDS.split())
KEY_BEGINNINGS = ("s3:x-amz-", "s3:existingobjecttag/", "s3:requestobjecttag/")
# Behind these the key is a user's own word, in which case counts.
_TAG_KEYS = ("s3:existingobjecttag/", "s3:requestobjecttag/")

_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,9})?", re.ASCII)
_DATE = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[Tt](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)([Zz]|[+-]\d{2}:?\d{2})?)?", re.ASCII
)

Value = str | float | bool | ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Condition:
    """One key compared with some values by one operator.

    Attributes:
        operator: As in ``OPERATORS``, without ``IfExists``.
        if_exists: Whether a request without the key passes.
        key: In lower case, but for a tag's own name.
        values: Read by the operator; one must fit (of a negated operator: none may).
    """

    operator: str
    if_exists: bool
    key: str
    values: tuple[Value, ...]

    def holds(self, keys: Mapping[str, str]) -> bool:
        """Whether a request with these keys passes."""
        operator = OPERATORS[self.operator]
        given = keys.get(self.key)
        if self.operator == "Null":
            return any((given is None) is wanted for wanted in self.values)
        if given is None:
            return self.if_exists or operator.negated
        return self._fits(operator, given) is not operator.negated

    def _fits(self, operator: Operator, given: str) -> bool:
        try:
            read = operator.read_given(given)
        except ValueError:
            return False
        return any(operator.compare(read, wanted) for wanted in self.values)


@dataclass(frozen=True)
class Operator:
    """How a policy's text becomes a value, a request's becomes one, and when they fit.

    ``read`` and ``read_given`` raise ValueError for what they can't read.
    """

    read: Callable[[str], Value]
    read_given: Callable[[str], object]
    compare: Callable[[object, Value], bool]
    negated: bool = False


def condition_key(name: str) -> str | None:
    """A key as ``Condition.key`` has it; None if it is none that we know."""
    lowered = name.lower()
    if lowered in KEYS:
        return lowered
    for beginning in KEY_BEGINNINGS:
        if lowered.startswith(beginning) and len(name) > len(beginning):
            return beginning + name[len(beginning) :] if beginning in _TAG_KEYS else lowered
    return None


def _text(text: str) -> str:
    return text


def _lower(text: str) -> str:
    return text.casefold()


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError("not a number")
    return float(text)


def _date(text: str) -> float:
    """Seconds since 1970, of a date in ISO 8601 (UTC where it names no zone) or of such a number."""
    match = _DATE.fullmatch(text)
    if match is None:
        return _number(text)
    day, time, zone = match.groups()
    zone = "+00:00" if zone in (None, "Z", "z") else zone
    return datetime.fromisoformat(f"{day}T{time or '00:00'}{zone}").timestamp()


def _bool(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("not true or false")
    return text.lower() == "true"


def _network(text: str) -> Value:
    return ipaddress.ip_network(text, strict=False)


def _address(text: str) -> object:
    address = ipaddress.ip_address(text)
    mapped = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped


def _same(given: object, wanted: Value) -> bool:
    return given == wanted


def _like(given: object, wanted: Value) -> bool:
    return matches(str(wanted), str(given))


def _within(given: object, wanted: Value) -> bool:
    return not isinstance(wanted, (str, float, bool)) and given in wanted


def _less(given: object, wanted: Value) -> bool:
    return isinstance(given, float) and isinstance(wanted, float) and given < wanted


def _at_most(given: object, wanted: Value) -> bool:
    return _less(given, wanted) or given == wanted


def _greater(given: object, wanted: Value) -> bool:
    return isinstance(given, float) and isinstance(wanted, float) and given > wanted


def _at_least(given: object, wanted: Value) -> bool:
    return _greater(given, wanted) or given == wanted


def _ordered(kind: str, read: Callable[[str], float]) -> dict[str, Operator]:
    return {
        f"{kind}Equals": Operator(read, read, _same),
        f"{kind}NotEquals": Operator(read, read, _same, negated=True),
        f"{kind}LessThan": Operator(read, read, _less),
        f"{kind}LessThanEquals": Operator(read, read, _at_most),
        f"{kind}GreaterThan": Operator(read, read, _greater),
        f"{kind}GreaterThanEquals": Operator(read, read, _at_least),
    }


OPERATORS: Mapping[str, Operator] = {
    "StringEquals": Operator(_text, _text, _same),
    "StringNotEquals": Operator(_text, _text, _same, negated=True),
    "StringEqualsIgnoreCase": Operator(_lower, _lower, _same),
    "StringNotEqualsIgnoreCase": Operator(_lower, _lower, _same, negated=True),
    "StringLike": Operator(_text, _text, _like),
    "StringNotLike": Operator(_text, _text, _like, negated=True),
    **_ordered("Numeric", _number),
    **_ordered("Date", _date),
    "Bool": Operator(_bool, _bool, _same),
    "IpAddress": Operator(_network, _address, _within),
    "NotIpAddress": Operator(_network, _address, _within, negated=True),
    "Null": Operator(_bool, _bool, _same),
}
