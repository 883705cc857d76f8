"""A LifecycleConfiguration, read and written. Transitions to other storage classes aren't done."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from maruhub.gateway.s3.documents.element import Element, malformed, read_document
from maruhub.gateway.s3.documents.requests import read_tag
from maruhub.gateway.s3.documents.text import document, element
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.object_lock import read_iso_date, to_iso_date
from maruhub.gateway.s3.tags import check_tags
from maruhub.namespace.lifecycle import DAY_US, LifecycleFilter, LifecycleRule

RULES_MAX = 1000
_ID_MAX = 255
_SIZES = ("ObjectSizeGreaterThan", "ObjectSizeLessThan")


def read_lifecycle(raw: bytes) -> tuple[LifecycleRule, ...]:
    """The rules of a LifecycleConfiguration. A rule without an ID gets one of its content.

    Raises:
        S3Failure: ``MalformedXML``, ``InvalidArgument``, ``InvalidRequest``; ``NotImplemented`` for
            transitions.
    """
    root = read_document(raw, "LifecycleConfiguration", "LifecycleConfigurationRequest").only("Rule")
    if not 1 <= len(root.children) <= RULES_MAX:
        raise malformed(f"A LifecycleConfiguration has 1 to {RULES_MAX} rules.")
    rules = tuple(_rule(child, place) for place, child in enumerate(root.children))
    if len({rule.id for rule in rules}) != len(rules):
        raise S3Failure("InvalidArgument", "Rule ID must be unique. Found same ID for more than one rule.")
    return rules


def _rule(given: Element, place: int) -> LifecycleRule:
    for name in ("Transition", "NoncurrentVersionTransition"):
        if given.all(name):
            raise S3Failure("NotImplemented", f"{name} is not implemented: there is one storage class.")
    given.only(
        "ID", "Status", "Prefix", "Filter", "Expiration", "NoncurrentVersionExpiration",
        "AbortIncompleteMultipartUpload",
    )  # fmt: skip
    status, name = _status(given), given.word("ID") or ""
    if len(name) > _ID_MAX:
        raise S3Failure("InvalidArgument", f"ID length should not exceed allowed limit of {_ID_MAX}")
    old_style = given.one("Prefix") is not None
    if old_style == (given.one("Filter") is not None):
        raise malformed("A Rule has a Filter, or a Prefix as of old.")
    filters = LifecycleFilter(given.value("Prefix") or "") if old_style else _filter(given)
    days, at_us, markers = _expiration(given.one("Expiration"))
    noncurrent, kept = _noncurrent(given.one("NoncurrentVersionExpiration"))
    rule = LifecycleRule(
        id=name or _made_id(given, place),
        enabled=status,
        filter=filters,
        expire_days=days,
        expire_at_us=at_us,
        drop_lone_markers=markers,
        noncurrent_days=noncurrent,
        newer_kept=kept,
        abort_days=_abort(given.one("AbortIncompleteMultipartUpload")),
        old_style=old_style,
    )
    _check(rule)
    return rule


def _status(given: Element) -> bool:
    status = given.word("Status", ("Enabled", "Disabled"))
    if status is None:
        raise malformed("A Rule has a Status.")
    return status == "Enabled"


def _made_id(given: Element, place: int) -> str:
    return hashlib.blake2b(f"{place} {given}".encode("utf-8", "replace"), digest_size=12).hexdigest()


def _check(rule: LifecycleRule) -> None:
    if rule.expire_days is rule.expire_at_us is rule.noncurrent_days is rule.abort_days is None and not (
        rule.drop_lone_markers
    ):
        raise S3Failure("InvalidRequest", "At least one action needs to be specified in a rule.")
    selective = (
        rule.filter.tags or rule.filter.larger_than is not None or rule.filter.smaller_than is not None
    )
    if selective and rule.abort_days is not None:
        raise S3Failure(
            "InvalidRequest", "AbortIncompleteMultipartUpload cannot be specified with Tags or sizes."
        )
    if rule.filter.tags and rule.drop_lone_markers:
        raise S3Failure("InvalidRequest", "ExpiredObjectDeleteMarker cannot be specified with Tags.")


def _filter(given: Element) -> LifecycleFilter:
    outer = given.one("Filter")
    if outer is None or not outer.children:
        return LifecycleFilter()
    outer.only("And", "Prefix", "Tag", *_SIZES)
    if len(outer.children) > 1:
        raise malformed("A Filter has one condition; several stand in an And.")
    inner = outer.one("And") or outer
    inner.only("Prefix", "Tag", *_SIZES)
    larger, smaller = (inner.number(name) for name in _SIZES)
    if (larger is not None and larger < 0) or (smaller is not None and smaller < 1):
        raise S3Failure("InvalidRequest", "Sizes of objects must be positive.")
    if larger is not None and smaller is not None and smaller <= larger:
        raise S3Failure("InvalidRequest", "ObjectSizeLessThan must be greater than ObjectSizeGreaterThan.")
    tags = check_tags(read_tag(tag) for tag in inner.all("Tag"))
    return LifecycleFilter(inner.value("Prefix") or "", tags, larger, smaller)


def _expiration(given: Element | None) -> tuple[int | None, int | None, bool]:
    if given is None:
        return None, None, False
    given.only("Days", "Date", "ExpiredObjectDeleteMarker")
    if len(given.children) != 1:
        raise malformed("An Expiration has Days, a Date or ExpiredObjectDeleteMarker.")
    date = given.word("Date")
    if date is None:
        return _days(given, "Days"), None, given.truth("ExpiredObjectDeleteMarker")
    try:
        at_us = read_iso_date(date, "Date")
    except S3Failure:
        raise malformed("Date is a date of ISO 8601.") from None
    if at_us % DAY_US:
        raise S3Failure("InvalidArgument", "'Date' must be at midnight GMT")
    return None, at_us, False


def _noncurrent(given: Element | None) -> tuple[int | None, int]:
    if given is None:
        return None, 0
    given.only("NoncurrentDays", "NewerNoncurrentVersions")
    days, kept = _days(given, "NoncurrentDays"), given.number("NewerNoncurrentVersions")
    if days is None:
        raise malformed("A NoncurrentVersionExpiration has NoncurrentDays.")
    if kept is not None and not 1 <= kept <= 100:
        raise S3Failure("InvalidArgument", "'NewerNoncurrentVersions' must be from 1 to 100")
    return days, kept or 0


def _abort(given: Element | None) -> int | None:
    if given is None:
        return None
    days = _days(given.only("DaysAfterInitiation"), "DaysAfterInitiation")
    if days is None:
        raise malformed("An AbortIncompleteMultipartUpload has DaysAfterInitiation.")
    return days


def _days(given: Element, name: str) -> int | None:
    days = given.number(name)
    if days is not None and not 1 <= days < 2**31:
        raise S3Failure("InvalidArgument", f"'{name}' for {given.name} action must be a positive integer")
    return days


def write_lifecycle(rules: Sequence[LifecycleRule]) -> bytes:
    """The answer of GetBucketLifecycleConfiguration."""
    return document("LifecycleConfiguration", "".join(f"<Rule>{_written(rule)}</Rule>" for rule in rules))


def _written(rule: LifecycleRule) -> str:
    content = [element("ID", rule.id), _written_filter(rule)]
    content.append(element("Status", "Enabled" if rule.enabled else "Disabled"))
    if rule.expire_days is not None or rule.expire_at_us is not None or rule.drop_lone_markers:
        date = None if rule.expire_at_us is None else to_iso_date(rule.expire_at_us)
        marker = element("ExpiredObjectDeleteMarker", "true" if rule.drop_lone_markers else None)
        inner = element("Days", rule.expire_days) + element("Date", date) + marker
        content.append(f"<Expiration>{inner}</Expiration>")
    if rule.noncurrent_days is not None:
        inner = element("NoncurrentDays", rule.noncurrent_days)
        inner += element("NewerNoncurrentVersions", rule.newer_kept or None)
        content.append(f"<NoncurrentVersionExpiration>{inner}</NoncurrentVersionExpiration>")
    if rule.abort_days is not None:
        inner = element("DaysAfterInitiation", rule.abort_days)
        content.append(f"<AbortIncompleteMultipartUpload>{inner}</AbortIncompleteMultipartUpload>")
    return "".join(content)


def _written_filter(rule: LifecycleRule) -> str:
    given = rule.filter
    if rule.old_style:
        return element("Prefix", given.prefix)
    inner = [element("Prefix", given.prefix)] if given.prefix else []
    inner += [f"<Tag>{element('Key', k)}{element('Value', v)}</Tag>" for k, v in given.tags.items()]
    sizes = zip(_SIZES, (given.larger_than, given.smaller_than), strict=True)
    inner += [element(name, size) for name, size in sizes if size is not None]
    content = "".join(inner) or element("Prefix", "")
    return f"<Filter><And>{content}</And></Filter>" if len(inner) > 1 else f"<Filter>{content}</Filter>"
