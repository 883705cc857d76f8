"""Calls on datasets and their versions."""

from __future__ import annotations

import base64
import binascii
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from maruhub.errors import InvalidInput
from maruhub.gateway.batch.fields import Fields
from maruhub.gateway.batch.opened.sources import DATASET
from maruhub.gateway.batch.rights import Allowed, require
from maruhub.gateway.batch.told import moment, version_to_json
from maruhub.gateway.need import ADMIN
from maruhub.wire.table import decode_table

if TYPE_CHECKING:
    import pyarrow as pa

    from maruhub.api.hub import Hub
    from maruhub.catalog import Dataset


def names(hub: Hub, fields: Fields, allowed: Allowed) -> list[str]:
    """Every dataset's name."""
    fields.done()
    require(allowed, "s3:ListBucket", DATASET)
    return [dataset.name for dataset in hub.datasets()]


def versions(hub: Hub, fields: Fields, allowed: Allowed) -> dict[str, Any]:
    """All versions of a dataset, and whether it was ever committed."""
    name, dropped = fields.text("dataset"), fields.flag("dropped", False)
    fields.done()
    require(allowed, "s3:ListBucket", DATASET)
    dataset = hub.dataset(name)
    return {
        "exists": dataset.exists,
        "versions": [version_to_json(info) for info in dataset.versions(dropped=dropped)],
    }


def info(hub: Hub, fields: Fields, allowed: Allowed) -> dict[str, Any]:
    """What is known of one version, dropped or not."""
    name, version = fields.text("dataset"), fields.take("version")
    fields.done()
    require(allowed, "s3:ListBucket", DATASET)
    return version_to_json(hub.dataset(name).info(version))


def commit(hub: Hub, fields: Fields, allowed: Allowed) -> dict[str, Any]:
    """The next version."""
    require(allowed, ADMIN)
    dataset = hub.dataset(fields.text("dataset"))
    source, message = fields.take("source", None), fields.text("message", "")
    allow_empty = fields.flag("allow_empty", False)
    fields.done()
    made = dataset.commit(source, message, allow_empty=allow_empty)
    return {"version": made.name, "is_new": made.is_new}


def label(hub: Hub, fields: Fields, allowed: Allowed) -> dict[str, Any]:
    """Joins a table of labels, which comes as an Arrow IPC stream in base64."""
    require(allowed, ADMIN)
    dataset, table = hub.dataset(fields.text("dataset")), _table(fields.text("table"))
    name, by, message = fields.text("name", "labels"), fields.maybe_text("by"), fields.text("message", "")
    fields.done()
    report = dataset.label(table, name=name, by=by, message=message)
    told = {name: getattr(report, name) for name in ("matched", "unlabelled", "unmatched", "unmatched_count")}
    return {**told, "bytes_written": report.bytes_written, "version": report.version.name}


def label_sets(hub: Hub, fields: Fields, allowed: Allowed) -> list[dict[str, Any]]:
    """Every revision of every label set."""
    name = fields.text("dataset")
    fields.done()
    require(allowed, "s3:ListBucket", DATASET)
    revisions = (asdict(each) for each in hub.dataset(name).label_sets())
    return [{**each, "created": moment(each["created"])} for each in revisions]


def retain(hub: Hub, fields: Fields, allowed: Allowed) -> str | None:
    """Keeps a version, or the dataset, from being dropped; until when."""
    require(allowed, ADMIN)
    dataset, version = hub.dataset(fields.text("dataset")), fields.take("version", None)
    until, for_s = fields.maybe_moment("until"), fields.take("for_s", None)
    fields.done()
    return moment(dataset.retain(version, until=until, for_s=for_s))


def drop_all(hub: Hub, fields: Fields, allowed: Allowed) -> list[str]:
    """Hides every version; the names of those that were not hidden before."""
    require(allowed, ADMIN)
    dataset = hub.dataset(fields.text("dataset"))
    delay = {"delay_s": fields.take("delay_s")} if fields.has("delay_s") else {}
    fields.done()
    return dataset.drop_all(**delay)


def undrop_all(hub: Hub, fields: Fields, allowed: Allowed) -> list[str]:
    """Brings every dropped version back; their names."""
    require(allowed, ADMIN)
    dataset = hub.dataset(fields.text("dataset"))
    fields.done()
    return dataset.undrop_all()


def tag(hub: Hub, fields: Fields, allowed: Allowed) -> None:
    """Gives a version another name."""
    dataset, version = _version(hub, fields, allowed)
    name, move = fields.text("tag"), fields.flag("move", False)
    fields.done()
    dataset.tag(name, version, move=move)


def untag(hub: Hub, fields: Fields, allowed: Allowed) -> None:
    """Takes a name away."""
    require(allowed, ADMIN)
    dataset, name = hub.dataset(fields.text("dataset")), fields.text("tag")
    fields.done()
    dataset.untag(name)


def drop(hub: Hub, fields: Fields, allowed: Allowed) -> None:
    """Hides a version."""
    dataset, version = _version(hub, fields, allowed)
    delay = {"delay_s": fields.take("delay_s")} if fields.has("delay_s") else {}
    fields.done()
    dataset.drop(version, **delay)


def undrop(hub: Hub, fields: Fields, allowed: Allowed) -> str:
    """Brings a dropped version back; its name."""
    dataset, version = _version(hub, fields, allowed)
    fields.done()
    return dataset.undrop(version).name


def set_split(hub: Hub, fields: Fields, allowed: Allowed) -> dict[str, Any]:
    """Fixes how a dataset is split."""
    require(allowed, ADMIN)
    dataset = hub.dataset(fields.text("dataset"))
    fractions, group = fields.take("fractions", None), fields.maybe_text("group")
    replace = fields.flag("replace", False)
    fields.done()
    rule = dataset.set_split(fractions, group, replace=replace)
    return {"fractions": list(rule.fractions), "group": rule.group}


def sql(hub: Hub, fields: Fields, allowed: Allowed) -> pa.Table:
    """The answer to a SELECT over datasets."""
    require(allowed, ADMIN)
    query = fields.text("query")
    fields.done()
    return hub.sql(query)


def _version(hub: Hub, fields: Fields, allowed: Allowed) -> tuple[Dataset, str | int]:
    require(allowed, ADMIN)
    dataset: Dataset = hub.dataset(fields.text("dataset"))
    return dataset, fields.take("version", "latest")


def _table(text: str) -> pa.Table:
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise InvalidInput(f"table is not base64: {error}") from None
    return decode_table(data)
