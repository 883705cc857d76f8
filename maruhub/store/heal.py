"""Putting right bytes over rotten ones in full copies: the one thing that is ever written over."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from maruhub.errors import MaruError
from maruhub.store.blade import BladeFile
from maruhub.store.blades import Blades
from maruhub.store.copies import descriptors_for
from maruhub.store.format.extent import Blobs
from maruhub.store.format.header import log_name
from maruhub.store.read.audit import BadCopy
from maruhub.store.read.reader import Reader


def heal_copies(blades: Blades, reader: Reader, bad: Sequence[BadCopy]) -> int:
    """Writes what another copy has right into copies of logs that have it wrong; durable.

    Returns how many extents were put right. A copy that can't be opened or written stays as
    it is: a whole copy is made elsewhere by whoever repairs the segment.
    """
    healed = 0
    ordered = sorted(bad, key=lambda item: (item.extent.segment, item.blade_id, item.extent.offset))
    for (segment, blade_id), group in itertools.groupby(
        ordered, key=lambda item: (item.extent.segment, item.blade_id)
    ):
        items = list(group)
        with descriptors_for("healing a copy"):
            copies = blades.open_copies(log_name(segment), [blade_id], write=True)
        for copy in copies:
            try:
                healed += _heal(copy.file, reader, items)
                copy.file.sync()
            except OSError:
                continue
            finally:
                copy.close()
    return healed


def _heal(file: BladeFile, reader: Reader, group: Sequence[BadCopy]) -> int:
    healed = 0
    for item in group:
        (data,) = reader.read_many(Blobs.of([(item.extent,)]), verify=True)
        if not isinstance(data, MaruError):
            file.write(item.extent.offset, [data])
            healed += 1
    return healed
