"""A hub elsewhere: the same API as a local one, over the batch door.

``transport`` sends signed requests and tries again; ``reading`` goes on behind what has come, over
any number of cuts, and ``items`` and ``pieces`` are what comes, verified; ``hub``, ``bucket``,
``dataset``, ``view`` and ``batches`` are what a user holds, named and behaving as those of a local hub.

May use: ``loaders`` (the plan, the order and the batches are theirs), ``catalog`` and
``namespace`` for their values, ``wire``, an HTTP library. Never happens here: a pool opened, an
order of samples decided, bytes handed out whose sum was not checked.
"""

from __future__ import annotations

from maruhub.remote.hub import RemoteHub

__all__ = ["RemoteHub"]
