"""A version: a view of all its live rows, and who made it, when and why."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field

from maruhub.catalog.manifest import Manifest
from maruhub.catalog.name import version_name
from maruhub.catalog.row import VersionRow, version_of_key
from maruhub.catalog.view import Home, View
from maruhub.store.format.row import Row


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """What a list of versions shows. ``tags`` are those that point to it now."""

    number: int
    rows: int
    digest: str
    created: datetime.datetime
    actor: str
    message: str
    sources: tuple[str, ...]
    tags: tuple[str, ...] = field(default=())
    dropped: bool = False
    restorable_until: datetime.datetime | None = None
    """Until when a dropped version can be brought back at least; only a list says it."""

    @property
    def name(self) -> str:
        """``v3``."""
        return version_name(self.number)

    @classmethod
    def of_row(cls, row: Row, tags: tuple[str, ...] = (), *, pool_time_us: int | None = None) -> VersionInfo:
        """From a row M; a dropped version's row keeps who made it in its payload.

        With ``pool_time_us``, the pool's clock now, it says until when a dropped one stays.
        """
        payload = VersionRow.decode(row)
        at_us = payload.at_us or row.time_us
        until = None
        if payload.dropped_us and pool_time_us is not None:
            until = _wall_time(payload.eradicate_us - pool_time_us)
        return cls(
            number=version_of_key(row.key),
            rows=payload.rows,
            digest=payload.digest,
            created=datetime.datetime.fromtimestamp(at_us / 1e6, tz=datetime.UTC),
            actor=payload.by if payload.at_us else row.actor,
            message=payload.message,
            sources=tuple(payload.sources),
            tags=tags,
            dropped=bool(payload.dropped_us),
            restorable_until=until,
        )


def _wall_time(from_now_us: int) -> datetime.datetime:
    """A moment of the pool's clock as a person's clock shows it, to the second."""
    moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(microseconds=from_now_us)
    return moment.replace(microsecond=0)


class Version(View):
    """An immutable state of a dataset: a view of all its live rows.

    ``is_new`` is False on what ``commit`` returned because nothing had changed.
    """

    def __init__(self, manifest: Manifest, info: VersionInfo, home: Home, *, is_new: bool = False) -> None:
        super().__init__(manifest, info.digest, home)
        self.info = info
        self.is_new = is_new

    @property
    def number(self) -> int:
        """3 for ``v3``."""
        return self.info.number

    @property
    def name(self) -> str:
        """``v3``."""
        return self.info.name

    @property
    def message(self) -> str:
        """Why it was made."""
        return self.info.message

    @property
    def actor(self) -> str:
        """Who made it."""
        return self.info.actor

    @property
    def created(self) -> datetime.datetime:
        """When it was made, by the wall clock, UTC."""
        return self.info.created
