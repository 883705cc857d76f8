"""A version: a view of all its live rows, and who made it, when and why."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field

from maruhub.catalog.dropping import retained_until
from maruhub.catalog.manifests.manifest import Manifest
from maruhub.catalog.name import version_name
from maruhub.catalog.row import VersionRow, version_of_key
from maruhub.catalog.view import Home, View
from maruhub.namespace.retention import wall_moment
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
    retained_until: datetime.datetime | None = None
    """Until when nobody may drop or free it, by itself or with its dataset; only a list says it."""

    @property
    def name(self) -> str:
        """``v3``."""
        return version_name(self.number)

    @classmethod
    def of_row(
        cls,
        row: Row,
        tags: tuple[str, ...] = (),
        *,
        pool_time_us: int | None = None,
        dataset_retained_us: int = 0,
    ) -> VersionInfo:
        """From a row M; a dropped version's row keeps who made it in its payload.

        With ``pool_time_us``, the pool's clock now, it says until when a dropped one stays, and
        until when it is retained, by itself or with the dataset (``dataset_retained_us``).
        """
        payload = VersionRow.decode(row)
        at_us = payload.at_us or row.time_us
        retain_us = max(dataset_retained_us, retained_until(payload))
        until = retained = None
        if payload.dropped_us and pool_time_us is not None:
            until = wall_moment(max(payload.eradicate_us, retain_us), pool_time_us)
        if pool_time_us is not None and retain_us > pool_time_us:
            retained = wall_moment(retain_us, pool_time_us)
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
            retained_until=retained,
        )


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
