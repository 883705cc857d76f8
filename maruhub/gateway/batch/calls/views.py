"""Calls on views: what a source is, its rows, and how two differ."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from maruhub.gateway.batch.fields import Fields
from maruhub.gateway.batch.opened.sources import DATASET, Sources
from maruhub.gateway.batch.request import parse_source
from maruhub.gateway.batch.rights import Allowed, require
from maruhub.gateway.batch.told import version_to_json, view_to_json
from maruhub.gateway.need import TRAIN
from maruhub.wire.table import encode_table

if TYPE_CHECKING:
    import pyarrow as pa

    from maruhub.api.hub import Hub


class Views:
    """Calls on sources, which are opened once."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def open(self, hub: Hub, fields: Fields, allowed: Allowed) -> dict[str, Any]:
        """What a source is: digest and length; with ``info`` if it is a version."""
        source = parse_source(fields.take("source"))
        fields.done()
        if source.parts:
            joined = self._sources.open_for_reading(source, allowed)
            return {"digest": joined.digest, "rows": len(joined)}
        view = self._sources.open(source, allowed)
        told = view_to_json(view)
        if not source.view and not source.operations:
            told["info"] = version_to_json(hub.dataset(view.dataset_name).info(view.version_name))
        return told

    def table(self, hub: Hub, fields: Fields, allowed: Allowed) -> pa.Table:
        """The rows of a source as a table."""
        source, columns = parse_source(fields.take("source")), fields.take("columns", None)
        rows = fields.take("rows", None)
        fields.done()
        view = self._sources.open(source, allowed)
        return (view if rows is None else view.select(rows)).table(columns)

    def diff(self, hub: Hub, fields: Fields, allowed: Allowed) -> dict[str, Any]:
        """What differs between two sources; its tables as Arrow IPC streams in base64."""
        name = fields.text("dataset")
        before, after = (parse_source(fields.take(which)) for which in ("before", "after"))
        fields.done()
        with self._sources.together():
            sides = [self._sources.open(side, allowed) for side in (before, after)]
        found = hub.dataset(name).diff(*sides)
        tables = {part: getattr(found, part) for part in ("added", "removed", "changed", "columns")}
        encoded = {part: base64.b64encode(encode_table(table)).decode() for part, table in tables.items()}
        return {"before": found.before, "after": found.after, **encoded}

    def save(self, hub: Hub, fields: Fields, allowed: Allowed) -> str:
        """Keeps a view under its digest, which is answered."""
        source = parse_source(fields.take("source"))
        fields.done()
        view = self._sources.open(source, allowed)
        require(allowed, TRAIN, DATASET, f"{view.dataset_name}/{view.version_name}/")
        return view.save().digest
