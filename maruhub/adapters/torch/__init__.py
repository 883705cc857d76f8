"""PyTorch: a loader that goes on exactly, and its parts for those who build their own.

:class:`Loader` is a ``DataLoader``: without workers it reads with the hub's own threads in this
process, which is the fastest; with workers these read whole batches. Its state is the hub's few
integers either way, and moves when the trainer gets a batch, so that it goes on under any number
of workers or ranks, and in another framework.

:class:`Samples` (map style) and :class:`Order` (a batch sampler with a state) are for
``DataLoader`` and torchdata's ``StatefulDataLoader`` as they are; :class:`Stream` is for whatever
wants an ``IterableDataset``.

May use: torch, ``loaders``, the other modules of ``adapters``. Never here: an order, a state or a
byte that is not the hub's.
"""

from maruhub.adapters.torch.loader import Loader
from maruhub.adapters.torch.samples import Order, Samples
from maruhub.adapters.torch.stream import Stream
from maruhub.adapters.torch.tensors import as_tensors

__all__ = ["Loader", "Order", "Samples", "Stream", "as_tensors"]
