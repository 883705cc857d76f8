"""JAX: batches put on devices ahead of the step that uses them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np

from maruhub.adapters.arrays import as_arrays
from maruhub.loaders import Batch, Batches


class DeviceBatches:
    """Batches as trees of ``jax.Array``, some of them on their way while one is used.

    ``state_dict`` is behind the last batch that was handed out, whatever is on its way. What is
    no array (texts) stays as it is.

    Args:
        batches: Of a view: ``view.batches(64, seed=7, rank=…, world=…)``.
        collate: From a batch to a tree of arrays.
        device: A device or sharding; None: JAX's default. With a sharding over several processes
            each brings its own share.
        ahead: Batches on their way.
    """

    def __init__(
        self,
        batches: Batches,
        collate: Callable[[Batch], Any] = as_arrays,
        *,
        device: Any = None,
        ahead: int = 2,
    ) -> None:
        self._batches = batches
        self._collate = collate
        self._device = device
        self._ahead = max(1, ahead)
        self._state = batches.state_dict()
        self._waiting: deque[tuple[Any, dict[str, Any]]] = deque()

    def __iter__(self) -> Iterator[Any]:
        self._batches.load_state_dict(self._state)
        waiting = self._waiting = deque()
        for batch in self._batches:
            waiting.append((self._put(self._collate(batch)), self._batches.state_dict()))
            if len(waiting) > self._ahead:
                yield self._take(waiting)
        end = self._batches.state_dict()
        while waiting:
            yield self._take(waiting)
        self._state = end

    def __len__(self) -> int:
        return len(self._batches)

    def state_dict(self) -> dict[str, Any]:
        """Where the next batch starts that was not handed out."""
        return dict(self._state)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from a state, from the next ``iter``."""
        self._batches.load_state_dict(state)
        self._state = self._batches.state_dict()

    def join(self, newer: Any, *, new: int, old: int) -> int:
        """See :meth:`maruhub.loaders.Batches.join`: behind the batches that are on their way.

        The state names it from now on. Where these still belong to the epoch before, it does so
        once they are used.
        """
        fresh = self._batches.join(newer, new=new, old=old)
        now = self._batches.state_dict()

        def told(state: dict[str, Any]) -> dict[str, Any]:
            same = state["epoch"] == now["epoch"]
            return {**now, "position": state["position"]} if same else state

        self._state = told(self._state)
        for i, (made, state) in enumerate(self._waiting):
            self._waiting[i] = made, told(state)
        return fresh

    def _take(self, waiting: deque[tuple[Any, dict[str, Any]]]) -> Any:
        made, self._state = waiting.popleft()
        return made

    def _put(self, tree: Any) -> Any:
        def put(leaf: Any) -> Any:
            if not isinstance(leaf, np.ndarray | jax.Array):
                return leaf
            if isinstance(self._device, jax.sharding.Sharding):
                return jax.make_array_from_process_local_data(self._device, leaf)
            return jax.device_put(leaf, self._device)

        return jax.tree.map(put, tree, is_leaf=lambda leaf: isinstance(leaf, list))
