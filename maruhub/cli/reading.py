"""Where the commands that read look: a bucket, or a version of a dataset.

Both are read in the same way, so ``ls``, ``cat``, ``stat`` and ``cp`` ask here once and
need not know which it is.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from maruhub.cli.output import dumps, printable, time_text
from maruhub.errors import InvalidInput
from maruhub.namespace.address import Address, DatasetAddress, parse_short

if TYPE_CHECKING:
    from maruhub.api import Hub
    from maruhub.api.bucket import BucketView
    from maruhub.api.frozen import FrozenBucket, FrozenObject
    from maruhub.namespace import ObjectInfo

_TIMES: Final = {"created_us": ("stored", 1), "mtime_ns": ("modified", 1000)}
"""Fields that are times → what people call them, and their units in a microsecond."""

readable = parse_short
"""A bucket, a version, or what lies in one; ``maru://`` may be left out."""


def readable_object(text: str) -> tuple[Address, str]:
    """As ``readable``, and the key; it must name an object."""
    where = parse_short(text)
    key = key_in(where)
    if not key:
        what = "no object" if isinstance(where, DatasetAddress) else "a bucket, not an object"
        hint = "Write maru://BUCKET/KEY, or maru://dataset/NAME/VERSION/BUCKET/KEY."
        raise InvalidInput(f"{text!r} names {what}.", hint=hint)
    return where, key


def key_in(where: Address) -> str:
    """The key in the bucket, or the id in the version."""
    return where.path if isinstance(where, DatasetAddress) else where.key


def opened(hub: Hub, where: Address) -> BucketView | FrozenBucket:
    """The bucket or version; raises NoSuchDataset, NoSuchVersion, InvalidInput without a version."""
    if isinstance(where, DatasetAddress):
        from maruhub.api.frozen import frozen_bucket

        return frozen_bucket(hub, where)
    return hub.bucket(where.bucket)


def object_fields(info: ObjectInfo) -> dict[str, Any]:
    """An object as JSON shows it."""
    return {
        "address": f"maru://{info.bucket}/{info.key}",
        "bucket": info.bucket,
        "key": info.key,
        "size": info.size,
        "etag": info.etag,
        "sha256": info.sha256.hex(),
        "version_id": info.version_id,
        "content_type": info.content_type,
        "metadata": info.metadata,
        "created_us": info.created_us,
        "mtime_ns": info.mtime_ns,
    }


def sample_fields(bucket: FrozenBucket, sample: FrozenObject) -> dict[str, Any]:
    """A version's sample as JSON shows it; its key is as in a bucket named ``dataset``."""
    return {
        "address": f"maru://{bucket.name}/{sample.key}",
        "bucket": "dataset",
        "key": bucket.at + sample.key,
        "id": sample.key,
        "size": sample.size,
        "sha256": sample.sha256.hex(),
        "version_id": sample.version_id,
        "content_type": sample.content_type,
        "created_us": sample.created_us,
        "mtime_ns": sample.mtime_ns,
    }


def text_of(fields: dict[str, Any]) -> str:
    """The fields of an object for people: a line each, times as times, nothing that is empty."""
    shown = {name: value for name, value in fields.items() if name not in _TIMES and value not in (None, {})}
    for name, (heading, per_us) in _TIMES.items():
        if fields[name] is not None:
            shown[heading] = time_text(fields[name] // per_us)
    width = max(map(len, shown))
    return "\n".join(f"{name.ljust(width)}  {_cell(value)}" for name, value in shown.items())


def _cell(value: object) -> str:
    return dumps(value, indent=None) if isinstance(value, dict) else printable(str(value))


def entries(hub: Hub, where: Address, *, recursive: bool) -> Iterator[dict[str, Any]]:
    """What lies at or below an address: objects, and of one level the folders."""
    if isinstance(where, DatasetAddress):
        yield from _in_datasets(hub, where, recursive=recursive)
        return
    bucket = hub.bucket(where.bucket)
    if recursive:
        yield from map(object_fields, bucket.list(where.key))
        return
    for entry in _entered(bucket, where.key):
        yield {"prefix": entry} if isinstance(entry, str) else object_fields(entry)


def _in_datasets(hub: Hub, where: DatasetAddress, *, recursive: bool) -> Iterator[dict[str, Any]]:
    from maruhub.api.frozen import frozen_bucket, version_folders

    if not where.version:
        for folder in version_folders(hub, where.name):
            if recursive:
                below = DatasetAddress(*folder.rstrip("/").split("/"))
                yield from _in_datasets(hub, below, recursive=True)
            else:
                yield {"prefix": folder}
        return
    bucket = frozen_bucket(hub, where)
    found = bucket.list(where.path) if recursive else _entered(bucket, where.path)
    for entry in found:
        yield {"prefix": bucket.at + entry} if isinstance(entry, str) else sample_fields(bucket, entry)


def _entered(bucket: BucketView | FrozenBucket, key: str) -> Iterable[Any]:
    """One level below a prefix; of a folder that was named without its slash, what is in it."""
    found = bucket.folders(key)
    first = list(itertools.islice(found, 2))
    if key and first == [key + "/"]:
        return bucket.folders(key + "/")
    return itertools.chain(first, found)
