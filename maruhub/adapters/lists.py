"""Files and a list of them, for frameworks that read nothing else: ``path<TAB>label``.

CNTK's image reader, Caffe's and other old ones take such a list. The samples are written out as files
by the hub's one rule from ids to paths; who can read the hub itself should.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from maruhub import argument
from maruhub.adapters.samples import read_samples
from maruhub.errors import InvalidData
from maruhub.namespace.paths import also_folders, key_to_path

_CHUNK_SAMPLES: Final = 512


def write_list(view: Any, folder: str | Path, column: str, *, name: str = "map.txt") -> Path:
    """Writes a view's samples below ``folder``, and beside them the list; returns the list's path.

    Lines are in the view's sequence: ``view.sort``, ``sample`` and ``select`` arrange it. Paths are
    relative to ``folder``. The list appears last, and whole.

    Raises:
        InvalidData: A label is missing, or holds a tab or a line's end.
    """
    target = Path(argument.path("folder", folder))
    target.mkdir(parents=True, exist_ok=True)
    labels = _labels(view, argument.text("column", column))
    partial = target / f".{name}.partial"
    with partial.open("w", encoding="utf-8") as lines:
        for path, label in zip(_written(view, target), labels, strict=True):
            lines.write(f"{path}\t{label}\n")
    return partial.replace(target / name)


def _labels(view: Any, column: str) -> list[str]:
    values = view.table(["id", column]).to_pylist()
    for row in values:
        if row[column] is None or set("\t\n\r") & set(f"{row['id']}{row[column]}"):
            raise InvalidData(
                f"sample {row['id']!r} has the label {row[column]!r}, which no line of such a list can hold.",
                hint="Narrow the view with where(…), or join better labels.",
            )
    return [str(row[column]) for row in values]


def _written(view: Any, target: Path) -> Iterator[str]:
    """Paths of the samples, relative to the folder, once their files are there."""
    folders = also_folders(view.ids())
    for start in range(0, len(view), _CHUNK_SAMPLES):
        rows = np.arange(start, min(start + _CHUNK_SAMPLES, len(view)), dtype=np.uint64)
        paths = [key_to_path(each, is_also_folder=each in folders) for each in view.ids(rows)]
        for place, sample in zip(paths, read_samples(view, rows), strict=True):
            path = target / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(sample.data)
        yield from paths
