"""Ray Data: an epoch of a view as a source whose tasks read their own pieces, when they run.

With Ray Train use :class:`maruhub.adapters.torch.Loader` in the training function: it finds its
rank by itself, reads in the trainer's own process, and its state goes into Ray's checkpoints.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import ray
from ray.data import Datasource, ReadTask
from ray.data.block import BlockAccessor, BlockMetadata

from maruhub import argument
from maruhub.adapters.epoch import Epoch
from maruhub.adapters.tables import as_table
from maruhub.loaders import Batch

BLOCK_SAMPLES = 256


class HubDatasource(Datasource):
    """For ``ray.data.read_datasource``. Blocks are made in the hub's order; never shuffle them locally.

    They come in that order where ``DataContext.execution_options.preserve_order`` is set.

    Each epoch, and each place to go on from, is a source of its own: Ray keeps no place.
    Every node needs the hub at the same path, or its address.

    Args:
        view: The samples.
        collate: From a batch to a dict of arrays, or to an Arrow table; default: ``id``,
            ``bytes`` and the view's columns.
        number: Which epoch, from 0.
        state: Where to go on, as the hub's loaders say it; instead of ``number``.
        block_samples: Samples of a block.
        options: See :class:`maruhub.adapters.epoch.Epoch`: ``seed``, ``order``, ….
    """

    def __init__(
        self,
        view: Any,
        collate: Callable[[Batch], Mapping[str, Any]] | None = None,
        *,
        number: int | None = None,
        state: Mapping[str, Any] | None = None,
        block_samples: int = BLOCK_SAMPLES,
        **options: Any,
    ) -> None:
        super().__init__()
        self._epoch = Epoch(view, number, state=state, **options)
        self._collate = collate or as_table
        self._pieces = self._epoch.pieces(block_samples)
        self._bytes = int(view.sizes().sum() * (len(self._epoch) - self._epoch.position) / max(1, len(view)))

    def state_after(self, samples: int) -> dict[str, Any]:
        """The hub's state once so many of this source's samples are used, counted from its start.

        Only where blocks come in order does a count say which ones they were.
        """
        left = len(self._epoch) - self._epoch.position
        samples = argument.whole("samples", samples, low=0, high=left)
        return self._epoch.state_at(self._epoch.position + samples)

    def estimate_inmemory_data_size(self) -> int | None:
        """Bytes of the samples that are left."""
        return self._bytes

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: Any = None
    ) -> list[ReadTask]:
        """At most ``parallelism`` tasks, each a run of blocks; nothing is read yet."""
        # Once for all tasks: a view may hold 8 bytes for each of its samples.
        shared = ray.put((self._epoch, self._collate))
        count = max(1, math.ceil(len(self._pieces) / max(1, parallelism)))
        runs = [self._pieces[at : at + count] for at in range(0, len(self._pieces), count)]
        return [self._task(run, shared, per_task_row_limit) for run in runs]

    def _task(self, run: list[tuple[int, int]], shared: Any, limit: int | None) -> ReadTask:
        rows = run[-1][1] - run[0][0]
        left = len(self._epoch) - self._epoch.position
        about = BlockMetadata(num_rows=rows, size_bytes=self._bytes * rows // left, exec_stats=None)

        def read() -> Iterator[Any]:
            epoch, collate = ray.get(shared)
            for start, stop in run:
                yield BlockAccessor.batch_to_block(collate(epoch.read(start, stop)))

        return ReadTask(read, about, per_task_row_limit=limit)
