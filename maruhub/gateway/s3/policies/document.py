"""The policy language, read from JSON: a subset, and whatever is outside it is refused.

A policy that was half understood would grant or deny what nobody meant, so each unknown word is
``MalformedPolicy``, which says what and where. ``docs/reference/policies.md`` is this subset.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.policies.condition import OPERATORS, Condition, Value, condition_key
from maruhub.gateway.s3.policies.policy import (
    ACTIONS,
    ANYONE,
    ARN,
    BUCKET_ACTIONS,
    OBJECT_ACTIONS,
    Policy,
    Statement,
)
from maruhub.gateway.s3.policies.wildcard import matches

POLICY_BYTES_MAX = 20 * 1024
_VERSIONS = ("2012-10-17", "2008-10-17")
_POLICY_WORDS = {"Version", "Id", "Statement"}
_STATEMENT_WORDS = {
    "Sid", "Effect", "Principal", "Action", "NotAction", "Resource", "NotResource", "Condition",
}  # fmt: skip
# All of an account, in AWS's words; a user of such a name is named by the ARN.
_ACCOUNT = re.compile(r"[0-9]{12}", re.ASCII)
_USER_ARN = re.compile(r"arn:aws:iam::(?:0{12})?:user/(.+)", re.DOTALL)


def read_policy(raw: bytes, *, bucket: str | None, kept: bool = False) -> Policy:
    """A policy from its document.

    Args:
        raw: JSON in UTF-8, at most 20 KiB.
        bucket: Whose policy it is; None for one of a user or key, which names no principal.
        kept: Whether it was taken before, maybe by rules that were less strict: what it meant by them it
            means still. Refused, it would keep everybody out of the bucket, and its owner from mending it.

    Raises:
        S3Failure: ``MalformedPolicy``.
    """
    if len(raw) > POLICY_BYTES_MAX:
        raise _wrong(
            f"Normalized policy document exceeds the maximum allowed size of {POLICY_BYTES_MAX} bytes."
        )
    document = _parse(raw)
    if not isinstance(document, dict):
        raise _wrong("Policies must be JSON objects.")
    _only(document, _POLICY_WORDS, "the policy")
    if document.get("Version", _VERSIONS[1]) not in _VERSIONS:
        raise _wrong(f"The policy must contain a valid version string: {' or '.join(_VERSIONS)}.")
    if not isinstance(document.get("Id", ""), str):
        raise _wrong("Id must be a text.")
    listed = document.get("Statement")
    statements = listed if isinstance(listed, list) else [listed]
    if listed is None or not statements:
        raise _wrong("Missing required field Statement.")
    read = tuple(_statement(s, f"statement {i}", bucket, kept) for i, s in enumerate(statements, 1))
    sids = [s.sid for s in read if s.sid]
    if len(set(sids)) != len(sids):
        raise _wrong("Statement IDs (Sid) in a single policy must be unique.")
    return Policy(read, raw.decode())


def _parse(raw: bytes) -> object:
    try:
        return json.loads(raw.decode(), object_pairs_hook=_object, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as wrong:
        raise _wrong(f"The policy is no JSON in UTF-8: {str(wrong)[:200]}") from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no number")


def _statement(given: object, where: str, bucket: str | None, kept: bool) -> Statement:
    if not isinstance(given, dict):
        raise _wrong(f"{where} must be an object.")
    _only(given, _STATEMENT_WORDS, where)
    sid = given.get("Sid", "")
    if not isinstance(sid, str):
        raise _wrong(f"Sid of {where} must be a text.")
    if given.get("Effect") not in ("Allow", "Deny"):
        raise _wrong(f"Effect of {where} must be Allow or Deny.")
    if bucket is None and "Principal" in given:
        raise _wrong(f"{where}: the policy of a user or key names no Principal.")
    actions, not_actions = _either(given, "Action", where)
    resources, not_resources = _either(given, "Resource", where)
    statement = Statement(
        allow=given["Effect"] == "Allow",
        principals=None if bucket is None else _principals(given.get("Principal"), where, kept=kept),
        actions=tuple(_action(action, where) for action in actions),
        resources=tuple(_resource(resource, where, bucket) for resource in resources),
        not_actions=not_actions,
        not_resources=not_resources,
        conditions=_conditions(given.get("Condition", {}), where),
        sid=sid,
    )
    if not not_actions and not not_resources:
        _check_meeting(statement, where)
    return statement


def _either(given: dict[str, object], word: str, where: str) -> tuple[tuple[str, ...], bool]:
    if (word in given) == (f"Not{word}" in given):
        raise _wrong(f"{where} must have {word} or Not{word}.")
    negated = word not in given
    return _texts(given[f"Not{word}" if negated else word], f"{word} of {where}"), negated


def _texts(given: object, what: str) -> tuple[str, ...]:
    listed = given if isinstance(given, list) else [given]
    texts = tuple(text for text in listed if isinstance(text, str) and text)
    if not texts or len(texts) != len(listed):
        raise _wrong(f"{what} must be a text or a list of texts.")
    for text in texts:
        _refuse_variables(text, what)
    return texts


def _refuse_variables(text: str, what: str) -> None:
    if "${" in text:
        raise _wrong(f"{what}: policy variables (${{…}}) are not supported.")


def _principals(given: object, where: str, *, kept: bool) -> frozenset[str]:
    if given == ANYONE:
        return frozenset({ANYONE})
    if not isinstance(given, dict) or set(given) != {"AWS"}:
        raise _wrong(f'Principal of {where} must be "*" or {{"AWS": …}}.')
    found = set()
    for text in _texts(given["AWS"], f"Principal of {where}"):
        match = _USER_ARN.fullmatch(text)
        name = match.group(1) if match else text
        account = match is None and not kept and _ACCOUNT.fullmatch(text)
        if name != ANYONE and (account or name.startswith("arn:") or "*" in name or "?" in name):
            raise _wrong(f"Invalid principal in policy: {text[:200]} in {where}.")
        found.add(name)
    return frozenset(found)


def _action(pattern: str, where: str) -> str:
    lowered = pattern.lower()
    if not any(matches(lowered, action.lower()) for action in ACTIONS):
        raise _wrong(f"Policy has invalid action: {pattern[:200]} in {where}.")
    return lowered


def _resource(pattern: str, where: str, bucket: str | None) -> str:
    if pattern == "*":
        return pattern
    name = pattern.removeprefix(ARN).partition("/")[0]
    if not pattern.startswith(ARN) or not name:
        raise _wrong(f"Policy has invalid resource: {pattern[:200]} in {where}; one begins with {ARN}BUCKET.")
    if bucket is not None and not matches(name, bucket) and "*" not in name:
        raise _wrong(
            f"Policy has invalid resource: {pattern[:200]} in {where} is not in the bucket {bucket}."
        )
    return pattern


def _check_meeting(statement: Statement, where: str) -> None:
    """Each action must be one of some resource here, or the statement means less than it says."""
    patterns = [resource.removeprefix(ARN) for resource in statement.resources]
    objects = any("/" in p or "*" in p for p in patterns)
    buckets = any("/" not in p or "*" in p.partition("/")[0] for p in patterns)
    for action in statement.actions:
        of_object = _any(action, OBJECT_ACTIONS)
        of_bucket = _any(action, BUCKET_ACTIONS)
        if not ((of_object and objects) or (of_bucket and buckets)):
            raise _wrong(f"Action does not apply to any resource(s) in statement: {action} in {where}.")


def _any(pattern: str, actions: Iterable[str]) -> bool:
    return any(matches(pattern, action.lower()) for action in actions)


def _conditions(given: object, where: str) -> tuple[Condition, ...]:
    if not isinstance(given, dict):
        raise _wrong(f"Condition of {where} must be an object.")
    found = []
    for word, keys in given.items():
        operator = word.removesuffix("IfExists")
        if operator not in OPERATORS or (operator == "Null" and operator != word):
            raise _wrong(f"Invalid Condition type: {word[:100]} in {where}.")
        if not isinstance(keys, dict) or not keys:
            raise _wrong(f"{word} of {where} must be an object of keys and values.")
        for name, values in keys.items():
            key = condition_key(name)
            if key is None:
                raise _wrong(f"Policy has an invalid condition key: {name[:200]} in {where}.")
            found.append(
                Condition(operator, operator != word, key, _values(operator, values, f"{name} of {where}"))
            )
    return tuple(found)


def _values(operator: str, given: object, what: str) -> tuple[Value, ...]:
    listed = given if isinstance(given, list) else [given]
    texts = []
    for value in listed:
        if isinstance(value, bool):
            value = str(value).lower()
        elif isinstance(value, (int, float)):
            value = str(value)
        if not isinstance(value, str):
            raise _wrong(f"{what} must be compared with texts, numbers or truths.")
        _refuse_variables(value, what)
        texts.append(value)
    if not texts:
        raise _wrong(f"{what} must be compared with something.")
    try:
        return tuple(OPERATORS[operator].read(text) for text in texts)
    except (ValueError, OverflowError):
        raise _wrong(f"{what} is compared by {operator} with a value that it can't read.") from None


def _only(given: dict[str, object], words: set[str], where: str) -> None:
    for name in given:
        if name not in words:
            raise _wrong(f"Unknown field {name[:100]} in {where}.")


def _wrong(message: str) -> S3Failure:
    return S3Failure("MalformedPolicy", message)
