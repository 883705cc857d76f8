"""Lifecycle: rules by which objects expire and uploads are given up, and what they decide.

Days are S3's: counted from when something happened, then up to the next midnight in UTC. Nothing
here deletes or reads a clock. Rules are kept as JSON in their bucket's settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Final

from maruhub.errors import InvalidInput

DAY_US: Final = 86_400_000_000


@dataclass(frozen=True)
class LifecycleFilter:
    """Which objects a rule is about: all of this must hold. Sizes are exclusive, in bytes."""

    prefix: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    larger_than: int | None = None
    smaller_than: int | None = None

    def fits(self, key: str, size_bytes: int, tags: Mapping[str, str]) -> bool:
        """Whether an object is one of those."""
        return (
            key.startswith(self.prefix)
            and (self.larger_than is None or size_bytes > self.larger_than)
            and (self.smaller_than is None or size_bytes < self.smaller_than)
            and all(tags.get(name) == value for name, value in self.tags.items())
        )


@dataclass(frozen=True)
class LifecycleRule:
    """One rule; what is None isn't done.

    Attributes:
        id: Its name, unique in its bucket.
        enabled: Whether it counts.
        filter: What it is about.
        expire_days: Current versions expire so long after they were made.
        expire_at_us: Current versions expire at this time, microseconds since 1970.
        drop_lone_markers: Delete markers with nothing behind them are removed.
        noncurrent_days: Older versions expire so long after they were replaced.
        newer_kept: But not the newest so many older ones.
        abort_days: Uploads are given up so long after they were begun.
        old_style: Whether its prefix stood beside the filter, as it did before filters.
    """

    id: str
    enabled: bool = True
    filter: LifecycleFilter = field(default_factory=LifecycleFilter)
    expire_days: int | None = None
    expire_at_us: int | None = None
    drop_lone_markers: bool = False
    noncurrent_days: int | None = None
    newer_kept: int = 0
    abort_days: int | None = None
    old_style: bool = False


@dataclass(frozen=True)
class Expiry:
    """When something expires, microseconds since 1970, and by which rule."""

    at_us: int
    rule_id: str


def due_us(since_us: int, days: int) -> int:
    """So many days after a moment, up to the next midnight in UTC."""
    return -(-(since_us + days * DAY_US) // DAY_US) * DAY_US


def expiry(
    rules: Iterable[LifecycleRule], key: str, size_bytes: int, tags: Mapping[str, str], *, modified_us: int
) -> Expiry | None:
    """When the current version of a key expires: the earliest time of all its rules."""
    found = []
    for rule in rules:
        if not rule.enabled or not rule.filter.fits(key, size_bytes, tags):
            continue
        if rule.expire_days is not None:
            found.append(Expiry(due_us(modified_us, rule.expire_days), rule.id))
        if rule.expire_at_us is not None:
            found.append(Expiry(rule.expire_at_us, rule.id))
    return min(found, key=lambda e: e.at_us, default=None)


def noncurrent_expiry(
    rules: Iterable[LifecycleRule],
    key: str,
    size_bytes: int,
    tags: Mapping[str, str],
    *,
    replaced_us: int,
    newer: int,
) -> Expiry | None:
    """When an older version expires.

    Args:
        rules: The bucket's.
        key: The version's.
        size_bytes: The version's.
        tags: The version's.
        replaced_us: When it was replaced.
        newer: How many older versions of the key are newer than this one, the current not counted.
    """
    found = [
        Expiry(due_us(replaced_us, rule.noncurrent_days), rule.id)
        for rule in rules
        if rule.enabled
        and rule.noncurrent_days is not None
        and newer >= rule.newer_kept
        and rule.filter.fits(key, size_bytes, tags)
    ]
    return min(found, key=lambda e: e.at_us, default=None)


def drops_lone_marker(rules: Iterable[LifecycleRule], key: str, marked_us: int, *, now_us: int) -> bool:
    """Whether a delete marker with nothing behind it is to be removed now.

    By a rule that says so, or by one that expires current versions and whose time has come for it.
    """
    for rule in rules:
        if not rule.enabled or not rule.filter.fits(key, 0, {}):
            continue
        if rule.drop_lone_markers:
            return True
        if rule.expire_days is not None and due_us(marked_us, rule.expire_days) <= now_us:
            return True
    return False


def abort_expiry(rules: Iterable[LifecycleRule], key: str, begun_us: int) -> Expiry | None:
    """When an upload in parts is given up (``x-amz-abort-date``, ``x-amz-abort-rule-id``)."""
    found = [
        Expiry(due_us(begun_us, rule.abort_days), rule.id)
        for rule in rules
        if rule.enabled and rule.abort_days is not None and key.startswith(rule.filter.prefix)
    ]
    return min(found, key=lambda e: e.at_us, default=None)


def rules_to_json(rules: Iterable[LifecycleRule]) -> list[dict[str, Any]]:
    """Rules as they are kept: what is not as by default, by the names above."""
    return [{**_said(rule), "id": rule.id, "filter": _said(rule.filter)} for rule in rules]


def _said(value: LifecycleRule | LifecycleFilter) -> dict[str, Any]:
    plain = type(value)("") if isinstance(value, LifecycleRule) else LifecycleFilter()
    named = {each.name: getattr(value, each.name) for each in fields(value)}
    return {
        name: dict(given) if isinstance(given, Mapping) else given
        for name, given in named.items()
        if given != getattr(plain, name)
    }


def rules_from_json(kept: object) -> tuple[LifecycleRule, ...]:
    """The rules that :func:`rules_to_json` has kept; raises InvalidInput for anything else."""
    try:
        if not isinstance(kept, list):
            raise TypeError("they are no list")
        rules = [LifecycleRule(**{**rule, "filter": LifecycleFilter(**rule["filter"])}) for rule in kept]
        for rule in rules:
            _check_types(rule)
            _check_types(rule.filter)
    except (TypeError, KeyError) as error:
        raise InvalidInput(
            f"these are no rules of a lifecycle: {error}.", hint="Upgrade MaruHub, or set them anew."
        ) from None
    return tuple(rules)


def _check_types(value: LifecycleRule | LifecycleFilter) -> None:
    for each in fields(value):
        given = getattr(value, each.name)
        if each.name not in ("filter", "tags"):
            kind = {MISSING: str, None: int}.get(each.default, type(each.default))
            if type(given) is not kind and not (given is None and each.default is None):
                raise TypeError(f"{each.name} is {given!r:.40}")
        elif each.name == "tags" and not all(
            isinstance(text, str) for pair in dict(given).items() for text in pair
        ):
            raise TypeError("tags are text by text")
