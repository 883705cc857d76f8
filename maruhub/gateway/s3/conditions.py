"""Conditions of a request, and what they decide.

The order is RFC 9110's (13.2.2), which is S3's: ``If-Match`` counts before ``If-Unmodified-Since``,
``If-None-Match`` before ``If-Modified-Since``. A date that can't be read is passed over. Dates have
whole seconds.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from maruhub.gateway.s3.failure import S3Failure

_US = 1_000_000


class Verdict(enum.Enum):
    """What a condition decides."""

    GO_ON = "go on"
    NOT_MODIFIED = "304"
    FAILED = "412"
    NOT_FOUND = "404"


@dataclass(frozen=True)
class Conditions:
    """The conditions of one request.

    Attributes:
        match: ETags without quotes, of which one must be the object's; ``*`` is any object.
        none_match: ETags without quotes, of which none may be.
        modified_since: Whole seconds since 1970.
        unmodified_since: Whole seconds since 1970.
    """

    match: tuple[str, ...] = ()
    none_match: tuple[str, ...] = ()
    modified_since: int | None = None
    unmodified_since: int | None = None

    def __bool__(self) -> bool:
        return self is not _NONE and self != _NONE

    def of_read(self, etag: str, modified_us: int) -> Verdict:
        """What they decide for GET and HEAD of an object that is there.

        Args:
            etag: The object's, without quotes.
            modified_us: When it was last modified, microseconds since 1970.
        """
        modified = modified_us // _US
        if self.match:
            if not _matches(self.match, etag):
                return Verdict.FAILED
        elif self.unmodified_since is not None and modified > self.unmodified_since:
            return Verdict.FAILED
        if self.none_match:
            if _matches(self.none_match, etag):
                return Verdict.NOT_MODIFIED
        elif self.modified_since is not None and modified <= self.modified_since:
            return Verdict.NOT_MODIFIED
        return Verdict.GO_ON

    def of_copy(self, etag: str, modified_us: int) -> Verdict:
        """What they decide of the source of a copy: there is no 304, a copy goes on or fails."""
        verdict = self.of_read(etag, modified_us)
        return Verdict.FAILED if verdict is Verdict.NOT_MODIFIED else verdict

    @property
    def failing(self) -> str:
        """The name of the header because of which a read is refused."""
        return "If-Match" if self.match else "If-Unmodified-Since"

    def of_write(self, etag: str | None) -> Verdict:
        """What they decide for a write over an object with this ETag; None: nothing is there.

        ``If-Match`` where nothing is there is S3's 404, not a 412.
        """
        if self.match and etag is None:
            return Verdict.NOT_FOUND
        if self.match and etag is not None and not _matches(self.match, etag):
            return Verdict.FAILED
        if self.none_match and etag is not None and _matches(self.none_match, etag):
            return Verdict.FAILED
        return Verdict.GO_ON


_NONE = Conditions()
_HEADERS = frozenset({"if-match", "if-none-match", "if-modified-since", "if-unmodified-since"})


def read_conditions(headers: Mapping[str, str]) -> Conditions:
    """The conditions of GET and HEAD."""
    if _HEADERS.isdisjoint(headers):
        return _NONE
    return Conditions(
        match=etags(headers.get("if-match")),
        none_match=etags(headers.get("if-none-match")),
        modified_since=http_date(headers.get("if-modified-since")),
        unmodified_since=http_date(headers.get("if-unmodified-since")),
    )


def copy_conditions(headers: Mapping[str, str]) -> Conditions:
    """The conditions on the source of a copy."""
    prefix = "x-amz-copy-source-"
    return read_conditions({n.removeprefix(prefix): v for n, v in headers.items() if n.startswith(prefix)})


def write_conditions(headers: Mapping[str, str]) -> Conditions:
    """The conditions of a put, a copy's target, a completed upload or a delete.

    Raises:
        S3Failure: ``NotImplemented`` for an ``If-None-Match`` other than ``*``, or for both at once, as
            in S3.
    """
    given = read_conditions({n: v for n, v in headers.items() if n in ("if-match", "if-none-match")})
    if given.none_match and given.none_match != ("*",):
        raise S3Failure(
            "NotImplemented", "A write takes no If-None-Match other than *.", Header="If-None-Match"
        )
    if given.match and given.none_match:
        raise S3Failure("NotImplemented", "A write takes If-Match or If-None-Match.", Header="If-Match")
    return given


def range_counts(headers: Mapping[str, str], etag: str, modified_us: int) -> bool:
    """Whether a ``Range`` is heeded: without an ``If-Range``, or if that names what is there.

    It is how a download that broke off goes on: of another object than the one that was begun all is
    wanted. A weak ETag names nothing, and a date must be the very same (RFC 9110, 13.1.5).

    Args:
        headers: By name in lower case.
        etag: The object's, without quotes.
        modified_us: When it was last modified, microseconds since 1970.
    """
    text = headers.get("if-range")
    if text is None:
        return True
    date = http_date(text)
    return text.strip().strip('"') == etag if date is None else date == modified_us // _US


def etags(text: str | None) -> tuple[str, ...]:
    """ETags of a header without quotes and ``W/``; clients often leave the quotes out."""
    if text is None:
        return ()
    found = []
    for part in text.split(","):
        etag = part.strip().removeprefix("W/").strip().strip('"')
        if etag:
            found.append(etag)
    # A header that holds none matches nothing, rather than being no condition.
    return tuple(found) or ("",)


def http_date(text: str | None) -> int | None:
    """A date of HTTP in whole seconds since 1970; None if there is none that can be read."""
    if not text or len(text) > 64:
        return None
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return int(moment.timestamp())
    except (ValueError, OverflowError, IndexError, TypeError):
        return None


def to_http_date(moment_us: int) -> str:
    """Microseconds since 1970 as a date of HTTP, in whole seconds."""
    return _http_date(moment_us // _US)


@functools.lru_cache(maxsize=4096)
def _http_date(seconds: int) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{_DAYS[moment.weekday()]}, {moment:%d} {_MONTHS[moment.month - 1]} {moment:%Y %H:%M:%S} GMT"


# Not strftime's, which speaks the machine's language.
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _matches(wanted: tuple[str, ...], etag: str) -> bool:
    return "*" in wanted or etag in wanted
