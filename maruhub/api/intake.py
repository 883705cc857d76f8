"""Local files in, exactly as an export wrote them: the way back of ``export``.

Paths become keys by the inverse of the one rule of ``namespace.paths``. For raw data from
elsewhere (archives, labels, links, what cannot be read) there is ``ingest``.
"""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from maruhub.api.export import Advance, Moved
from maruhub.namespace import PutItem
from maruhub.namespace.paths import path_to_key, prefix_to_folder

if TYPE_CHECKING:
    from maruhub.api.bucket import BucketView

_BATCH_ITEMS: Final = 4096
_BATCH_BYTES: Final = 64 << 20
"""Worth a segment of its own in a pool of the usual ones; see ``PoolStore``'s ``bulk_bytes``."""
_STREAM_BYTES: Final = 8 << 20


def import_file(bucket: BucketView, key: str, path: Path) -> Moved:
    """Stores one file of any size under ``key``."""
    with path.open("rb") as file:
        state = os.fstat(file.fileno())
        bucket.put(key, file, content_type=_content_type(path), mtime_ns=state.st_mtime_ns)
    return Moved(1, state.st_size)


def import_folder(bucket: BucketView, prefix: str, source: Path, *, progress: Advance | None = None) -> Moved:
    """Stores every file below folder ``source`` under ``prefix`` + its relative path.

    Batches of small files are one commit each. Links are followed to files, not to folders.

    Raises:
        InvalidName: A file's name is no key's path; what came before it is stored.
    """
    base = prefix_to_folder(prefix)
    batch: list[PutItem] = []
    objects = size_bytes = held = 0
    for path in _files(source):
        relative = path.relative_to(source).as_posix()
        key = path_to_key(f"{base}/{relative}" if base else relative)
        size = path.stat().st_size
        if size > _STREAM_BYTES:
            import_file(bucket, key, path)
        else:
            item = _item(key, path)
            batch.append(item)
            size = len(item.data)
            held += size
        objects, size_bytes = objects + 1, size_bytes + size
        if len(batch) >= _BATCH_ITEMS or held >= _BATCH_BYTES:
            bucket.put_items(batch)
            batch, held = [], 0
            if progress is not None:
                progress(objects, None)
    bucket.put_items(batch)
    return Moved(objects, size_bytes)


def _files(source: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(source, onerror=_raise):
        folders.sort()
        for name in sorted(names):
            yield Path(folder, name)


def _raise(error: OSError) -> None:
    raise error


def _item(key: str, path: Path) -> PutItem:
    with path.open("rb") as file:
        data, mtime_ns = file.read(), os.fstat(file.fileno()).st_mtime_ns
    return PutItem(key, data, content_type=_content_type(path), mtime_ns=mtime_ns)


def _content_type(path: Path) -> str | None:
    return mimetypes.guess_type(path.name)[0]
